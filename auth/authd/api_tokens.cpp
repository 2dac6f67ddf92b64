#include "auth/authd/api_tokens.h"

#include <sys/random.h>

#include <algorithm>
#include <sstream>

#include "auth/base/checked.h"
#include "auth/base/config.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr const char* scope_names[] = {"full", "readonly", "limited"};
constexpr const char* tokens_ending = ".tokens";
constexpr std::size_t token_size = 32;
constexpr std::size_t digest_size = 64;  // hex digits

bool is_digest(const std::string& text) {
    return text.size() == digest_size && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

ApiToken token_of(const std::string& line) {
    std::istringstream words(line);
    ApiToken token;
    std::string scope;
    std::string more;
    const bool whole = static_cast<bool>(words >> token.name >> token.digest >> token.created >> token.expires >>
                                         scope >> token.generation >> token.shadow) &&
                       !(words >> more);
    const auto* const found = std::ranges::find(scope_names, scope);
    if (!whole || !is_token_name(token.name) || !is_digest(token.digest) || !is_digest(token.generation) ||
        (token.shadow != no_shadow_line && !is_digest(token.shadow)) || found == std::end(scope_names) ||
        token.created < 0 || token.expires < 0)
        throw ConfigError("expected NAME SHA256 CREATED EXPIRES full|readonly|limited GENERATION SHADOW");
    token.scope = static_cast<TokenScope>(found - scope_names);
    return token;
}

void refuse_repetition(const std::string& file, const std::vector<ApiToken>& tokens) {
    for (auto one = tokens.begin(); one != tokens.end(); ++one)
        if (std::any_of(one + 1, tokens.end(),
                        [&](const auto& other) { return other.name == one->name || other.digest == one->digest; }))
            throw ConfigError(file + ": the token " + one->name + " is listed twice");
}

std::string uses_file_of(const std::string& tokens_file) {
    return tokens_file.substr(0, tokens_file.size() - std::string_view(tokens_ending).size()) + ".uses";
}

std::string line_of(const ApiToken& token) {
    return token.name + ' ' + token.digest + ' ' + std::to_string(token.created) + ' ' + std::to_string(token.expires) +
           ' ' + name_of(token.scope) + ' ' + token.generation + ' ' + token.shadow + '\n';
}

}  // namespace

Secret random_token() {
    static constexpr std::string_view characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static constexpr unsigned even =
        256 / characters.size() * characters.size();  // beyond it, some would come more often
    char text[token_size];
    std::size_t size = 0;
    while (size < token_size) {
        unsigned char byte = 0;
        if (checked(::getrandom(&byte, 1, 0), "get random bytes") == 1 && byte < even)
            text[size++] = characters[byte % characters.size()];
    }
    Secret token(std::string_view(text, token_size));
    ::explicit_bzero(text, sizeof text);
    return token;
}

std::string name_of(TokenScope scope) {
    return scope_names[static_cast<std::size_t>(scope)];
}

bool is_possible_token_owner(const std::string& user) noexcept {
    constexpr std::size_t longest = 200;  // a file's name has 255 bytes
    return !user.empty() && user.size() <= longest &&
           std::ranges::none_of(user, [](unsigned char c) { return c <= 0x20 || c == 0x7f || c == '/' || c == ':'; });
}

std::string tokens_file(const std::string& directory, const std::string& user) {
    // With the ending no name is special, nor is one account's file what replace_file() writes for another.
    return directory + '/' + user + tokens_ending;
}

std::vector<ApiToken> read_tokens(const std::string& file) {
    std::vector<ApiToken> tokens;
    if (version_of(file) == FileVersion{}) return tokens;
    std::istringstream lines(read_trusted_file(file, S_IRWXG | S_IRWXO));
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) try {
            ++number;
            if (!line.empty() && line[0] != '#') tokens.push_back(token_of(line));
            if (tokens.size() > most_tokens_per_account) throw ConfigError("there are too many tokens");
        } catch (const ConfigError& wrong) {
            throw ConfigError(file + ", line " + std::to_string(number) + ": " + wrong.what());
        }
    refuse_repetition(file, tokens);
    return tokens;
}

void write_tokens(const std::string& file, const std::vector<ApiToken>& tokens) {
    std::string text = "# NAME SHA256 CREATED EXPIRES full|readonly|limited GENERATION SHADOW. Written by us.\n";
    for (const auto& token : tokens) text += line_of(token);
    replace_file(file, text, S_IRUSR | S_IWUSR);
}

TokenUses read_token_uses(const std::string& tokens_file) try {
    TokenUses uses;
    const auto file = uses_file_of(tokens_file);
    if (version_of(file) == FileVersion{}) return uses;
    std::istringstream lines(read_trusted_file(file, S_IRWXG | S_IRWXO));
    for (std::string line; std::getline(lines, line) && uses.size() < most_tokens_per_account;) {
        std::istringstream words(line);
        std::string digest;
        TokenUse use;
        if (words >> digest >> use.first >> use.first_from >> use.last >> use.last_from && is_digest(digest) &&
            use.first_from.size() <= longest_address && use.last_from.size() <= longest_address)
            uses[digest] = std::move(use);
    }
    return uses;
} catch (const std::exception& fault) {
    log_line(Severity::Warning, std::string("the uses of an account's tokens are not known: ") + fault.what());
    return {};
}

const TokenFiles::Tokens& TokenFiles::of(const std::string& user) {
    static const Tokens none;
    if (!is_possible_token_owner(user)) return none;
    const auto version = version_of(file_of(user));
    const auto found = accounts_.find(user);
    if (found != accounts_.end() && found->second.version == version) return found->second;
    // Nothing is kept for names without tokens: anybody may send those.
    if (version == FileVersion{}) {
        accounts_.erase(user);
        return none;
    }
    return read(user, version);
}

TokenFiles::Tokens& TokenFiles::read(const std::string& user, const FileVersion& version) {
    const auto file = file_of(user);
    if (!accounts_.contains(user)) {
        if (accounts_.size() >= most_accounts) accounts_.erase(accounts_.begin());
        accounts_[user].uses = read_token_uses(file);
    }
    auto& account = accounts_[user];
    account.version = {};  // a passing fault must not count as having read the file
    account.tokens.clear();
    account.is_damaged = false;
    try {
        account.tokens = read_tokens(file);
    } catch (const ConfigError& wrong) {
        account.is_damaged = true;
        log_line(Severity::Error, "no token of " + printable(user) + " is valid: " + wrong.what());
    }
    account.version = version;
    return account;
}

bool TokenFiles::note_use(const std::string& user, const ApiToken& token, std::int64_t now, const std::string& origin) {
    const auto digest = token.digest;
    static_cast<void>(of(user));
    const auto found = accounts_.find(user);
    if (found == accounts_.end()) return false;
    auto& account = found->second;
    auto& use = account.uses[digest];
    const bool is_first = use.first == 0;
    if (is_first) use = {now, origin, 0, ""};
    use.last = now;
    use.last_from = origin;
    // Also when the clock was set back.
    const bool is_due = now >= account.uses_written + seconds_between_writes || now < account.uses_written;
    if (is_first || is_due) write_uses(user, account, now);
    return is_first;
}

void TokenFiles::write_uses(const std::string& user, Tokens& account, std::int64_t now) try {
    account.uses_written = now;  // a disk that is full is not tried at each request either
    std::erase_if(account.uses, [&](const auto& use) {
        return std::ranges::find(account.tokens, use.first, &ApiToken::digest) == account.tokens.end();
    });
    std::string text;
    for (const auto& [digest, use] : account.uses)
        text += digest + ' ' + std::to_string(use.first) + ' ' + use.first_from + ' ' + std::to_string(use.last) + ' ' +
                use.last_from + '\n';
    replace_file(uses_file_of(file_of(user)), text, S_IRUSR | S_IWUSR, Sync::No);
} catch (const std::system_error& fault) {
    log_line(Severity::Error, std::string("cannot write down the use of a token: ") + fault.what());
}

}  // namespace clamscanner
