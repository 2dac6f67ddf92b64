# Measurements: built with everything else so that they keep compiling, run by tests/run.sh --bench only.
add_executable(trivial_responder bench/trivial_responder.cpp)
target_link_libraries(trivial_responder PRIVATE ${FCGI_LIBRARY} Threads::Threads)
