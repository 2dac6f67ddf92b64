// A list of jobd's that comes in pieces. Run by agents and uapi.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "handlers/shared/envelope.h"

namespace clamscanner {

// Of a list in an agent's memory: what is filtered, sorted and paged.
inline constexpr std::size_t most_shaped_bytes = 8 * answer_budget;

// The list, put together from as many pieces as it takes, up to about `most` bytes; `next` is not 0 when there is more.
// `ask` gives the piece after the one that `next` came from; 0 asks for the first.
template <class Ask>
auto whole_list(std::size_t most, Ask ask) {
    auto all = ask(0);
    for (std::size_t bytes = answer_budget; all.next != 0 && bytes < most; bytes += answer_budget) {
        auto piece = ask(all.next);
        if constexpr (requires { piece.scan; }) {
            if (piece.scan != all.scan) {
                // A new scan was started meanwhile: begin again with its list.
                all = ask(0);
                continue;
            }
        }
        std::ranges::move(piece.files, std::back_inserter(all.files));
        all.next = piece.next;
    }
    return all;
}

}  // namespace clamscanner
