#include "jobs/brake.h"

namespace clamscanner {
namespace {

// Fewer are nothing out of the ordinary, whatever their share: a small site may well be infected in most of its files.
constexpr std::uint64_t fewest_files = 25;
constexpr std::uint64_t fewest_accounts = 10;
constexpr std::int64_t hour_ms = 3'600'000;

bool is_more_than(std::uint64_t part, std::uint64_t whole, std::uint64_t percent) {
    return part * 100 > whole * percent;
}

}  // namespace

std::string Brake::reason(AccountId account, const std::string& signature) {
    const auto [files, of_files] = ledger_.files_hit(account, signature);
    if (files >= fewest_files && is_more_than(files, of_files, settings_.brake.files_percent))
        return "it was found in " + std::to_string(files) + " of " + std::to_string(of_files) + " files of one account";
    const auto [accounts, of_accounts] = ledger_.accounts_hit(signature, now_ms() - hour_ms);
    if (accounts >= fewest_accounts && is_more_than(accounts, of_accounts, settings_.brake.accounts_percent))
        return "it was found in " + std::to_string(accounts) + " of " + std::to_string(of_accounts) +
               " accounts within an hour";
    return {};
}

std::string Brake::why_held(AccountId account, const std::string& signature) {
    auto known = ledger_.hold_on(signature);
    if (known && known->allowed) return {};
    std::string why = known ? known->why : reason(account, signature);
    if (why.empty()) return {};
    if (!known) ledger_.hold_signature(signature, why);
    return "deleting is held for " + signature + ": " + why +
           ", as happens when a signature is wrong. The file was left alone. Put it into quarantine, which can be "
           "undone, "
           "or ask your administrator, who can allow it with: clamscanner-scan --allow " +
           signature;
}

}  // namespace clamscanner
