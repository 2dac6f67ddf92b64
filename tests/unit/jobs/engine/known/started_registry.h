// A registry of known contents and a judge with the real libclamav and the test signatures, for tests that act as the
// engine and as coordinators. The processes end with it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/base/child_process.h"
#include "auth/base/sha256.h"
#include "auth/base/socket.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/known/judge.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/known/registry.h"
#include "jobs/engine/known/sealed_copy.h"
#include "tests/unit/eicar.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {

inline std::vector<pid_t> children_of(pid_t parent) {
    const auto pid = std::to_string(parent);
    std::ifstream list("/proc/" + pid + "/task/" + pid + "/children");
    return {std::istream_iterator<pid_t>(list), {}};
}

struct StartedRegistry {
    StartedRegistry() {
        for (const char* name : {"/tmp", "/memory", "/no_signatures"})
            std::filesystem::create_directory(place.path + name);
        config.paths.signature_directory = place.path + "/no_signatures";
        config.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
        config.engine.memory_directory = place.path + "/memory";
        config.engine.scan_workers = 2;
    }
    // Keeps in a child only the one descriptor.
    template <class Work>
    static ChildProcess in_child(UniqueFd socket, Work work) {
        const pid_t pid = checked(::fork(), "fork");
        if (pid != 0) return ChildProcess(pid);
        work(std::move(socket));
        ::_exit(1);
    }
    void load() { engine = std::make_unique<ClamEngine>(config, place.path + "/tmp"); }
    void start_registry() {
        auto [ours, theirs] = socket_pair(SOCK_SEQPACKET);
        socket = std::move(ours);
        registry = in_child(std::move(theirs), [&](UniqueFd end) {
            socket.reset();
            run_registry(config, std::move(end));
        });
    }
    void start_judge() {
        auto [registrys, judges] = socket_pair(SOCK_SEQPACKET);
        BOOST_REQUIRE(send_message(socket.get(), OpenJudge{}, {registrys.get()}) == Sent::Yes);
        registrys.reset();
        judges_connection = UniqueFd(checked(::fcntl(judges.get(), F_DUPFD_CLOEXEC, 0), "keep a judge's connection"));
        start_judge_at(std::move(judges));
    }
    // One that takes the place of the judge that ended.
    void start_another_judge() {
        start_judge_at(UniqueFd(checked(::fcntl(judges_connection.get(), F_DUPFD_CLOEXEC, 0), "copy a connection")));
    }
    void end_judge() {
        judge = ChildProcess();
        judges_connection.reset();
    }
    void start_judge_at(UniqueFd connection) {
        const auto directory = place.path + "/tmp/judge" + std::to_string(++judges_started);
        std::filesystem::create_directory(directory);
        judge = in_child(std::move(connection), [&](UniqueFd end) {
            socket.reset();
            judges_connection.reset();
            run_judge(config, *engine, {engine->fingerprint(), {}}, directory, std::move(end));
        });
    }
    void start() {
        load();
        start_registry();
        start_judge();
    }
    static std::string account(int number) { return sha256_hex("account " + std::to_string(number)); }

    TemporaryDirectory place;
    Settings config;
    std::unique_ptr<ClamEngine> engine;
    UniqueFd socket;
    ChildProcess registry;
    ChildProcess judge;
    UniqueFd judges_connection;  // a copy
    int judges_started = 0;
};

// As the coordinator of one job.
class Meetings {
 public:
    // `room`: what fits into its socket unread, in bytes; the kernel takes at least some thousand.
    Meetings(StartedRegistry& started, int account, std::string fingerprint = {}, int room = 1 << 18) {
        auto [registrys, ours] = socket_pair(SOCK_SEQPACKET);
        checked(::setsockopt(registrys.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room), "size a buffer");
        BOOST_REQUIRE(send_message(started.socket.get(), OpenMeetings{StartedRegistry::account(account)},
                                   {registrys.get()}) == Sent::Yes);
        socket_ = std::move(ours);
        if (fingerprint.empty()) fingerprint = started.engine->fingerprint();
        BOOST_REQUIRE(send_message(socket_.get(), BeginMeetings{std::move(fingerprint)}) == Sent::Yes);
    }
    [[nodiscard]] Meeting meet(const std::string& content) { return meet_hash(sha256_hex(content), content.size()); }
    [[nodiscard]] Meeting meet_hash(const std::string& sha256, std::uint64_t size) {
        BOOST_REQUIRE(send_message(socket_.get(), MeetContents{{{++token_, size, sha256}}}) == Sent::Yes);
        const auto met = receive<ContentsMet>();
        BOOST_REQUIRE(met.answers.size() == 1U);
        BOOST_REQUIRE(met.answers[0].token == token_);
        return met.answers[0].meeting;
    }
    // For the content that was met last.
    void send_copy(const std::string& content) {
        const UniqueFd file(checked(::memfd_create("content", MFD_CLOEXEC), "make a content"));
        BOOST_REQUIRE(::write(file.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
        const auto copy = sealed_copy(file.get(), most_known_bytes);
        send_file(copy->file.get());
    }
    void send_file(int fd) { BOOST_REQUIRE(send_message(socket_.get(), ContentToJudge{token_}, {fd}) == Sent::Yes); }
    void send_nothing() { BOOST_REQUIRE(send_message(socket_.get(), ContentToJudge{token_}) == Sent::Yes); }
    [[nodiscard]] bool is_known() { return receive<ContentJudged>().known; }
    // All of them are to be judged. Returns the first one's token.
    std::uint64_t open_cases(const std::vector<std::string>& contents) {
        MeetContents met;
        for (const auto& content : contents) met.contents.push_back({++token_, content.size(), sha256_hex(content)});
        BOOST_REQUIRE(send_message(socket_.get(), std::move(met)) == Sent::Yes);
        for (const auto& answer : receive<ContentsMet>().answers) BOOST_REQUIRE((answer.meeting == Meeting::Send));
        return token_ - contents.size() + 1;
    }
    // Without waiting for what becomes of them.
    void send_copies(const std::vector<std::string>& contents, std::uint64_t token) {
        for (const auto& content : contents) {
            const auto copy = sealed_file(content);
            BOOST_REQUIRE(send_message(socket_.get(), ContentToJudge{token++}, {copy.get()}) == Sent::Yes);
        }
    }
    // Whether an answer has come.
    [[nodiscard]] bool has_been_told() const {
        pollfd watched{socket_.get(), POLLIN, 0};
        return ::poll(&watched, 1, 0) == 1;
    }
    [[nodiscard]] bool judge(const std::string& content) {
        BOOST_REQUIRE((meet(content) == Meeting::Send));
        send_copy(content);
        return is_known();
    }
    void close() { socket_.reset(); }

 private:
    template <class Message>
    Message receive() {
        Packet packet;
        BOOST_REQUIRE(receive_packet(socket_.get(), packet) == Got::Packet);
        return decode<Message>(packet.bytes);
    }
    UniqueFd socket_;
    std::uint64_t token_ = 0;
};

}  // namespace clamscanner
