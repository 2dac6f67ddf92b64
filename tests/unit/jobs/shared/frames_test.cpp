#include "jobs/shared/frames.h"

#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

Deadline soon() {
    return Clock::now() + 5s;
}

void send_raw(int socket, const std::string& bytes) {
    BOOST_REQUIRE(::send(socket, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
}

std::pair<UniqueFd, UniqueFd> stream() {
    auto ends = socket_pair(SOCK_STREAM);
    set_blocking(ends.first.get(), false);
    set_blocking(ends.second.get(), false);
    ::signal(SIGPIPE, SIG_IGN);
    return ends;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_frame_larger_than_the_socket_buffer_arrives_whole) {
    const auto [here, there] = stream();
    const std::string sent(3'000'000, 'f');
    auto written = Transfer::TimedOut;
    std::thread writer([&, fd = here.get()] { written = write_frame(fd, sent, soon()); });
    std::string got;
    BOOST_TEST((read_frame(there.get(), got, sent.size(), soon()) == Transfer::Done));
    writer.join();
    BOOST_TEST((written == Transfer::Done));
    BOOST_TEST((got == sent));
}

BOOST_AUTO_TEST_CASE(a_frame_announced_over_the_limit_is_malformed) {
    const auto [here, there] = stream();
    send_raw(here.get(), std::string("\x05\x00\x00\x00", 4));
    std::string got;
    BOOST_CHECK_THROW((void)read_frame(there.get(), got, 4, soon()), Malformed);
}

BOOST_AUTO_TEST_CASE(reading_ends_at_the_deadline_or_when_the_peer_closes) {
    auto [here, there] = stream();
    std::string got;
    send_raw(here.get(), std::string("\x05\x00\x00\x00half", 8));
    BOOST_TEST((read_frame(there.get(), got, 100, Clock::now() + 20ms) == Transfer::TimedOut));
    here.reset();
    BOOST_TEST((read_frame(there.get(), got, 100, soon()) == Transfer::PeerGone));
}

BOOST_AUTO_TEST_CASE(frames_are_reassembled_from_any_pieces) {
    const auto [here, there] = stream();
    const std::string bytes("\x03\x00\x00\x00one\x00\x00\x00\x00\x05\x00\x00\x00three", 20);
    FrameReader frames(100);
    std::vector<std::string> got;
    for (const char byte : bytes) {
        send_raw(here.get(), std::string(1, byte));
        BOOST_REQUIRE((frames.read_from(there.get()) == Got::Packet));
        while (auto frame = frames.next()) got.push_back(*frame);
    }
    BOOST_TEST(got == (std::vector<std::string>{"one", "", "three"}), boost::test_tools::per_element());
    BOOST_TEST((frames.read_from(there.get()) == Got::WouldBlock));
}

BOOST_AUTO_TEST_CASE(a_second_frame_over_the_limit_is_malformed_too) {
    const auto [here, there] = stream();
    FrameReader frames(3);
    send_raw(here.get(), std::string("\x03\x00\x00\x00one\x04\x00\x00\x00", 11));
    BOOST_REQUIRE((frames.read_from(there.get()) == Got::Packet));
    BOOST_TEST(frames.next().value() == "one");
    BOOST_CHECK_THROW((void)frames.next(), Malformed);
}

BOOST_AUTO_TEST_CASE(a_frame_writer_buffers_what_the_peer_does_not_read_yet) {
    auto [here, there] = stream();
    FrameWriter writer;
    const std::string body(2'000'000, 'w');
    writer.add(body);
    writer.add("end");
    BOOST_TEST((writer.write_to(here.get()) == Sent::WouldBlock));
    BOOST_TEST(!writer.empty());
    FrameReader reader(body.size());
    std::vector<std::string> got;
    while (got.size() < 2) {
        BOOST_REQUIRE((reader.read_from(there.get()) == Got::Packet));
        while (auto frame = reader.next()) got.push_back(*frame);
        BOOST_REQUIRE((writer.write_to(here.get()) != Sent::PeerGone));
    }
    BOOST_TEST(writer.empty());
    BOOST_TEST((got[0] == body));
    BOOST_TEST(got[1] == "end");
    there.reset();
    writer.add("nobody hears it");
    BOOST_TEST((writer.write_to(here.get()) == Sent::PeerGone));
}

BOOST_AUTO_TEST_CASE(a_stranger_passes_no_descriptors_along) {
    const auto [here, there] = stream();
    FrameReader reader(100);
    BOOST_TEST((reader.read_from_stranger(there.get()) == Got::WouldBlock));
    send_raw(here.get(), std::string("\3\0\0\0abc", 7));
    // The descriptor comes behind it, in bytes that one read would take, too.
    BOOST_TEST((send_packet(here.get(), "more", {here.get()}) == Sent::Yes));
    BOOST_CHECK_THROW(static_cast<void>(reader.read_from_stranger(there.get())), Malformed);
    BOOST_TEST(reader.empty());

    const auto [ours, theirs] = stream();
    send_raw(ours.get(), std::string("\3\0\0\0abc", 7));
    BOOST_TEST((reader.read_from_stranger(theirs.get()) == Got::Packet));
    BOOST_TEST(reader.next().value_or("") == "abc");
    BOOST_TEST((reader.read_from_stranger(theirs.get()) == Got::WouldBlock));
}
