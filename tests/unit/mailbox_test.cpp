#include "jobs/mailbox.h"

#include <boost/test/unit_test.hpp>

namespace clamscanner {
namespace {

BOOST_AUTO_TEST_CASE(a_mailbox_is_known_by_its_first_message) {
    BOOST_TEST(looks_like_mailbox("From alice@example.org Sat Jan  3 01:05:34 1996\nReceived: from x\n"));
    BOOST_TEST(looks_like_mailbox("From - Sat Jan  3 01:05:34 1996\r\nX-Mozilla-Status: 0001\r\n"));
    BOOST_TEST(looks_like_mailbox("\n\nFrom MAILER-DAEMON Fri Jul  8 12:08:34 2011\n>From somebody\n"));
}

BOOST_AUTO_TEST_CASE(other_files_are_no_mailboxes) {
    for (const char* text : {"", "From", "From ", "From here to there\n<?php evil(); ?>\n",
                             "Received: from x\nFrom: y\n", "From nowhere without an end", "<?php\nFrom x\nA: b\n"})
        BOOST_TEST(!looks_like_mailbox(text), text);
}

}  // namespace
}  // namespace clamscanner
