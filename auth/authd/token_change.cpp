#include "auth/authd/token_change.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

#include "auth/base/checked.h"
#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/sha256.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {
namespace {

using Tokens = std::vector<ApiToken>;

// One writer at a time. Readers need no lock: a file is replaced as a whole.
UniqueFd lock_directory_of(const std::string& file) {
    UniqueFd lock(checked(::open(file.substr(0, file.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                          "open the directory of tokens"));
    checked(uninterrupted([&] { return ::flock(lock.get(), LOCK_EX); }), "wait for others that write tokens");
    return lock;
}

TokenResult create(Tokens& tokens, const TokenChange& change, Secret& token) {
    if (std::ranges::find(tokens, change.name, &ApiToken::name) != tokens.end()) return TokenResult::NameTaken;
    if (tokens.size() >= change.most) return TokenResult::TooMany;
    token = random_token();
    auto made = change.made;
    made.name = change.name;
    made.digest = sha256_hex(token.reveal());
    tokens.push_back(std::move(made));
    return TokenResult::Done;
}

TokenResult rename(Tokens& tokens, const TokenChange& change) {
    const auto found = std::ranges::find(tokens, change.name, &ApiToken::name);
    if (found == tokens.end()) return TokenResult::NoSuchToken;
    if (change.name != change.new_name && std::ranges::find(tokens, change.new_name, &ApiToken::name) != tokens.end())
        return TokenResult::NameTaken;
    found->name = change.new_name;
    return TokenResult::Done;
}

TokenResult revoke(Tokens& tokens, const TokenChange& change) {
    const auto count = std::erase_if(tokens, [&](const ApiToken& token) { return token.name == change.name; });
    return count != 0 ? TokenResult::Done : TokenResult::NoSuchToken;
}

TokenResult apply(Tokens& tokens, const TokenChange& change, Secret& token) {
    if (change.action == TokenAction::Create) return create(tokens, change, token);
    return change.action == TokenAction::Rename ? rename(tokens, change) : revoke(tokens, change);
}

}  // namespace

TokenChanged change_tokens(const TokenChange& change) try {
    const auto lock = lock_directory_of(change.file);
    auto tokens = read_tokens(change.file);
    TokenChanged changed;
    changed.dropped = static_cast<std::uint32_t>(
        std::erase_if(tokens, [&](const ApiToken& token) { return token.generation != change.generation; }));
    changed.result = apply(tokens, change, changed.token);
    if (changed.result == TokenResult::Done) write_tokens(change.file, tokens);
    return changed;
} catch (const ConfigError& damaged) {
    log_line(Severity::Error, std::string("tokens are not changed: ") + damaged.what());
    TokenChanged changed;
    changed.result = TokenResult::Damaged;
    return changed;
}

bool revoke_tokens(const std::string& file, const std::string& name) {
    const auto lock = lock_directory_of(file);
    if (version_of(file) == FileVersion{}) return false;
    auto tokens = name.empty() ? Tokens{} : read_tokens(file);
    if (!name.empty() && std::erase_if(tokens, [&](const ApiToken& token) { return token.name == name; }) == 0)
        return false;
    write_tokens(file, tokens);
    return true;
}

ShadowLine shadow_line(const std::string& user, const std::string& file) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> list(std::fopen(file.c_str(), "re"), &std::fclose);
    if (!list && errno == ENOENT) return {};
    if (!list) throw_errno("open the shadow file");
    ShadowLine found;
    const auto start = user + ':';
    char* line = nullptr;
    std::size_t size = 0;
    for (ssize_t got = 0; found.fingerprint == 0 && (got = ::getline(&line, &size, list.get())) > 0;)
        if (const std::string_view text(line, static_cast<std::size_t>(got)); text.starts_with(start))
            found = {sha256_hex(text), std::hash<std::string_view>()(text)};
    const bool whole = std::ferror(list.get()) == 0;
    if (line != nullptr) ::explicit_bzero(line, size);
    std::free(line);
    if (!whole) throw_errno("read the shadow file", EIO);
    return found;
}

}  // namespace clamscanner
