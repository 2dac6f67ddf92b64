# Unit tests and fuzz targets of what all programs share.
add_unit_test(config clamscanner_job_messages)
target_compile_definitions(config_test PRIVATE SAMPLE_CONFIG="${PROJECT_BINARY_DIR}/auth/clamscanner.toml")
add_unit_test(event_loop clamscanner_base)
add_unit_test(secret clamscanner_base)
add_unit_test(socket clamscanner_base)
add_unit_test(wire clamscanner_base)

add_fuzz_target(wire clamscanner_job_messages)
