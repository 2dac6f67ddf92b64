// What a line of the log looks like is settled at the first one of a process, so each case is a process of its own.
#include "auth/base/log.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <functional>

#include "auth/base/checked.h"
#include "tests/unit/matches.h"

using namespace clamscanner;

namespace {

// What a process that does this writes to its standard error.
std::string said_by(const std::function<void()>& act) {
    int ends[2];
    checked(::pipe(ends), "make a pipe");
    const pid_t pid = checked(::fork(), "fork");
    if (pid == 0) {
        ::dup2(ends[1], STDERR_FILENO);
        act();
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string text;
    char piece[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], piece, sizeof piece)) > 0;)
        text.append(piece, static_cast<std::size_t>(got));
    ::close(ends[0]);
    ::waitpid(pid, nullptr, 0);
    return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_line_names_the_program_unless_the_journal_does) {
    const auto act = [] {
        name_this_program("clamscanner-jobd");
        log_line(Severity::Warning, "a line");
    };
    ::unsetenv("JOURNAL_STREAM");
    BOOST_TEST(matches(said_by(act), "clamscanner-jobd\\[[0-9]+\\]: warning: a line\n"));
    ::setenv("JOURNAL_STREAM", "8:1", 1);
    BOOST_TEST(said_by(act) == "<4>a line\n");
}

BOOST_AUTO_TEST_CASE(an_agents_lines_in_the_journal_of_authd_name_it_and_its_account) {
    const auto act = [] {
        name_account_in_log("bob\n<2>");
        name_this_program("clamscanner-agent");
        log_line(Severity::Error, "a line");
    };
    ::setenv("JOURNAL_STREAM", "8:1", 1);
    BOOST_TEST(matches(said_by(act), "<3>clamscanner-agent\\[[0-9]+\\] for bob\\\\x0a<2>: a line\n"));
    ::unsetenv("JOURNAL_STREAM");
    BOOST_TEST(matches(said_by(act), "clamscanner-agent\\[[0-9]+\\] for bob\\\\x0a<2>: error: a line\n"));
}
