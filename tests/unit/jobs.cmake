# Unit tests and fuzz targets of jobs/.
add_unit_test(clam_engine clamscanner_scanning)
target_compile_definitions(clam_engine_test PRIVATE EMBEDDED_SIGNATURES="${PROJECT_SOURCE_DIR}/jobs/signatures")
add_unit_test(disposal clamscanner_home)
add_unit_test(home_log clamscanner_home)
add_unit_test(ledger clamscanner_jobs PkgConfig::SQLITE)
add_unit_test(mailbox clamscanner_scanning)
add_unit_test(walk clamscanner_home)
add_fuzz_target(mailbox clamscanner_scanning)
