# Unit tests and fuzz targets of handlers/.
add_unit_test(json_text clamscanner_json)
add_unit_test(address clamscanner_envelope)
add_unit_test(envelope clamscanner_envelope)
add_unit_test(arguments clamscanner_handlers)
add_unit_test(router clamscanner_handlers)

add_fuzz_target(arguments clamscanner_handlers)
add_fuzz_target(json_arguments clamscanner_handlers)
