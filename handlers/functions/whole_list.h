// A list of jobd's that comes in pieces. Run by agents and uapi.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "handlers/shared/envelope.h"
#include "jobs/jobd/messages.h"

namespace clamscanner {

// Of a list in an agent's memory: what is filtered, sorted and paged.
inline constexpr std::size_t most_shaped_bytes = 8 * answer_budget;

// The list, put together from as many pieces as it takes, up to about `most` bytes; `next` is not 0 when there is more.
// `ask` gives the piece behind the one that it gets; an empty one asks for the first, unless that is here already.
template <class Piece, class Ask>
Piece whole_list(std::size_t most, Piece first, Ask ask) {
    Piece all = std::move(first);
    for (std::size_t bytes = piece_budget; all.next != 0 && bytes < most; bytes += piece_budget) {
        auto piece = ask(all);
        if constexpr (requires { piece.scan; }) {
            if (piece.scan != all.scan) {
                // A new scan was started meanwhile: begin again with its list.
                all = ask(Piece{});
                continue;
            }
        }
        std::ranges::move(piece.files, std::back_inserter(all.files));
        piece.files = std::move(all.files);
        all = std::move(piece);
    }
    return all;
}

template <class Piece, class Ask>
Piece whole_list(std::size_t most, Ask ask) {
    return whole_list(most, ask(Piece{}), ask);
}

}  // namespace clamscanner
