#include "jobs/engine/settled_prefix.h"

#include "jobs/shared/byte_sum.h"

namespace clamscanner {

void SettledPrefix::settle(std::uint64_t place, const Verdict& verdict) {
    const auto at = place - settled_.files;
    if (out_of_order_.size() <= at) out_of_order_.resize(at + 1);
    if (!out_of_order_[at].settled) ++verdicts_out_of_order_;
    out_of_order_[at] = {true, verdict};
    for (; !out_of_order_.empty() && out_of_order_.front().settled; out_of_order_.pop_front()) {
        --verdicts_out_of_order_;
        const auto& next = out_of_order_.front().verdict;
        ++settled_.files;
        settled_.bytes = sum_of_bytes(settled_.bytes, next.bytes);
        settled_.clean_files += next.clean ? 1 : 0;
        settled_.known_files += next.known ? 1 : 0;
    }
}

}  // namespace clamscanner
