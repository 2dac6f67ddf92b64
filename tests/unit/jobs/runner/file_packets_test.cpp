#define BOOST_TEST_MODULE file_packets
#include "jobs/runner/file_packets.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "jobs/engine/messages.h"
#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

// As a runner does when it starts.
struct RaisedLimit {
    RaisedLimit() {
        rlimit files{};
        checked(::getrlimit(RLIMIT_NOFILE, &files), "ask for the limit of descriptors");
        files.rlim_cur = files.rlim_max;
        checked(::setrlimit(RLIMIT_NOFILE, &files), "raise the limit of descriptors");
    }
};

struct Place : RaisedLimit {
    Place() { set_blocking(sockets.second.get(), false); }

    [[nodiscard]] UniqueFd opened(const std::string& content) const {
        directory.write("file", content);
        return UniqueFd(checked(::open((directory.path + "/file").c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
    }
    // The paths of the next packet, with the content of the file that came with each; empty when none has come.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> next() const {
        Packet packet;
        if (receive_packet(sockets.second.get(), packet) != Got::Packet) return {};
        const auto files = decode<HandOverFiles>(packet.bytes);
        BOOST_REQUIRE(files.paths.size() == packet.descriptors.size());
        std::vector<std::pair<std::string, std::string>> got;
        for (std::size_t i = 0; i < files.paths.size(); ++i) {
            char content[16];
            const auto size = checked(::pread(packet.descriptors[i].get(), content, sizeof content, 0), "read");
            got.emplace_back(files.paths[i], std::string(content, static_cast<std::size_t>(size)));
        }
        return got;
    }

    TemporaryDirectory directory;
    std::pair<UniqueFd, UniqueFd> sockets = socket_pair(SOCK_SEQPACKET);
    FilePackets packets{sockets.first.get()};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_first_go_one_by_one_and_later_ones_together, Place) {
    constexpr std::size_t all = 3 * most_descriptors + 1;
    for (std::size_t i = 0; i < all; ++i) {
        const auto number = std::to_string(i);
        std::filesystem::remove(directory.path + "/file");
        BOOST_REQUIRE(packets.add("/home/" + number, opened(number)));
    }
    std::size_t taken = 0;
    const auto expect = [&](std::size_t together) {
        const auto files = next();
        BOOST_TEST_REQUIRE(files.size() == together);
        for (const auto& [path, content] : files) {
            BOOST_TEST(path == "/home/" + std::to_string(taken));
            BOOST_TEST(content == std::to_string(taken++));
        }
    };
    for (std::size_t i = 0; i < most_descriptors; ++i) expect(1);
    expect(most_descriptors);
    expect(most_descriptors);
    expect(0);
    BOOST_TEST(packets.send());
    expect(1);
    BOOST_TEST(packets.send());  // there is nothing to send
    expect(0);
}

BOOST_FIXTURE_TEST_CASE(a_packet_holds_whatever_paths_there_are, Place) {
    const std::string longest(longest_path, 'p');
    std::size_t taken = 0;
    for (std::size_t i = 0; i < 2 * most_descriptors; ++i) {
        // Short and long ones in turn, so that each meets the other.
        BOOST_REQUIRE(packets.add(i % 2 == 0 ? "/short" : longest, opened("")));
        for (auto files = next(); !files.empty(); files = next()) taken += files.size();
    }
    BOOST_TEST(packets.send());
    taken += next().size();
    BOOST_TEST(taken == 2 * most_descriptors);
}

// Of a user who may have few open, since authd was started so: the kernel limits what is under way by that, except for
// root's.
BOOST_FIXTURE_TEST_CASE(no_more_are_under_way_than_the_user_may_have, Place) {
    constexpr std::size_t many = 5000;
    constexpr rlimit few{1024, 1024};
    constexpr uid_t nobody = 65534;
    directory.write("file", "x");
    const pid_t pid = checked(::fork(), "fork a runner");
    if (pid == 0) {
        sockets.second.reset();
        bool right = ::setrlimit(RLIMIT_NOFILE, &few) == 0;
        if (::geteuid() == 0) right = right && ::setresuid(nobody, nobody, nobody) == 0;
        FilePackets limited(sockets.first.get());
        for (std::size_t i = 0; i < many; ++i) right = right && limited.add("/f", UniqueFd(::dup(directory.fd.get())));
        ::_exit(right && limited.send() ? 0 : 1);
    }
    const ChildProcess runner(pid);
    sockets.first.reset();
    // By now it waits.
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    set_blocking(sockets.second.get(), true);
    std::size_t taken = 0;
    Packet packet;
    while (receive_packet(sockets.second.get(), packet) == Got::Packet) taken += packet.descriptors.size();
    BOOST_TEST(taken == many);
}

BOOST_FIXTURE_TEST_CASE(a_coordinator_that_is_gone_is_reported, Place) {
    sockets.second.reset();
    BOOST_TEST(!packets.add("/home/file", opened("")));
}
