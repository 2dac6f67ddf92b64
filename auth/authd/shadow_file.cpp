#include "auth/authd/shadow_file.h"

#include <crypt.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <string_view>
#include <utility>

namespace clamscanner {
namespace {

// Valid for every method; those that take a shorter one ignore the rest.
constexpr const char* any_salt = "......................";

constexpr std::array costed = {"$y$", "$gy$", "$2b$", "$2y$", "$2a$"};  // a field for the cost always follows
constexpr std::array plain = {"$5$", "$6$", "$1$"};                     // for the first two, "rounds=N$" may follow

template <class Prefixes>
std::size_t prefix_of(const Prefixes& prefixes, const std::string& hash) {
    const auto found = std::ranges::find_if(prefixes, [&](const char* prefix) { return hash.starts_with(prefix); });
    return found != prefixes.end() ? std::string_view(*found).size() : 0;
}

// To behind the dollar sign that ends the field at `start`.
std::string through_field(const std::string& hash, std::size_t start) {
    const auto end = hash.find('$', start);
    return end != std::string::npos ? hash.substr(0, end + 1) : std::string();
}

}  // namespace

std::string method_of_hash(const std::string& hash) {
    if (const auto size = prefix_of(costed, hash); size != 0) return through_field(hash, size);
    const auto size = prefix_of(plain, hash);
    if (size == 0) return {};
    return hash.compare(size, 7, "rounds=") == 0 ? through_field(hash, size) : hash.substr(0, size);
}

ShadowFile::ShadowFile(const std::string& file, const std::string& user) {
    std::ifstream shadow(file);
    std::map<std::string, std::size_t> accounts;  // by method
    for (std::string line; std::getline(shadow, line);) {
        const auto start = line.find(':') + 1;
        if (start < 2) continue;  // no colon, or no name
        auto hash = line.substr(start, line.find(':', start) - start);
        auto method = method_of_hash(hash);
        if (line.compare(0, start - 1, user) == 0) users_hash_ = std::move(hash);
        if (!method.empty()) ++accounts[std::move(method)];
    }
    const auto usual = std::ranges::max_element(accounts, {}, [](const auto& row) { return row.second; });
    if (usual != accounts.end()) usual_method_ = usual->first;
}

bool ShadowFile::matches(const Secret& password) const {
    if (method_of_hash(users_hash_).empty()) return false;
    const auto* const hash = ::crypt(password.reveal().c_str(), users_hash_.c_str());
    return hash != nullptr && hash == users_hash_;
}

void ShadowFile::spend_a_hash(const Secret& password) const {
    if (!usual_method_.empty() && method_of_hash(users_hash_) == usual_method_) return;
    const auto setting = usual_method_ + any_salt;
    // Without any hash on this host, the method that crypt(3) prefers.
    const char* const preferred = usual_method_.empty() ? ::crypt_gensalt(nullptr, 0, nullptr, 0) : nullptr;
    static_cast<void>(::crypt(password.reveal().c_str(), preferred != nullptr ? preferred : setting.c_str()));
}

}  // namespace clamscanner
