// Fuzzes the Authorization header that carries an API token. Whatever is accepted must fit into authd's messages.
#include <cstdlib>

#include "auth/authd/messages.h"
#include "fcgi/token_credentials.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace clamscanner;
    const auto credentials = token_credentials_of({reinterpret_cast<const char*>(bytes), size});
    if (!credentials) return 0;
    const auto& token = credentials->token.reveal();
    if (credentials->user.empty() || credentials->user.size() > longest_user_name) std::abort();
    if (credentials->user.find_first_of(std::string_view(": \0\n", 4)) != std::string::npos) std::abort();
    if (token.empty() || token.size() > longest_password) std::abort();
    if (token.find_first_of(std::string_view(" \0\n", 3)) != std::string::npos) std::abort();
    return 0;
}
