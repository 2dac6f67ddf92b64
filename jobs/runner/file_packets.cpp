#include "jobs/runner/file_packets.h"

#include <utility>

#include "jobs/engine/messages.h"

namespace clamscanner {
namespace {

// As many as a packet may carry: a start that begins with the packet in which opening a file took for ever reaches it.
constexpr std::size_t sent_one_by_one = most_descriptors;
// So that a packet is not too long whatever the next path is.
constexpr std::size_t most_bytes = longest_path;
static_assert(most_bytes + longest_path + 1024 <= largest_packet);

}  // namespace

bool FilePackets::add(std::string path, UniqueFd file) {
    bytes_ += path.size();
    paths_.push_back(std::move(path));
    files_.push_back(std::move(file));
    if (sent_ >= sent_one_by_one && files_.size() < most_descriptors && bytes_ < most_bytes) return true;
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
