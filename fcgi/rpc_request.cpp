#include "fcgi/rpc_request.h"

#include <algorithm>
#include <set>

#include "auth/base/sha256.h"
#include "auth/base/signature.h"
#include "handlers/shared/media_type.h"
#include "handlers/shared/percent_encoding.h"

namespace clamscanner {
namespace {

constexpr std::size_t most_parameters = 1000;
constexpr std::string_view v3_scheme = "ACS3-HMAC-SHA256";

// The headers that a version 3 signature must cover, each with the parameter that it stands for.
constexpr std::pair<const char*, const char*> v3_headers[] = {
    {"x-acs-action", "Action"},
    {"x-acs-version", "Version"},
    {"x-acs-date", "Timestamp"},
    {"x-acs-signature-nonce", "SignatureNonce"},
    {"x-acs-content-sha256", "ContentSha256"},
    {"host", "Host"},
};

std::string trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

// "name=value&…", sorted by the names as they are, percent-encoded once.
template <class Parameters>
std::string canonical_query(Parameters parameters) {
    std::ranges::stable_sort(parameters);
    std::string query;
    for (const auto& [name, value] : parameters) {
        if (!query.empty()) query += '&';
        query += percent_encoded(name) + '=' + percent_encoded(value);
    }
    return query;
}

bool is_basic(const std::string& authorization) {
    return lower_case(authorization.substr(0, 6)) == "basic ";
}

struct V3Authorization {
    std::string key_id;
    std::vector<std::string> signed_headers;  // in the client's order
    std::string signed_headers_text;
    std::string signature;
};

std::vector<std::string> header_names(const std::string& list) {
    constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyz0123456789-";
    std::vector<std::string> names;
    std::string_view rest = list;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(';'), rest.size());
        names.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (names.back().empty() || names.back().find_first_not_of(name_characters) != std::string::npos)
            throw invalid_parameter("SignedHeaders", "contains something other than lower-case header names",
                                    "names separated by semicolons");
    }
    return names;
}

// ACS3-HMAC-SHA256 Credential=ID,SignedHeaders=a;b,Signature=HEX
V3Authorization v3_authorization_of(std::string_view header) {
    V3Authorization authorization;
    header.remove_prefix(std::min(v3_scheme.size(), header.size()));
    while (!header.empty()) {
        const auto end = std::min(header.find(','), header.size());
        const auto part = header.substr(0, end);
        header.remove_prefix(std::min(end + 1, header.size()));
        const auto equals = std::min(part.find('='), part.size());
        const auto name = trimmed(part.substr(0, equals));
        const auto value = trimmed(part.substr(std::min(equals + 1, part.size())));
        if (name == "Credential") authorization.key_id = value;
        if (name == "SignedHeaders") authorization.signed_headers_text = value;
        if (name == "Signature") authorization.signature = value;
    }
    return authorization;
}

void check_lengths(SignedLogin& login) {
    if (login.key_id.size() > longest_key_id) throw RpcRefusal(RpcError::KeyNotFound);
    if (login.text.size() > longest_signed_text) throw RpcRefusal(RpcError::RequestTooLarge);
    if (login.signature.size() > longest_signature) login.signature.clear();
}

}  // namespace

bool RpcMessage::has_form() const {
    return media_type_of(content_type).name == "application/x-www-form-urlencoded";
}

RpcFormat RpcRequest::format_of(const RpcMessage& message) {
    if (message.authorization.starts_with(v3_scheme) || is_basic(message.authorization)) return RpcFormat::Json;
    std::string wanted;
    bool of_version_1 = false;
    const auto all = message.query + "&" + message.body;
    for (std::string_view rest = all; const auto pair = take_pair(rest);) {
        if (pair->name == "Format") wanted = lower_case(pair->value);
        of_version_1 = of_version_1 || pair->name == "SignatureVersion";
    }
    return wanted == "xml" || (wanted.empty() && of_version_1) ? RpcFormat::Xml : RpcFormat::Json;
}

RpcRequest::RpcRequest(const RpcMessage& message, RpcFormat format) : format_(format) {
    read(message.query, query_);
    parameters_ = query_;
    if (message.has_form()) read(message.body, parameters_);
    refuse_repetition();

    const auto& authorization = message.authorization;
    if (authorization.starts_with(v3_scheme))
        authentication_ = RpcAuthentication::V3;
    else if (is_basic(authorization))
        authentication_ = RpcAuthentication::Basic;
    else if (find("AccessKeyId") != nullptr || find("Signature") != nullptr || find("SignatureVersion") != nullptr)
        authentication_ = RpcAuthentication::V1;

    // Libraries that sign by version 1 send these headers too, but only signed values count.
    action_ = authentication_ == RpcAuthentication::V3 ? trimmed(message.header("x-acs-action")) : value("Action");
    version_ = authentication_ == RpcAuthentication::V3 ? trimmed(message.header("x-acs-version")) : value("Version");
}

void RpcRequest::read(std::string_view encoded, Parameters& parameters) try {
    read_pairs(encoded, [&](std::string name, std::string value) {
        if (parameters.size() == most_parameters) throw RpcRefusal(RpcError::RequestTooLarge);
        parameters.emplace_back(std::move(name), std::move(value));
    });
} catch (const BrokenEncoding&) {
    throw RpcRefusal(400, "InvalidParameter", "A parameter is not correctly percent-encoded.",
                     "A percent sign needs two hex digits after it.");
}

void RpcRequest::refuse_repetition() const {
    // Some programs take the first value and others the last, so a repeated parameter could be signed with one meaning
    // and read with another.
    std::set<std::string_view> names;
    for (const auto& parameter : parameters_)
        if (!names.insert(parameter.first).second)
            throw invalid_parameter(parameter.first.substr(0, 100), "is given twice", "each parameter once");
}

const std::string* RpcRequest::find(std::string_view name) const {
    const auto found = std::ranges::find(parameters_, name, &std::pair<std::string, std::string>::first);
    return found == parameters_.end() ? nullptr : &found->second;
}

std::string RpcRequest::value(std::string_view name) const {
    const auto* found = find(name);
    return found == nullptr ? std::string() : *found;
}

void RpcRequest::require(std::initializer_list<const char*> names) const {
    for (const char* name : names)
        if (value(name).empty()) throw missing_parameter(name);
}

void RpcRequest::require_action() const {
    if (action_.empty()) throw missing_parameter("Action");
    if (version_.empty()) throw missing_parameter("Version");
}

SignedLogin RpcRequest::signed_login(const RpcMessage& message) const {
    auto login = authentication_ == RpcAuthentication::V3 ? login_v3(message) : login_v1(message);
    check_lengths(login);
    return login;
}

SignedLogin RpcRequest::login_v1(const RpcMessage& message) const {
    require({"AccessKeyId"});
    require_action();
    require({"Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion", "Signature"});
    if (value("SignatureMethod") != "HMAC-SHA1")
        throw invalid_parameter("SignatureMethod", "is not known", "HMAC-SHA1");
    if (value("SignatureVersion") != "1.0") throw invalid_parameter("SignatureVersion", "is not known", "1.0");
    Parameters others;
    for (const auto& parameter : parameters_)
        if (parameter.first != "Signature") others.push_back(parameter);
    return {value("AccessKeyId"), SignatureForm::V1,
            message.method + "&%2F&" + percent_encoded(canonical_query(std::move(others))), value("Signature"), ""};
}

SignedLogin RpcRequest::login_v3(const RpcMessage& message) const {
    const auto given = v3_authorization_of(message.authorization);
    if (given.key_id.empty()) throw missing_parameter("AccessKeyId");
    for (const auto& [header, parameter] : v3_headers)
        if (trimmed(message.header(header)).empty()) throw missing_parameter(parameter);
    if (given.signed_headers_text.empty()) throw missing_parameter("SignedHeaders");
    if (given.signature.empty()) throw missing_parameter("Signature");

    const auto names = header_names(given.signed_headers_text);
    auto text = message.method + "\n" + std::string(rpc_path) + "\n" + canonical_query(query_) + "\n";
    for (const auto& name : names) text += name + ":" + trimmed(message.header(name)) + "\n";
    // The digest of the body that came, whatever digest the client claims.
    text += "\n" + given.signed_headers_text + "\n" +
            (message.claimed_digest ? *message.claimed_digest : sha256_hex(message.body));
    SignedLogin login{given.key_id, SignatureForm::V3, std::move(text), given.signature, ""};
    // A signature that does not cover all of these is invalid. authd says so, after it has checked the key and the
    // time.
    for (const auto& [header, parameter] : v3_headers)
        if (std::ranges::find(names, header) == names.end()) login.signature.clear();
    return login;
}

std::string RpcRequest::string_to_sign(const SignedLogin& login) {
    if (login.form == SignatureForm::V1) return login.text;
    return std::string(v3_scheme) + "\n" + sha256_hex(login.text);
}

std::string RpcRequest::query_for_agent() const {
    Parameters all{{"Action", action_}, {"Version", version_}, {"Format", std::string(name_of(format_))}};
    constexpr std::string_view protocol[] = {"Action",           "Version",         "Format",         "AccessKeyId",
                                             "Signature",        "SignatureMethod", "SignatureNonce", "SignatureType",
                                             "SignatureVersion", "Timestamp",       "SecurityToken"};
    for (const auto& parameter : parameters_)
        if (std::ranges::find(protocol, parameter.first) == std::end(protocol)) all.push_back(parameter);
    return canonical_query(std::move(all));
}

}  // namespace clamscanner
