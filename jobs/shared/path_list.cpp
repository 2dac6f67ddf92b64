#include "jobs/shared/path_list.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "auth/base/checked.h"
#include "auth/base/wire.h"
#include "auth/base/write_all.h"
#include "jobs/shared/vocabulary.h"

namespace clamscanner {
namespace {

constexpr std::size_t list_buffer = 256 * 1024;

}  // namespace

PathList::PathList(UniqueFd file, std::uint64_t offset)
    : file_(std::move(file)), read_to_(static_cast<off_t>(std::min<std::uint64_t>(offset, INT64_MAX))) {}

void PathList::append(std::string_view path) {
    const auto size = static_cast<std::uint32_t>(path.size());
    out_.append(reinterpret_cast<const char*>(&size), sizeof size);
    out_.append(path);
    if (out_.size() >= list_buffer) flush();
}

void PathList::flush() {
    if (!write_all(file_.get(), out_)) throw_errno("write the list of files");
    out_.clear();
}

std::uint64_t PathList::finish() {
    flush();
    checked(::fdatasync(file_.get()), "write the list of files");
    return static_cast<std::uint64_t>(checked(::lseek(file_.get(), 0, SEEK_END), "measure the list of files"));
}

void PathList::refill() {
    in_.erase(0, at_);
    at_ = 0;
    const std::size_t kept = in_.size();
    in_.resize(kept + list_buffer);
    const auto got =
        checked(uninterrupted([&] { return ::pread(file_.get(), in_.data() + kept, list_buffer, read_to_); }),
                "read the list of files");
    in_.resize(kept + static_cast<std::size_t>(got));
    read_to_ += got;
}

bool PathList::next(std::string& path) {
    std::uint32_t size = 0;
    if (in_.size() - at_ < sizeof size) refill();
    if (in_.size() == at_) return false;
    if (in_.size() - at_ < sizeof size) throw Malformed("the list of files is cut short");
    std::memcpy(&size, in_.data() + at_, sizeof size);
    if (size > longest_path) throw Malformed("the list of files is damaged");
    if (in_.size() - at_ - sizeof size < size) refill();
    if (in_.size() - at_ - sizeof size < size) throw Malformed("the list of files is cut short");
    path.assign(in_, at_ + sizeof size, size);
    at_ += sizeof size + size;
    return true;
}

}  // namespace clamscanner
