#include "fcgi/rpc_request.h"

#include <rapidjson/document.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "auth/base/signature.h"
#include "handlers/shared/percent_encoding.h"

using namespace clamscanner;

namespace {

using Texts = std::map<std::string, std::string>;

// A request in parts that a test may change.
struct Parts {
    std::string method = "GET";
    std::string query;
    std::string body;
    Texts headers;

    [[nodiscard]] RpcMessage message() const {
        const auto header = [headers = headers](const std::string& name) {
            const auto found = headers.find(name);
            return found == headers.end() ? std::string() : found->second;
        };
        return {method, query, body, header("content-type"), header("authorization"), header};
    }
};

// "accepted", or the refusal's code.
std::string code_of(const Parts& parts) {
    try {
        const auto message = parts.message();
        static_cast<void>(RpcRequest(message).signed_login(message));
    } catch (const RpcRefusal& refusal) {
        return refusal.code();
    }
    return "accepted";
}

bool is_signed(const Parts& parts, const std::string& secret) {
    const auto message = parts.message();
    const auto login = RpcRequest(message).signed_login(message);
    return clamscanner::is_signed(login.form, login.text, Secret(secret), login.signature);
}

std::string form_of(const Texts& parameters) {
    std::string form;
    for (const auto& [name, value] : parameters)
        form += (form.empty() ? "" : "&") + percent_encoded(name) + "=" + percent_encoded(value);
    return form;
}

struct Vector {
    std::string name;
    std::string kind;
    Parts parts;
    std::string secret;
    std::string key_id;
};

Texts texts_of(const rapidjson::Value& object) {
    Texts texts;
    for (const auto& member : object.GetObject()) texts[member.name.GetString()] = member.value.GetString();
    return texts;
}

// Requests that public client libraries signed.
std::vector<Vector> vectors() {
    std::ifstream file(SIGNATURE_VECTORS);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    rapidjson::Document list;
    list.Parse(text.data(), text.size());
    BOOST_REQUIRE(list.IsArray());
    std::vector<Vector> vectors;
    for (const auto& row : list.GetArray()) {
        Vector vector{row["name"].GetString(), row["kind"].GetString(), {}, row["accessKeySecret"].GetString(), ""};
        vector.parts.method = row["method"].GetString();
        if (vector.kind == "v3") {
            vector.key_id = row["accessKeyId"].GetString();
            vector.parts.headers = texts_of(row["headers"]);
            vector.parts.headers["authorization"] = row["authorization"].GetString();
            vector.parts.query = form_of(texts_of(row["query"]));
            vector.parts.body = row["body"].GetString();
        } else {
            auto parameters = texts_of(row["params"]);
            vector.key_id = parameters["AccessKeyId"];
            parameters["Signature"] = row["signature"].GetString();
            if (vector.parts.method == "POST") {
                vector.parts.body = form_of(parameters);
                vector.parts.headers["content-type"] = "application/x-www-form-urlencoded";
            } else {
                vector.parts.query = form_of(parameters);
            }
        }
        vectors.push_back(std::move(vector));
    }
    BOOST_REQUIRE(vectors.size() == 8U);
    return vectors;
}

Vector vector_of(const std::string& name) {
    for (auto& vector : vectors())
        if (vector.name == name) return vector;
    throw std::out_of_range(name);
}

std::string replaced(std::string text, const std::string& old, const std::string& fresh) {
    const auto at = text.find(old);
    BOOST_REQUIRE(at != std::string::npos);
    return text.replace(at, old.size(), fresh);
}

}  // namespace

BOOST_AUTO_TEST_CASE(by_version_3_the_claimed_digest_stands_for_a_body_that_has_yet_to_come) {
    for (const auto& vector : vectors()) {
        if (vector.kind != "v3") continue;
        auto message = vector.parts.message();
        message.body.clear();
        const auto is_signed_with = [&](const std::string& digest) {
            message.claimed_digest = digest;
            const auto login = RpcRequest(message).signed_login(message);
            return clamscanner::is_signed(login.form, login.text, Secret(vector.secret), login.signature);
        };
        BOOST_TEST(is_signed_with(message.header("x-acs-content-sha256")), vector.name);
        BOOST_TEST(!is_signed_with(std::string(64, '0')), vector.name);
        BOOST_TEST(!is_signed_with(""), vector.name);
    }
}

BOOST_AUTO_TEST_CASE(every_vector_is_signed_by_its_key) {
    for (const auto& vector : vectors()) {
        const auto message = vector.parts.message();
        const RpcRequest request(message);
        BOOST_TEST((request.authentication() == (vector.kind == "v3" ? RpcAuthentication::V3 : RpcAuthentication::V1)),
                   vector.name);
        BOOST_TEST(request.version() == "2018-12-03", vector.name);
        BOOST_TEST(request.signed_login(message).key_id == vector.key_id, vector.name);
        BOOST_TEST(is_signed(vector.parts, vector.secret), vector.name);
        BOOST_TEST(!is_signed(vector.parts, vector.secret + "x"), vector.name);
    }
}

BOOST_AUTO_TEST_CASE(any_changed_byte_invalidates_the_signature) {
    const auto fails = [](const Parts& parts, const std::string& secret) {
        try {
            return !is_signed(parts, secret);
        } catch (const RpcRefusal&) {
            return true;  // authd would not be asked
        }
    };
    for (auto& vector : vectors()) {
        auto& parts = vector.parts;
        std::vector<std::string*> texts = {&parts.method, &parts.query, &parts.body};
        const auto authorization = parts.headers["authorization"];
        // Of the headers those that the client signed, and the one that holds the signature.
        for (auto& [name, value] : parts.headers)
            if (name == "authorization" || authorization.find(name + ";") != std::string::npos ||
                authorization.find(";" + name + ",") != std::string::npos)
                texts.push_back(&value);
        for (auto* text : texts)
            for (std::size_t i = 0; i < text->size(); ++i) {
                // Changing the scheme, the key's id or a part's name makes it another request, not a wrong signature.
                if (text == &parts.headers["authorization"] && text->find("Signature=") > i) continue;
                const char old = (*text)[i];
                (*text)[i] = old == 'Z' ? 'Y' : 'Z';  // never the same in another encoding
                BOOST_TEST(fails(parts, vector.secret), vector.name << ": " << *text << " at " << i);
                (*text)[i] = old;
            }
        BOOST_TEST(!fails(parts, vector.secret), vector.name);
    }
}

BOOST_AUTO_TEST_CASE(another_encoding_of_a_request_has_the_same_signature) {
    auto vector = vector_of("v3 query with hard characters");
    vector.parts.query = replaced(vector.parts.query, "a%20b%2Bc%2A~%2F", "a+b%2bc*%7e/");
    BOOST_TEST(is_signed(vector.parts, vector.secret));
    vector.parts.query = "&&" + vector.parts.query;
    BOOST_TEST(is_signed(vector.parts, vector.secret));
    vector.parts.headers["x-acs-date"] = "  " + vector.parts.headers["x-acs-date"] + " ";
    BOOST_TEST(is_signed(vector.parts, vector.secret));
}

BOOST_AUTO_TEST_CASE(the_clients_own_list_of_headers_is_used_but_must_contain_these) {
    const auto vector = vector_of("v3 plain, host with port");
    for (const auto* header :
         {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}) {
        auto parts = vector.parts;
        auto& authorization = parts.headers["authorization"];
        const auto name = std::string(header);
        authorization =
            replaced(authorization, authorization.find(name + ";") != std::string::npos ? name + ";" : ";" + name, "");
        BOOST_TEST(!is_signed(parts, vector.secret), header);
        BOOST_TEST(code_of(parts) == "accepted", header);  // authd, not this, rejects it, after it has checked the key
    }
}

BOOST_AUTO_TEST_CASE(the_first_parameter_that_is_missing_is_named) {
    BOOST_TEST((RpcRequest(Parts{}.message()).authentication() == RpcAuthentication::None));
    auto given = Texts{{"AccessKeyId", "x"}};
    const auto code = [&] { return code_of({"GET", form_of(given), "", {}}); };
    const std::pair<const char*, const char*> wanted[] = {
        {"Action", "A"},          {"Version", "V"},          {"Timestamp", "T"}, {"SignatureNonce", "N"},
        {"SignatureMethod", "M"}, {"SignatureVersion", "1"}, {"Signature", "S"}};
    for (const auto& [name, value] : wanted) {
        BOOST_TEST(code() == std::string("Missing") + name);
        given[name] = value;
    }
    BOOST_TEST(code() == "InvalidParameter");
    given["SignatureMethod"] = "HMAC-SHA1";
    BOOST_TEST(code() == "InvalidParameter");
    given["SignatureVersion"] = "1.0";
    BOOST_TEST(code() == "accepted");
    given.erase("AccessKeyId");
    BOOST_TEST(code() == "MissingAccessKeyId");
}

BOOST_AUTO_TEST_CASE(a_header_that_is_missing_is_named_as_the_parameter_it_stands_for) {
    const auto vector = vector_of("v3 GET");
    const std::pair<const char*, const char*> headers[] = {{"x-acs-action", "MissingAction"},
                                                           {"x-acs-version", "MissingVersion"},
                                                           {"x-acs-date", "MissingTimestamp"},
                                                           {"x-acs-signature-nonce", "MissingSignatureNonce"},
                                                           {"x-acs-content-sha256", "MissingContentSha256"},
                                                           {"host", "MissingHost"}};
    for (const auto& [header, code] : headers) {
        auto parts = vector.parts;
        parts.headers.erase(header);
        BOOST_TEST(code_of(parts) == code);
    }
    for (const auto& [authorization, code] : std::initializer_list<std::pair<const char*, const char*>>{
             {"ACS3-HMAC-SHA256", "MissingAccessKeyId"},
             {"ACS3-HMAC-SHA256 Credential=x,Signature=y", "MissingSignedHeaders"},
             {"ACS3-HMAC-SHA256 Credential=x,SignedHeaders=host", "MissingSignature"},
             {"ACS3-HMAC-SHA256 Credential=x,SignedHeaders=Host,Signature=y", "InvalidParameter"},
             {"ACS3-HMAC-SHA256 Credential=x,SignedHeaders=;;,Signature=y", "InvalidParameter"}}) {
        auto parts = vector.parts;
        parts.headers["authorization"] = authorization;
        BOOST_TEST(code_of(parts) == code, authorization);
    }
}

BOOST_AUTO_TEST_CASE(xml_is_only_for_version_1) {
    const auto format = [](Texts parameters, const std::string& authorization = "") {
        return RpcRequest(Parts{"GET", form_of(parameters), "", {{"authorization", authorization}}}.message()).format();
    };
    BOOST_TEST((format({{"SignatureVersion", "1.0"}, {"Format", "XML"}}) == RpcFormat::Xml));
    BOOST_TEST((format({{"SignatureVersion", "1.0"}}) == RpcFormat::Xml));
    BOOST_TEST((format({{"SignatureVersion", "1.0"}, {"Format", "JSON"}}) == RpcFormat::Json));
    BOOST_TEST((format({}) == RpcFormat::Json));
    BOOST_TEST((format({{"SignatureVersion", "1.0"}, {"Format", "xml"}}) == RpcFormat::Xml));
    BOOST_TEST((RpcRequest::format_of(Parts{"GET", "A=%zz&Format=XML", "", {}}.message()) == RpcFormat::Xml));
    BOOST_TEST((format({{"Format", "XML"}}, "Basic eA==") == RpcFormat::Json));
    BOOST_TEST((format({{"Format", "XML"}}, "ACS3-HMAC-SHA256 Credential=x") == RpcFormat::Json));
}

BOOST_AUTO_TEST_CASE(the_agent_gets_the_parameters_without_those_of_the_protocol) {
    auto vector = vector_of("v1 GET hard characters and empty value");
    BOOST_TEST(RpcRequest(vector.parts.message()).query_for_agent() ==
               "Action=ListVirusScanMachine&CurrentPage=1&Format=JSON&PageSize=20&RegionId=cn-hangzhou&"
               "Remark=a%20b%2Bc%2A~%2F%C3%BC%27%28%29%21&Version=2018-12-03");
    // The parameter of that name does not count: the header is signed.
    vector = vector_of("v3 GET");
    vector.parts.query = "Action=CreateVirusScanOnceTask&Format=XML";
    BOOST_TEST(RpcRequest(vector.parts.message()).query_for_agent() ==
               "Action=GetVirusScanLatestTaskStatistic&Format=JSON&Version=2018-12-03");
}

BOOST_AUTO_TEST_CASE(what_is_too_long_is_refused) {
    auto parts = vector_of("v3 GET").parts;
    parts.query = "A=" + std::string(longest_signed_text, 'a');
    BOOST_TEST(code_of(parts) == "RequestTooLarge");
    parts.query.clear();
    for (int i = 0; i < 1001; ++i) parts.query += std::to_string(i) + "&";
    BOOST_TEST(code_of(parts) == "RequestTooLarge");
    parts.query = "A=1&A=1";
    BOOST_TEST(code_of(parts) == "InvalidParameter");
    parts.query = "A=%zz";
    BOOST_TEST(code_of(parts) == "InvalidParameter");
}
