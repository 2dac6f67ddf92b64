# Measurements: built with everything else so that they keep compiling, run by tests/run.sh --bench only.
add_executable(trivial_responder bench/trivial_responder.cpp)
target_link_libraries(trivial_responder PRIVATE ${FCGI_LIBRARY} Threads::Threads)
add_executable(sandbox_cost bench/sandbox_cost.cpp)
target_link_libraries(sandbox_cost PRIVATE clamscanner_scanning)
target_compile_definitions(sandbox_cost PRIVATE EMBEDDED_SIGNATURES="${PROJECT_SOURCE_DIR}/jobs/engine/signatures")
add_executable(judge_cost bench/judge_cost.cpp)
target_link_libraries(judge_cost PRIVATE clamscanner_scanning)
target_compile_definitions(judge_cost PRIVATE EMBEDDED_SIGNATURES="${PROJECT_SOURCE_DIR}/jobs/engine/signatures")
