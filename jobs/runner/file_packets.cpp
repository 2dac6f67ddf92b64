#include "jobs/runner/file_packets.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "auth/base/checked.h"
#include "jobs/engine/messages.h"

namespace clamscanner {
namespace {

// As many as a packet may carry: a start that begins with the packet in which opening a file took for ever reaches it.
constexpr std::size_t sent_one_by_one = most_descriptors;
// So that a packet is not too long whatever the next path is.
constexpr std::size_t most_bytes = longest_path;
static_assert(most_bytes + longest_path + 1024 <= largest_packet);
// What sockets have by default, where no administrator has raised that: the kernel doubles the figure. A packet takes
// at least 768 bytes of it (Linux 6.18).
constexpr int buffer_bytes = 104 * 1024;
constexpr std::size_t most_packets_under_way = 2 * buffer_bytes / 768;

// Of all descriptors that a user has sent and nobody has received there may be no more than a process of that user may
// have open, else the kernel refuses to send (unix(7), ETOOMANYREFS).
std::size_t most_together() {
    rlimit files{};
    checked(::getrlimit(RLIMIT_NOFILE, &files), "ask for the limit of descriptors");
    return std::clamp<std::size_t>(files.rlim_cur / most_packets_under_way, 1, most_descriptors);
}

}  // namespace

FilePackets::FilePackets(int coordinator) : coordinator_(coordinator), most_together_(most_together()) {
    checked(::setsockopt(coordinator_, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes),
            "limit the buffer of files handed over");
}

bool FilePackets::add(std::string path, UniqueFd file) {
    bytes_ += path.size();
    paths_.push_back(std::move(path));
    files_.push_back(std::move(file));
    if (sent_ >= sent_one_by_one && files_.size() < most_together_ && bytes_ < most_bytes) return true;
    return send();
}

bool FilePackets::send() {
    if (files_.empty()) return true;
    const auto encoded = encode(HandOverFiles{std::exchange(paths_, {})});
    const auto sent = send_packet(coordinator_, encoded.bytes(), files_);
    sent_ += files_.size();
    bytes_ = 0;
    files_.clear();
    return sent == Sent::Yes;
}

}  // namespace clamscanner
