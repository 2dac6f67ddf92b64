#include "jobs/fleet/signed_request.h"

#include <stdexcept>

#include "auth/base/sha256.h"
#include "auth/base/signature.h"
#include "auth/base/utc_text.h"

namespace clamscanner {
namespace {

constexpr std::string_view scheme = "https://";
constexpr const char* version = "2018-12-03";
constexpr const char* signed_headers =
    "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";

// A map is sorted, and nothing needs to be encoded.
std::string query_of(const MachineQuestion& question) {
    std::string query;
    for (const auto& [name, value] : question.parameters) {
        for (const char c : name + value)
            if (std::string_view("-_.~").find(c) == std::string_view::npos && (c < '0' || c > '9') &&
                (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'))
                throw std::logic_error("a question to a machine has a character that must be encoded");
        query += (query.empty() ? "" : "&") + name + "=" + value;
    }
    return query;
}

std::vector<std::string> headers_of(const MachineQuestion& question, std::int64_t time, const std::string& nonce) {
    return {"x-acs-action:" + question.action, "x-acs-content-sha256:" + sha256_hex(""),
            "x-acs-date:" + utc_text(time, "%Y-%m-%dT%H:%M:%SZ"), "x-acs-signature-nonce:" + nonce,
            std::string("x-acs-version:") + version};
}

}  // namespace

std::string canonical_request(const std::string& host, const MachineQuestion& question, std::int64_t time,
                              const std::string& nonce) {
    auto text = "POST\n/\n" + query_of(question) + "\nhost:" + host + "\n";
    for (const auto& header : headers_of(question, time, nonce)) text += header + "\n";
    return text + "\n" + signed_headers + "\n" + sha256_hex("");
}

SignedRequest signed_request(const std::string& url, const MachineKey& key, const MachineQuestion& question,
                             std::int64_t time, const std::string& nonce) {
    const auto host = url.substr(scheme.size());
    const auto text = canonical_request(host, question, time, nonce);
    const auto query = query_of(question);
    SignedRequest request{url + "/" + (query.empty() ? "" : "?" + query), headers_of(question, time, nonce)};
    request.headers.push_back("Host: " + host);  // with its port, as it is signed
    request.headers.push_back("Authorization: ACS3-HMAC-SHA256 Credential=" + key.id + ",SignedHeaders=" +
                              signed_headers + ",Signature=" + signature_of(SignatureForm::V3, text, key.secret));
    return request;
}

}  // namespace clamscanner
