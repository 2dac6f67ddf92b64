// The least that a libfcgi responder can do, to compare with: threads that answer every request with the same body.
// usage: trivial_responder SOCKET THREADS BODY-BYTES
#include <fcgiapp.h>
#include <sys/stat.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

void answer_for_ever(int listener, const std::string& reply) {
    FCGX_Request request;
    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_PutStr(reply.data(), static_cast<int>(reply.size()), request.out);
        FCGX_Finish_r(&request);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 64;
    FCGX_Init();
    const int listener = FCGX_OpenSocket(argv[1], 512);
    if (listener < 0 || ::chmod(argv[1], 0660) != 0) return 71;
    const std::string reply =
        "Status: 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n" +
        std::string(std::stoul(argv[3]), ' ');
    std::vector<std::jthread> threads;
    for (int i = std::atoi(argv[2]); i > 0; --i) threads.emplace_back(answer_for_ever, listener, std::cref(reply));
}
