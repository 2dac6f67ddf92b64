#include "auth/base/socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "tests/unit/temporary_directory.h"

using namespace clamscanner;

namespace {

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

BOOST_AUTO_TEST_CASE(a_truncated_packet_is_malformed) {
    const auto [here, there] = socket_pair(SOCK_SEQPACKET);
    send_raw(here.get(), std::string(largest_packet + 1, 'x'));
    Packet packet;
    BOOST_CHECK_THROW((void)receive_packet(there.get(), packet), Malformed);
}

BOOST_AUTO_TEST_CASE(more_descriptors_than_expected_are_malformed_and_closed) {
    const auto [here, there] = socket_pair(SOCK_SEQPACKET);
    const auto [one, other] = socket_pair(SOCK_STREAM);
    char control[CMSG_SPACE((most_descriptors + 2) * sizeof(int))]{};
    iovec part{const_cast<char*>("x"), 1};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN((most_descriptors + 2) * sizeof(int));
    for (std::size_t i = 0; i < most_descriptors + 2; ++i) {
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

BOOST_AUTO_TEST_CASE(a_gone_peer_is_noticed_in_sending_and_in_receiving) {
    auto [here, there] = socket_pair(SOCK_SEQPACKET);
    set_blocking(here.get(), false);
    Packet packet;
    BOOST_TEST((receive_packet(here.get(), packet) == Got::WouldBlock));
    there.reset();
    BOOST_TEST((receive_packet(here.get(), packet) == Got::PeerGone));
    BOOST_TEST((send_packet(here.get(), "x") == Sent::PeerGone));
}

BOOST_AUTO_TEST_CASE(the_last_words_of_a_peer_that_did_not_read_all_are_received) {
    auto [here, there] = socket_pair(SOCK_SEQPACKET);
    BOOST_TEST((send_packet(here.get(), "unread") == Sent::Yes));
    BOOST_TEST((send_packet(there.get(), "why it ends") == Sent::Yes));
    there.reset();
    Packet packet;
    BOOST_TEST((receive_packet(here.get(), packet) == Got::Packet));
    BOOST_TEST(packet.bytes == "why it ends");
    BOOST_TEST((receive_packet(here.get(), packet) == Got::PeerGone));
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

BOOST_AUTO_TEST_CASE(a_listener_that_lets_nobody_in_keeps_nobody_waiting_for_long) {
    const TemporaryDirectory directory;
    const auto path = directory.path + "/socket";
    const auto listener = listen_at(path, SOCK_SEQPACKET, 0600);
    BOOST_REQUIRE(::listen(listener.get(), 0) == 0);
    std::vector<UniqueFd> queue;
    const auto fill = [&] {
        while (queue.size() < 100) queue.push_back(connect_at_once(path, SOCK_SEQPACKET));
    };
    const auto is_full = [](const std::system_error& fault) { return fault.code().value() == EAGAIN; };
    BOOST_CHECK_EXCEPTION(fill(), std::system_error, is_full);
    BOOST_TEST((::fcntl(queue.front().get(), F_GETFL) & O_NONBLOCK) != 0);
    const auto begun = Clock::now();
    BOOST_CHECK_EXCEPTION(static_cast<void>(connect_to(path, SOCK_SEQPACKET, std::chrono::milliseconds(200))),
                          std::system_error, is_full);
    BOOST_TEST((Clock::now() - begun >= std::chrono::milliseconds(150)));
    BOOST_TEST((Clock::now() - begun < std::chrono::seconds(5)));
}

BOOST_AUTO_TEST_CASE(a_listener_may_be_for_one_other_user_alone) {
    const TemporaryDirectory directory;
    const auto path = directory.path + "/socket";
    const auto listener = listen_at(path, SOCK_SEQPACKET, 0600);
    if (!permit_only(path, ::getuid() + 1)) {
        BOOST_TEST_MESSAGE("skipped: there are no access lists in " << directory.path);
        return;
    }
    struct stat status {};
    BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 0007) == 0U);  // of the others; the group's bits are the list's mask
    BOOST_TEST(static_cast<bool>(connect_to(path, SOCK_SEQPACKET)));
}

BOOST_AUTO_TEST_CASE(a_listener_does_not_remove_a_file_that_is_not_a_socket) {
    const TemporaryDirectory directory;
    directory.write("file", "content");
    BOOST_CHECK_THROW((void)listen_at(directory.path + "/file", SOCK_SEQPACKET, 0600), std::system_error);
    BOOST_TEST(directory.read("file") == "content");
}

BOOST_AUTO_TEST_CASE(a_connection_that_fails_says_where_to_and_what_to_look_at) {
    const TemporaryDirectory directory;
    const auto path = directory.path + "/socket";
    const auto says = [&](const char* advice) {
        return [&path, advice](const std::system_error& fault) {
            const std::string said = fault.what();
            return said.find(path) != std::string::npos && said.find(advice) != std::string::npos;
        };
    };
    BOOST_CHECK_EXCEPTION(static_cast<void>(connect_at_once(path, SOCK_STREAM)), std::system_error,
                          says("is its daemon running?"));
    const auto listener = listen_at(path, SOCK_STREAM, 0);
    if (::geteuid() != 0)  // root may connect all the same
        BOOST_CHECK_EXCEPTION(static_cast<void>(connect_at_once(path, SOCK_STREAM)), std::system_error,
                              says("responder.users"));
}
