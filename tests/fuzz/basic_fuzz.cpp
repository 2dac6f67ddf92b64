// Fuzzes the Authorization header. Whatever is accepted as credentials must fit into authd's messages, and be UTF-8.
#include <cstdlib>

#include "auth/authd/messages.h"
#include "fcgi/basic_credentials.h"
#include "jobs/shared/json_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace clamscanner;
    const auto credentials = basic_credentials_of({reinterpret_cast<const char*>(bytes), size});
    if (!credentials) return 0;
    const auto& password = credentials->password.reveal();
    if (credentials->user.empty() || credentials->user.size() > longest_user_name) std::abort();
    if (credentials->user.find_first_of(std::string_view(":\0\n", 3)) != std::string::npos) std::abort();
    if (password.empty() || password.size() > longest_password) std::abort();
    if (password.find_first_of(std::string_view("\0\n", 2)) != std::string::npos) std::abort();
    if (!is_utf8(credentials->user) || !is_utf8(password)) std::abort();
    return 0;
}
