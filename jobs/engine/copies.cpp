#include "jobs/engine/copies.h"

#include <utility>

namespace clamscanner {
namespace {

constexpr std::size_t most_contents = 50'000;

}  // namespace

const std::string* Copies::virus_in(const Content& content) const {
    const auto known = viruses_.find(content);
    return known == viruses_.end() ? nullptr : &known->second;
}

void Copies::remember(const Content& content, const std::string& virus) {
    if (viruses_.size() < most_contents) viruses_.emplace(content, virus);
}

bool Copies::wait_for_another(const FilePtr& file) {
    auto& under_way = under_way_[*file->content];
    const auto first = under_way.lock();
    if (!first) {
        under_way = file;
        return false;
    }
    if (first == file || waiting_ >= most_waiting_) return false;
    ++waiting_;
    first->copies.push_back(file);
    return true;
}

std::vector<FilePtr> Copies::take_waiting(ScannedFile& file) {
    if (file.content) {
        const auto under_way = under_way_.find(*file.content);
        if (under_way != under_way_.end() && under_way->second.lock().get() == &file) under_way_.erase(under_way);
    }
    auto waiting = std::exchange(file.copies, {});
    waiting_ -= waiting.size();
    return waiting;
}

}  // namespace clamscanner
