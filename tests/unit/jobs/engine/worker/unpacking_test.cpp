// Plays the calls of libclamav's callbacks: which of them mean that the library did not see all of a file. That the
// library makes these calls is tested with real archives in tests/integration/containers_test.py.
#include "jobs/engine/worker/unpacking.h"

#include <boost/test/unit_test.hpp>

#include "jobs/engine/test_virus.h"

namespace clamscanner {
namespace {

constexpr std::uint64_t most_bytes = 1000;
const std::string text = "a harmless text";

struct Scan {
    Unpacking unpacking{most_bytes, 4 * most_bytes};
    void layer(unsigned level, std::string_view type, std::string_view content, LayerAttributes attributes = {}) {
        unpacking.begin_layer(level, type, content, attributes);
    }
    void check(std::optional<UnscannedReason> expected) {
        const auto reason = unpacking.reason();
        BOOST_TEST((reason == expected));
    }
};

BOOST_FIXTURE_TEST_SUITE(unpacking_of_archives, Scan)

BOOST_AUTO_TEST_CASE(a_member_that_was_unpacked_is_no_reason) {
    layer(0, "CL_TYPE_ZIP", stored_zip("a", text));
    layer(1, "CL_TYPE_TEXT_ASCII", text);
    check(std::nullopt);
}

BOOST_AUTO_TEST_CASE(a_member_that_was_not_unpacked_is_damaged) {
    layer(0, "CL_TYPE_ZIP", stored_zip("a", text));
    check(UnscannedReason::Damaged);
}

BOOST_AUTO_TEST_CASE(a_member_that_was_unpacked_in_part_is_too_large_if_it_exceeds_the_limit) {
    layer(0, "CL_TYPE_ZIP", stored_zip("a", std::string(most_bytes + 1, 'x')));
    layer(1, "CL_TYPE_TEXT_ASCII", std::string(most_bytes, 'x'));
    check(UnscannedReason::TooLargeInside);
}

BOOST_AUTO_TEST_CASE(a_rewritten_text_is_no_member) {
    layer(0, "CL_TYPE_ZIP", stored_zip("a", text));
    layer(1, "CL_TYPE_TEXT_ASCII", text, {true, false});
    check(UnscannedReason::Damaged);
}

BOOST_AUTO_TEST_CASE(a_member_of_an_inner_archive_does_not_stand_for_one_of_the_outer) {
    const auto inner = stored_zip("b", text);
    layer(0, "CL_TYPE_ZIP", stored_zip("a", text));
    layer(1, "CL_TYPE_ZIP", inner);
    layer(2, "CL_TYPE_TEXT_ASCII", text);
    check(UnscannedReason::Damaged);
}

BOOST_AUTO_TEST_CASE(the_first_of_two_archives_is_not_opened) {
    layer(0, "CL_TYPE_ZIP", stored_zip("a", text) + stored_zip("b", text + "!"));
    layer(1, "CL_TYPE_TEXT_ASCII", text + "!");
    check(UnscannedReason::UnsupportedArchive);
}

BOOST_AUTO_TEST_CASE(a_member_as_small_as_libclamav_ignores_is_no_reason) {
    layer(0, "CL_TYPE_ZIP", stored_zip("a", "12345"));
    check(std::nullopt);
}

BOOST_AUTO_TEST_CASE(an_archive_without_its_directory_is_damaged) {
    const auto archive = stored_zip("a", text);
    layer(0, "CL_TYPE_ZIP", std::string_view(archive).substr(0, archive.find("PK\x01\x02")));
    check(UnscannedReason::Damaged);
}

BOOST_AUTO_TEST_CASE(an_archive_behind_a_program_is_looked_for) {
    layer(0, "CL_TYPE_BINARY_DATA", "#!/bin/sh\n" + stored_zip("a", text));
    check(UnscannedReason::UnsupportedArchive);
}

BOOST_AUTO_TEST_CASE(an_archive_behind_a_program_may_be_unpacked_as_one_layer_or_two) {
    for (const unsigned level : {1U, 2U}) {
        Scan scan;
        scan.layer(0, "CL_TYPE_BINARY_DATA", "#!/bin/sh\n" + stored_zip("a", text));
        scan.layer(level, "CL_TYPE_TEXT_ASCII", text);
        scan.check(std::nullopt);
    }
}

BOOST_AUTO_TEST_CASE(a_member_announced_and_not_unpacked_is_known_by_what_follows) {
    layer(0, "CL_TYPE_ARJ", text);
    unpacking.announce("CL_TYPE_ARJ", text.size(), false);
    unpacking.announce("CL_TYPE_ARJ", text.size(), false);
    layer(1, "CL_TYPE_TEXT_ASCII", text);
    check(UnscannedReason::UnsupportedArchive);
}

BOOST_AUTO_TEST_CASE(an_outer_tar_goes_on_after_an_inner_one) {
    const std::string blocks(1024, '\0');
    layer(0, "CL_TYPE_POSIX_TAR", blocks);
    unpacking.announce("CL_TYPE_POSIX_TAR", blocks.size(), false);
    layer(1, "CL_TYPE_POSIX_TAR", blocks);
    unpacking.announce("CL_TYPE_POSIX_TAR", text.size(), false);
    layer(2, "CL_TYPE_TEXT_ASCII", text);
    unpacking.announce("CL_TYPE_POSIX_TAR", text.size() + 1, false);
    layer(1, "CL_TYPE_TEXT_ASCII", text + "!");
    check(std::nullopt);
}

BOOST_AUTO_TEST_CASE(a_member_of_a_tar_that_is_cut_off_is_damaged) {
    layer(0, "CL_TYPE_POSIX_TAR", std::string(1024, '\0'));
    unpacking.announce("CL_TYPE_POSIX_TAR", text.size(), false);
    layer(1, "CL_TYPE_TEXT_ASCII", text.substr(1));
    check(UnscannedReason::Damaged);
}

BOOST_AUTO_TEST_CASE(an_archive_of_which_nothing_was_seen_is_unsupported) {
    layer(0, "CL_TYPE_RAR", text);
    check(UnscannedReason::UnsupportedArchive);
}

BOOST_AUTO_TEST_CASE(a_compressed_file_that_libclamav_does_not_know_is_unsupported) {
    layer(0, "CL_TYPE_BINARY_DATA", "\x28\xB5\x2F\xFD and more");
    check(UnscannedReason::UnsupportedArchive);
}

BOOST_AUTO_TEST_CASE(of_several_reasons_the_most_useful_is_told) {
    layer(0, "CL_TYPE_RAR", text);
    layer(0, "CL_TYPE_ZIP", stored_zip("a", std::string(most_bytes + 1, 'x')));
    layer(0, "CL_TYPE_ZIP", "PK\x03\x04" + std::string(30, 'x'));
    check(UnscannedReason::TooLargeInside);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace clamscanner
