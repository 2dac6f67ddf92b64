// Whole jobs of several accounts, with coordinators that ask one registry of known contents: the test acts as jobd, as
// the runners and as the engine.
#pragma once

#include <poll.h>
#include <sys/stat.h>

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "jobs/engine/coordinator.h"
#include "jobs/engine/messages.h"
#include "tests/unit/jobs/engine/known/started_registry.h"

namespace clamscanner {

struct JobsOfAccounts : StartedRegistry {
    struct Result {
        std::set<std::string> infected;
        std::set<std::string> unscanned;
        std::uint64_t files = 0;
        std::uint64_t clean = 0;
        std::uint64_t known = 0;
        ScanProgress progress;
    };
    // A file of an account's, old enough for its verdict to be remembered once wait_until_old() has returned.
    void write(int account, const std::string& name, const std::string& content) const {
        place.write("home" + std::to_string(account) + "/" + name, content);
    }
    static void wait_until_old() { std::this_thread::sleep_for(std::chrono::milliseconds(1200)); }

    // `coordinators`: its connection to a registry, if that is another one than ours.
    Result scan(int number, bool full = false, UniqueFd coordinators = {}) {
        auto [jobd, coordinators_jobd] = socket_pair(SOCK_SEQPACKET);
        auto [runner, coordinators_runner] = socket_pair(SOCK_SEQPACKET);
        if (registry && !coordinators) {
            auto [registrys, ours] = socket_pair(SOCK_SEQPACKET);
            BOOST_REQUIRE(send_message(socket.get(), OpenMeetings{account(number)}, {registrys.get()}) == Sent::Yes);
            coordinators = std::move(ours);
        }
        const auto directory = place.path + "/tmp/job" + std::to_string(++jobs_started);
        std::filesystem::create_directory(directory);
        const pid_t pid = checked(::fork(), "fork a coordinator");
        if (pid == 0) {
            jobd.reset();
            runner.reset();
            try {
                NewJob job;
                job.account = account(number);
                job.full = full;
                Coordinator(config, *engine, jobs, job, directory, "", std::move(coordinators_jobd),
                            std::move(coordinators_runner), -1, std::move(coordinators))
                    .run();
            } catch (const std::exception&) {
                ::_exit(1);
            }
            ::_exit(0);
        }
        const ChildProcess process(pid);
        coordinators_jobd.reset();
        coordinators_runner.reset();
        coordinators.reset();
        hand_over(number, runner);
        return receive(jobd);
    }
    void hand_over(int number, const UniqueFd& runner) const {
        std::uint64_t files = 0;
        const auto home = place.path + "/home" + std::to_string(number);
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(home))
            names.insert(entry.path().filename().string());
        for (const auto& name : names) {
            const UniqueFd file(checked(::open((home + "/" + name).c_str(), O_RDONLY | O_CLOEXEC), "open a file"));
            BOOST_REQUIRE(send_message(runner.get(), HandOverFiles{{name}}, {file.get()}) == Sent::Yes);
            ++files;
        }
        BOOST_REQUIRE(send_message(runner.get(), HandOverEnd{files}) == Sent::Yes);
    }
    static Result receive(const UniqueFd& jobd) {
        Result result;
        Packet packet;
        while (receive_packet(jobd.get(), packet) == Got::Packet) {
            if (is<FoundInfected>(packet.bytes)) result.infected.insert(decode<FoundInfected>(packet.bytes).path);
            if (is<FoundUnscanned>(packet.bytes)) result.unscanned.insert(decode<FoundUnscanned>(packet.bytes).path);
            if (is<ScanProgress>(packet.bytes)) result.progress = decode<ScanProgress>(packet.bytes);
            if (!is<ScanCompleted>(packet.bytes)) continue;
            const auto all = decode<ScanCompleted>(packet.bytes);
            result.files = all.files;
            result.clean = all.clean_files;
            result.known = all.known_files;
            return result;
        }
        BOOST_FAIL("the job was not completed");
        return result;
    }
    // Until the registry answers that a content is to be judged.
    void wait_until_ready() {
        for (int number = 0;; ++number) {
            const auto content = "first content " + std::to_string(number);
            for (int by = 101; by <= 102; ++by) static_cast<void>(Meetings(*this, by).meet(content));
            Meetings meetings(*this, 103);
            if (meetings.meet(content) == Meeting::Send) return;
            BOOST_TEST_REQUIRE(number < 500);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    JobCount jobs;
    int jobs_started = 0;
};

}  // namespace clamscanner
