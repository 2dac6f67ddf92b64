# Unit tests and fuzz targets of fcgi/.
add_unit_test(fcgi/basic_credentials clamscanner_fcgi)
add_unit_test(fcgi/body_limits clamscanner_fcgi)
add_unit_test(fcgi/cross_site clamscanner_fcgi)
add_unit_test(fcgi/document_roots clamscanner_fcgi)
add_unit_test(fcgi/responder clamscanner_envelope)
add_dependencies(responder_test clamscanner.fcgi)
target_compile_definitions(responder_test PRIVATE RESPONDER_PROGRAM="$<TARGET_FILE:clamscanner.fcgi>")

add_fuzz_target(basic clamscanner_fcgi)

add_unit_test(fcgi/rpc_request clamscanner_fcgi)
target_compile_definitions(rpc_request_test PRIVATE
    SIGNATURE_VECTORS="${PROJECT_SOURCE_DIR}/tests/integration/signature_vectors.json")
add_fuzz_target(rpc_request clamscanner_fcgi clamscanner_handlers)
