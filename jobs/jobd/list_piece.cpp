#include "jobs/jobd/list_piece.h"

namespace clamscanner {

std::size_t cost_in_json(const std::string& text) {
    std::size_t cost = 64 + text.size();
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte >= 0x80) cost += 5;
        if (byte == '"' || byte == '\\') ++cost;
    }
    return cost;
}

}  // namespace clamscanner
