// What the locked room and the isolation of crashes cost: the same files scanned by as many plain processes, which
// share a list and do nothing but call the library, and by a coordinator with its workers, who are handed each file,
// locked in and tested. Both with signatures loaded once, forked from here, temporary files in memory; in turns, so
// that what else the machine does hits both alike. sandbox_cost SIGNATURES TREE [ROUNDS]
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <new>
#include <thread>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/socket.h"
#include "jobs/engine/coordinator.h"
#include "jobs/engine/messages.h"

namespace clamscanner {
namespace {

using Seconds = std::chrono::duration<double>;

std::vector<std::string> files_below(const std::string& tree) {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(tree))
        if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path());
    return files;
}

template <class Work>
pid_t in_child(Work work) {
    const pid_t pid = checked(::fork(), "fork");
    if (pid != 0) return pid;
    try {
        work();
        ::_exit(0);
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "%s\n", fault.what());
        ::_exit(1);
    }
}

void wait_for(pid_t pid) {
    int status = 0;
    checked(::waitpid(pid, &status, 0), "wait");
    if (status != 0) throw std::runtime_error("a process failed");
}

class Comparison {
 public:
    Comparison(const std::string& signatures, const std::string& tree) : files_(files_below(tree)) {
        config_.paths.run_directory = "/dev/shm/sandbox_cost." + std::to_string(::getpid());
        config_.paths.signature_directory = signatures;
        config_.paths.embedded_signature_directory = EMBEDDED_SIGNATURES;
        config_.engine.scan_workers = std::max(1U, std::thread::hardware_concurrency());
        tmp_ = config_.paths.run_directory + "/engine/tmp";
        std::filesystem::create_directories(tmp_);
        engine_ = std::make_unique<ClamEngine>(config_, tmp_);
        void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) throw_errno("share a counter");
        next_ = new (page) std::atomic<std::size_t>(0);
    }
    ~Comparison() { std::filesystem::remove_all(config_.paths.run_directory); }
    Comparison(const Comparison&) = delete;
    Comparison& operator=(const Comparison&) = delete;

    [[nodiscard]] Seconds bare() {
        const auto begun = Clock::now();
        *next_ = 0;
        std::vector<pid_t> workers;
        for (std::size_t i = 0; i < config_.engine.scan_workers; ++i)
            workers.push_back(in_child([&] {
                const auto directory = config_.paths.run_directory + "/" + std::to_string(i);
                std::filesystem::create_directory(directory);
                engine_->use_temporary_directory(directory);
                for (std::size_t at = (*next_)++; at < files_.size(); at = (*next_)++) {
                    const UniqueFd file(::open(files_[at].c_str(), O_RDONLY | O_CLOEXEC));
                    static_cast<void>(engine_->scan(file.get()));
                }
            }));
        for (const pid_t worker : workers) wait_for(worker);
        return Clock::now() - begun;
    }

    [[nodiscard]] Seconds locked() {
        const auto begun = Clock::now();
        auto [jobd, coordinators_jobd] = socket_pair(SOCK_SEQPACKET);
        auto [runner, coordinators_runner] = socket_pair(SOCK_SEQPACKET);
        const pid_t coordinator = in_child([&] {
            jobd.reset();
            runner.reset();
            Coordinator(config_, *engine_, jobs_, {}, tmp_, "", std::move(coordinators_jobd),
                        std::move(coordinators_runner))
                .run();
        });
        coordinators_jobd.reset();
        coordinators_runner.reset();
        const pid_t walker = in_child([&] {
            jobd.reset();
            for (const auto& path : files_) {
                const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
                static_cast<void>(send_message(runner.get(), HandOverFiles{{path}}, {file.get()}));
            }
            static_cast<void>(send_message(runner.get(), HandOverEnd{files_.size()}));
        });
        Packet packet;
        while (receive_packet(jobd.get(), packet) == Got::Packet && !is<ScanCompleted>(packet.bytes)) continue;
        const Seconds taken = Clock::now() - begun;
        jobd.reset();
        wait_for(walker);
        wait_for(coordinator);
        return taken;
    }

    [[nodiscard]] std::size_t files() const noexcept { return files_.size(); }

 private:
    Settings config_;
    std::vector<std::string> files_;
    std::string tmp_;
    std::unique_ptr<ClamEngine> engine_;
    JobCount jobs_;
    std::atomic<std::size_t>* next_ = nullptr;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace
}  // namespace clamscanner

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: sandbox_cost SIGNATURES TREE [ROUNDS]\n", stderr);
        return 64;
    }
    try {
        clamscanner::Comparison comparison(argv[1], argv[2]);
        const int rounds = argc > 3 ? std::max(1, std::atoi(argv[3])) : 5;
        std::vector<double> bare;
        std::vector<double> locked;
        std::vector<double> ratios;
        static_cast<void>(comparison.bare());  // the page cache
        for (int round = 0; round < rounds; ++round) {
            // Each is first in every other round: a machine that grows slower or faster hits both alike.
            if (round % 2 == 0) bare.push_back(comparison.bare().count());
            locked.push_back(comparison.locked().count());
            if (round % 2 == 1) bare.push_back(comparison.bare().count());
            ratios.push_back(locked.back() / bare.back());
            std::printf("%8.2f s bare %8.2f s in locked rooms, ratio %.3f\n", bare.back(), locked.back(),
                        ratios.back());
        }
        std::printf(
            "%zu files, medians of %d rounds: %.2f s bare, %.2f s in locked rooms, ratio of a round %.3f [<= 1.03]\n",
            comparison.files(), rounds, clamscanner::median(bare), clamscanner::median(locked),
            clamscanner::median(ratios));
        return 0;
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "sandbox_cost: %s\n", fault.what());
        return 70;
    }
}
