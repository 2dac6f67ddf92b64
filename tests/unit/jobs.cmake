# Unit tests and fuzz targets of jobs/.
add_unit_test(clam_engine clamscanner_scanning)
target_compile_definitions(clam_engine_test PRIVATE EMBEDDED_SIGNATURES="${PROJECT_SOURCE_DIR}/jobs/signatures")
