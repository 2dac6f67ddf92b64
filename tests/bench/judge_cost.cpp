// What a judgement of its own costs beyond the scan of a content (jobs/engine/known/judge.h): processor time of the
// same contents scanned by one plain process that only calls the library, and judged each by a process of its own.
// judge_cost SIGNATURES TREE [FILES [AT_ONCE]]
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/socket.h"
#include "jobs/engine/clam_engine.h"
#include "jobs/engine/huge_pages.h"
#include "jobs/engine/known/judge.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/known/registry.h"
#include "jobs/engine/known/sealed_copy.h"

namespace clamscanner {
namespace {

double children_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

template <class Work>
double seconds_of(Work work) {
    const auto before = children_seconds();
    const pid_t pid = checked(::fork(), "fork");
    if (pid == 0) {
        work();
        ::_exit(0);
    }
    int status = 0;
    checked(::waitpid(pid, &status, 0), "wait");
    if (status != 0) throw std::runtime_error("a process failed");
    return children_seconds() - before;
}

std::vector<UniqueFd> copies_of(const std::string& tree, std::size_t most) {
    std::vector<UniqueFd> copies;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(tree)) {
        if (!entry.is_regular_file() || entry.is_symlink() || copies.size() >= most) continue;
        const UniqueFd file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
        if (auto copy = sealed_copy(file.get(), most_known_bytes)) copies.push_back(std::move(copy->file));
    }
    return copies;
}

void measure(const std::string& signatures, const std::string& tree, std::size_t most, std::size_t at_once) {
    const auto place = "/dev/shm/judge_cost." + std::to_string(::getpid());
    std::filesystem::create_directories(place + "/judge");
    Settings config;
    config.paths.signature_directory = signatures;
    config.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
    ClamEngine engine(config, place);
    HugePages pages;
    while (pages.move_some()) {
    }
    const auto copies = copies_of(tree, most);
    const auto scanned = seconds_of([&] {
        engine.use_temporary_directory(place);
        for (const auto& copy : copies) static_cast<void>(engine.scan(copy.get()));
    });
    auto [ours, judges] = socket_pair(SOCK_SEQPACKET);
    int clean = 0;
    const auto judged = seconds_of([&] {
        const pid_t pid = checked(::fork(), "fork");
        if (pid == 0) run_judge(config, engine, {engine.fingerprint(), {}}, place + "/judge", std::move(judges));
        judges.reset();
        Packet packet;
        static_cast<void>(receive_packet(ours.get(), packet));
        std::size_t sent = 0;
        const auto send_next = [&] {
            if (sent < copies.size())
                static_cast<void>(send_message(ours.get(), JudgeContent{1}, {copies[sent].get()}));
            ++sent;
        };
        for (std::size_t i = 0; i < at_once; ++i) send_next();
        for (std::size_t i = 0; i < copies.size(); ++i) {
            static_cast<void>(receive_packet(ours.get(), packet));
            clean += decode<Judgement>(packet.bytes).judged_as == JudgedAs::Clean ? 1 : 0;
            send_next();
        }
        ::shutdown(ours.get(), SHUT_RDWR);  // our parent has a copy
        int status = 0;
        ::waitpid(pid, &status, 0);
        std::printf("%d of %zu are clean\n", clean, copies.size());
        std::fflush(stdout);
    });
    std::filesystem::remove_all(place);
    const auto each = 1000 / static_cast<double>(copies.size());
    std::printf(
        "%u signatures, %zu MiB in huge pages; of each content: %.2f ms to scan, %.2f ms beyond that to judge\n",
        engine.signatures(), pages.moved_bytes() >> 20, scanned * each, (judged - scanned) * each);
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: judge_cost SIGNATURES TREE [FILES [AT_ONCE]]\n", stderr);
        return 64;
    }
    try {
        clamscanner::measure(argv[1], argv[2], argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 500,
                             argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 1);
        return 0;
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "judge_cost: %s\n", fault.what());
        return 70;
    }
}
