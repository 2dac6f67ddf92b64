#include "auth/socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "temporary_directory.h"

using namespace clamscanner;
using namespace std::chrono_literals;

namespace {

Deadline soon() {
    return Clock::now() + 5s;
}

bool is_close_on_exec(int fd) {
    return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

void send_raw(int socket, const std::string& bytes) {
    BOOST_REQUIRE(::send(socket, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_packet_arrives_with_its_descriptors) {
    const auto [here, there] = socket_pair(SOCK_SEQPACKET);
    const auto [reading, writing] = socket_pair(SOCK_STREAM);
    BOOST_TEST((send_packet(here.get(), "hello", {writing.get()}) == Sent::Yes));
    Packet packet;
    BOOST_TEST((receive_packet(there.get(), packet) == Got::Packet));
    BOOST_TEST(packet.bytes == "hello");
    const auto passed = packet.only_descriptor();
    BOOST_TEST(is_close_on_exec(passed.get()));
    send_raw(passed.get(), "!");
    char byte = 0;
    BOOST_TEST(::read(reading.get(), &byte, 1) == 1);
}

BOOST_AUTO_TEST_CASE(a_packet_without_its_one_descriptor_is_malformed) {
    Packet packet;
    BOOST_CHECK_THROW((void)packet.only_descriptor(), Malformed);
    packet.descriptors.emplace_back(::dup(0));
    packet.descriptors.emplace_back(::dup(0));
    BOOST_CHECK_THROW((void)packet.only_descriptor(), Malformed);
}

BOOST_AUTO_TEST_CASE(a_cut_packet_is_malformed) {
    const auto [here, there] = socket_pair(SOCK_SEQPACKET);
    send_raw(here.get(), std::string(largest_packet + 1, 'x'));
    Packet packet;
    BOOST_CHECK_THROW((void)receive_packet(there.get(), packet), Malformed);
}

BOOST_AUTO_TEST_CASE(more_descriptors_than_expected_are_malformed_and_closed) {
    const auto [here, there] = socket_pair(SOCK_SEQPACKET);
    const auto [one, other] = socket_pair(SOCK_STREAM);
    char control[CMSG_SPACE(6 * sizeof(int))]{};
    iovec part{const_cast<char*>("x"), 1};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(6 * sizeof(int));
    for (std::size_t i = 0; i < 6; ++i) {
        const int fd = one.get();
        std::copy_n(reinterpret_cast<const unsigned char*>(&fd), sizeof fd, CMSG_DATA(rights) + i * sizeof fd);
    }
    BOOST_REQUIRE(::sendmsg(here.get(), &header, 0) == 1);
    {
        Packet packet;
        BOOST_CHECK_THROW((void)receive_packet(there.get(), packet), Malformed);
    }
    ::shutdown(one.get(), SHUT_WR);
    char byte = 0;
    BOOST_TEST(::read(other.get(), &byte, 1) == 0);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_peer_shows_on_both_ways) {
    auto [here, there] = socket_pair(SOCK_SEQPACKET);
    set_blocking(here.get(), false);
    Packet packet;
    BOOST_TEST((receive_packet(here.get(), packet) == Got::WouldBlock));
    there.reset();
    BOOST_TEST((receive_packet(here.get(), packet) == Got::PeerGone));
    BOOST_TEST((send_packet(here.get(), "x") == Sent::PeerGone));
}

BOOST_AUTO_TEST_CASE(a_listener_has_its_mode_and_replaces_a_dead_socket_only) {
    const TemporaryDirectory directory;
    const auto path = directory.path + "/socket";
    struct stat status {};
    {
        const auto first = listen_at(path, SOCK_SEQPACKET, 0660);
        BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
        BOOST_TEST((status.st_mode & 07777) == 0660U);
        BOOST_CHECK_THROW((void)listen_at(path, SOCK_SEQPACKET, 0660), std::system_error);
    }
    const auto second = listen_at(path, SOCK_SEQPACKET, 0600);
    BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777) == 0600U);

    const auto asking = connect_to(path, SOCK_SEQPACKET);
    const auto answering = accept_from(second.get());
    BOOST_REQUIRE(static_cast<bool>(answering));
    BOOST_TEST(is_close_on_exec(answering.get()));
    BOOST_TEST(peer_of(answering.get()).uid == ::getuid());
    BOOST_TEST(!accept_from(second.get()));
}

BOOST_AUTO_TEST_CASE(a_listener_does_not_remove_what_is_no_socket) {
    const TemporaryDirectory directory;
    directory.write("file", "content");
    BOOST_CHECK_THROW((void)listen_at(directory.path + "/file", SOCK_SEQPACKET, 0600), std::system_error);
    BOOST_TEST(directory.read("file") == "content");
}

BOOST_AUTO_TEST_CASE(a_frame_larger_than_the_socket_buffer_arrives_whole) {
    const auto [here, there] = socket_pair(SOCK_STREAM);
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
    const auto [here, there] = socket_pair(SOCK_STREAM);
    send_raw(here.get(), std::string("\x05\x00\x00\x00", 4));
    std::string got;
    BOOST_CHECK_THROW((void)read_frame(there.get(), got, 4, soon()), Malformed);
}

BOOST_AUTO_TEST_CASE(a_frame_that_does_not_come_ends_at_the_deadline_or_with_the_peer) {
    auto [here, there] = socket_pair(SOCK_STREAM);
    std::string got;
    send_raw(here.get(), std::string("\x05\x00\x00\x00half", 8));
    BOOST_TEST((read_frame(there.get(), got, 100, Clock::now() + 20ms) == Transfer::TimedOut));
    here.reset();
    BOOST_TEST((read_frame(there.get(), got, 100, soon()) == Transfer::PeerGone));
}

BOOST_AUTO_TEST_CASE(frames_come_out_of_whatever_pieces_they_came_in) {
    const auto [here, there] = socket_pair(SOCK_STREAM);
    const std::string stream("\x03\x00\x00\x00one\x00\x00\x00\x00\x05\x00\x00\x00three", 20);
    FrameReader frames(100);
    std::vector<std::string> got;
    for (const char byte : stream) {
        send_raw(here.get(), std::string(1, byte));
        BOOST_REQUIRE((frames.read_from(there.get()) == Got::Packet));
        while (auto frame = frames.next()) got.push_back(*frame);
    }
    BOOST_TEST(got == (std::vector<std::string>{"one", "", "three"}), boost::test_tools::per_element());
    BOOST_TEST((frames.read_from(there.get()) == Got::WouldBlock));
}

BOOST_AUTO_TEST_CASE(a_second_frame_over_the_limit_is_malformed_too) {
    const auto [here, there] = socket_pair(SOCK_STREAM);
    FrameReader frames(3);
    send_raw(here.get(), std::string("\x03\x00\x00\x00one\x04\x00\x00\x00", 11));
    BOOST_REQUIRE((frames.read_from(there.get()) == Got::Packet));
    BOOST_TEST(frames.next().value() == "one");
    BOOST_CHECK_THROW((void)frames.next(), Malformed);
}

BOOST_AUTO_TEST_CASE(a_frame_writer_keeps_what_the_peer_does_not_take_yet) {
    auto [here, there] = socket_pair(SOCK_STREAM);
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
