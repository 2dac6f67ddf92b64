// A program of the product, started for a test: in a directory of its own under /tmp, with a configuration; waits until
// the program is ready. As nobody when the tests run as root, since these programs refuse to be root.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/child_process.h"
#include "auth/base/event_loop.h"
#include "auth/base/socket.h"

namespace clamscanner {

inline constexpr uid_t nobody = 65534;

// As whom they run.
inline std::string user_of_programs() {
    const auto* entry = ::getpwuid(::getuid() == 0 ? nobody : ::getuid());
    if (entry == nullptr) throw_errno("look up the user of the test's programs", ENOENT);
    return entry->pw_name;
}

class TestDirectory {
 public:
    TestDirectory() {
        if (::mkdtemp(path_.data()) == nullptr) throw_errno("make a test's directory");
        checked(::chmod(path_.c_str(), 0755), "open a test's directory");
        if (::getuid() == 0) checked(::chown(path_.c_str(), nobody, nobody), "give a test's directory away");
    }
    TestDirectory(const TestDirectory&) = delete;
    TestDirectory& operator=(const TestDirectory&) = delete;
    ~TestDirectory() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
    std::string path_ = "/tmp/clamscanner-test-XXXXXX";
};

class StartedProgram {
 public:
    struct Start {
        std::string program;
        std::string config_file;
        std::vector<std::pair<int, int>> descriptors;  // ours, and the number it has there
        std::vector<std::string> environment;
        bool handed_over_by_systemd = false;  // descriptor 3 is named "fcgi"
        bool as_root = false;
        std::vector<std::string> arguments;  // after --config and its file, if there is one
    };

    // Forks; the program is opened before root is given up, as its directory may be closed to others.
    explicit StartedProgram(const Start& start) {
        const UniqueFd image(checked(::open(start.program.c_str(), O_RDONLY | O_CLOEXEC), "open a program"));
        const pid_t pid = checked(::fork(), "fork");
        if (pid == 0) become(start, image.get());
        process_ = ChildProcess(pid);
    }

    [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
    void signal(int number) const { checked(::kill(process_.pid(), number), "signal a program"); }
    Ending wait() { return process_.wait(); }

 private:
    [[noreturn]] static void become(const Start& start, int image) {
        reset_signals();
        for (const auto& [ours, theirs] : start.descriptors) {
            if (ours == theirs) ::fcntl(ours, F_SETFD, 0);
            if (::dup2(ours, theirs) < 0) ::_exit(126);
        }
        if (::getuid() == 0 && !start.as_root &&
            (::setgroups(0, nullptr) != 0 || ::setresgid(nobody, nobody, nobody) != 0 ||
             ::setresuid(nobody, nobody, nobody) != 0))
            ::_exit(126);
        auto environment = start.environment;
        if (start.handed_over_by_systemd) {
            environment.push_back("LISTEN_PID=" + std::to_string(::getpid()));
            environment.insert(environment.end(), {"LISTEN_FDS=1", "LISTEN_FDNAMES=fcgi"});
        }
        std::vector<char*> variables;
        for (auto& variable : environment) variables.push_back(variable.data());
        variables.push_back(nullptr);
        std::vector<std::string> arguments = {"program", "--config", start.config_file};
        if (start.config_file.empty()) arguments.resize(1);
        arguments.insert(arguments.end(), start.arguments.begin(), start.arguments.end());
        std::vector<char*> words;
        for (auto& argument : arguments) words.push_back(argument.data());
        words.push_back(nullptr);
        ::fexecve(image, words.data(), variables.data());
        ::_exit(127);
    }
    ChildProcess process_;
};

// The socket that NOTIFY_SOCKET names, where a program reports that it is ready.
class ReadySocket {
 public:
    explicit ReadySocket(const std::string& path)
        : path_(path), socket_(checked(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "make a socket")) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        checked(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind a socket");
        checked(::chmod(path.c_str(), 0666), "open a socket to the program");
        const timeval limit{30, 0};
        checked(::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), "limit a wait");
    }
    [[nodiscard]] std::string variable() const { return "NOTIFY_SOCKET=" + path_; }
    // Waits for the next report.
    [[nodiscard]] std::string next() const {
        char word[64];
        const auto got = checked(::recv(socket_.get(), word, sizeof word, 0), "wait for a program");
        return {word, static_cast<std::size_t>(got)};
    }

 private:
    std::string path_;
    UniqueFd socket_;
};

}  // namespace clamscanner
