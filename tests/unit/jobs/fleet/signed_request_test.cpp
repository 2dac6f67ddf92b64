#include "jobs/fleet/signed_request.h"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

#include "auth/base/signature.h"

using namespace clamscanner;

namespace {

MachineKey key() {
    return {"cs0123", Secret("secret")};
}

std::string header(const SignedRequest& request, const std::string& name) {
    for (const auto& line : request.headers)
        if (line.starts_with(name)) return line.substr(name.size());
    return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_request_is_signed_as_authd_verifies_it) {
    const MachineQuestion question{"ListVirusScanTask", {{"TaskId", "00ff"}, {"PageSize", "1"}}};
    const auto request = signed_request("https://web1.example:8443", key(), question, 1'708'418'400, "0011");
    BOOST_TEST(request.url == "https://web1.example:8443/?PageSize=1&TaskId=00ff");
    BOOST_TEST(header(request, "Host: ") == "web1.example:8443");
    const auto text = canonical_request("web1.example:8443", question, 1'708'418'400, "0011");
    const auto fields = signed_fields(SignatureForm::V3, text);
    BOOST_TEST(fields.time == "2024-02-20T08:40:00Z");
    BOOST_TEST(fields.nonce == "0011");
    BOOST_TEST(fields.action == "ListVirusScanTask");
    BOOST_TEST(fields.version == "2018-12-03");
    const auto authorization = header(request, "Authorization: ");
    BOOST_TEST(authorization.starts_with("ACS3-HMAC-SHA256 Credential=cs0123,SignedHeaders=host;x-acs-action;"));
    const auto signature = authorization.substr(authorization.rfind('=') + 1);
    BOOST_TEST(is_signed(SignatureForm::V3, text, Secret("secret"), signature));
    BOOST_TEST(!is_signed(SignatureForm::V3, text, Secret("another"), signature));
}

BOOST_AUTO_TEST_CASE(the_secret_itself_is_not_sent) {
    const auto request = signed_request("https://web1.example", key(), {"CreateVirusScanOnceTask"}, 0, "1");
    BOOST_TEST(request.url.find("secret") == std::string::npos);
    for (const auto& line : request.headers) BOOST_TEST(line.find("=secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_would_have_to_be_encoded_is_refused) {
    for (const char* value : {"a b", "a&b", "a=b", "\xc3\xbc", "a%20"})
        BOOST_CHECK_THROW((void)signed_request("https://a", key(), {"X", {{"A", value}}}, 0, "1"), std::logic_error);
}
