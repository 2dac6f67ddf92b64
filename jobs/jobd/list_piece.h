// Lists go to clients in pieces that fit into an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "jobs/jobd/messages.h"

namespace clamscanner {

// The most bytes that `text` may take in an answer: a byte outside UTF-8 takes six, and the JSON around it takes some.
[[nodiscard]] std::size_t cost_in_json(const std::string& text);

// One piece: rows in order, as long as they fit; at least one. `Listed` holds the entries in `files`, and in `next` the
// row after which the next piece begins; 0: there is none.
template <class Listed>
class Piece {
 public:
    Piece(Listed& listed, std::int64_t after, std::size_t budget) : listed_(listed), last_(after), budget_(budget) {}
    // At the first row that does not fit: sets `next` and returns false.
    template <class File>
    [[nodiscard]] bool add(std::int64_t row, File file, std::size_t cost) {
        cost_ += cost;
        if (!listed_.files.empty() && (cost_ > budget_ || listed_.files.size() >= most_entries)) {
            listed_.next = last_;
            return false;
        }
        last_ = row;
        listed_.files.push_back(std::move(file));
        return true;
    }

 private:
    Listed& listed_;
    std::int64_t last_;
    std::size_t budget_;
    std::size_t cost_ = 0;
};

}  // namespace clamscanner
