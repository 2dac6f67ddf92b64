# Unit tests and fuzz targets of what all programs share.
add_unit_test(auth/base/account clamscanner_base)
add_unit_test(auth/base/command_line clamscanner_base)
add_unit_test(auth/base/config clamscanner_job_messages)
target_compile_definitions(config_test PRIVATE SAMPLE_CONFIG="${PROJECT_BINARY_DIR}/auth/base/clamscanner.toml")
add_unit_test(auth/base/event_loop clamscanner_base)
add_unit_test(auth/base/home_lookup clamscanner_base)
add_unit_test(auth/base/secret clamscanner_base)
add_unit_test(auth/base/socket clamscanner_base)
add_unit_test(auth/base/wire clamscanner_base)
add_unit_test(auth/base/dispatch clamscanner_base)

add_fuzz_target(wire clamscanner_job_messages)
