#include "auth/base/signature.h"

#include <boost/test/unit_test.hpp>

using namespace clamscanner;

namespace {

// Two of the vectors made by real clients; rpc_request_test.cpp has them all.
const std::string v1_text =
    "GET&%2F&AccessKeyId%3DLTAItestAccessKeyId%26Action%3DGetVirusScanLatestTaskStatistic%26Format%3DJSON%26"
    "SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D5f3c1e9a7b2d4c60a1b2c3d4e5f60718%26SignatureVersion%3D1.0%26"
    "Timestamp%3D2024-02-20T08%253A30%253A00Z%26Version%3D2018-12-03";
const std::string v1_signature = "eZxQaX+cfGUMc8iNuD144B6K5iM=";
const std::string v3_text =
    "GET\n/\n\nhost:sas.example.test\nx-acs-action:GetVirusScanLatestTaskStatistic\n"
    "x-acs-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
    "x-acs-date:2024-02-20T08:30:00Z\nx-acs-signature-nonce:5f3c1e9a7b2d4c60a1b2c3d4e5f60718\n"
    "x-acs-version:2018-12-03\n\n"
    "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version\n"
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string v3_signature = "2f5608ef4bf43acf403463be435ad21932181914f89367020f4dfad834af6639";
const Secret secret("testAccessKeySecret");

// Whether the signature still holds when any one byte of the text is another.
bool holds_after_any_change(SignatureForm form, std::string text, const std::string& signature) {
    for (auto& byte : text) {
        byte ^= 1;
        if (is_signed(form, text, secret, signature)) return true;
        byte ^= 1;
    }
    return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(only_what_a_client_signed_is_accepted) {
    BOOST_TEST(is_signed(SignatureForm::V1, v1_text, secret, v1_signature));
    BOOST_TEST(is_signed(SignatureForm::V3, v3_text, secret, v3_signature));
    BOOST_TEST(!holds_after_any_change(SignatureForm::V1, v1_text, v1_signature));
    BOOST_TEST(!holds_after_any_change(SignatureForm::V3, v3_text, v3_signature));
    BOOST_TEST(!is_signed(SignatureForm::V3, v1_text, secret, v1_signature));
    for (const auto& wrong : {std::string(), v3_signature.substr(1), v3_signature + "0", std::string(64, '0')})
        BOOST_TEST(!is_signed(SignatureForm::V3, v3_text, secret, wrong));
    BOOST_TEST(!is_signed(SignatureForm::V3, v3_text, Secret("another"), v3_signature));
}

BOOST_AUTO_TEST_CASE(time_and_action_are_read_from_the_signed_text) {
    for (const auto& fields : {signed_fields(SignatureForm::V1, v1_text), signed_fields(SignatureForm::V3, v3_text)}) {
        BOOST_TEST(fields.time == "2024-02-20T08:30:00Z");
        BOOST_TEST(fields.nonce == "5f3c1e9a7b2d4c60a1b2c3d4e5f60718");
        BOOST_TEST(fields.action == "GetVirusScanLatestTaskStatistic");
        BOOST_TEST(fields.version == "2018-12-03");
    }
}

BOOST_AUTO_TEST_CASE(a_value_cannot_pass_for_another_parameter) {
    // A parameter whose value is "1&Timestamp=…" is encoded once more than a parameter is.
    const auto fields = signed_fields(
        SignatureForm::V1, "GET&%2F&A%3D1%2526Timestamp%253D2030-01-01T00%253A00%253A00Z%26Timestamp%3Dreal");
    BOOST_TEST(fields.time == "real");
    BOOST_TEST(fields.nonce.empty());
}

BOOST_AUTO_TEST_CASE(malformed_texts_have_no_fields) {
    for (const auto form : {SignatureForm::V1, SignatureForm::V3})
        for (const auto* text : {"", "&", "%", "%2", "\n\n\n", "Timestamp", "&&Timestamp%3D"})
            BOOST_TEST(signed_fields(form, text).time.empty());
}

BOOST_AUTO_TEST_CASE(a_time_has_only_one_valid_form) {
    BOOST_TEST((signed_time("2024-02-20T08:30:00Z") == 1708417800));
    for (const auto* text : {"", "2024-02-20T08:30:00", "2024-02-20 08:30:00Z", "2024-2-20T08:30:00Z ", "20.2.2024",
                             "2024-02-20T08:30:00+0", "2024-02-20T08:30:00ZZ", "2024-13-20T08:30:00Z",
                             "2024-02-31T08:30:00Z", "2024- 2-20T08:30:00Z"})
        BOOST_TEST(!signed_time(text).has_value(), text);
}
