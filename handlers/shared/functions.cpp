#include "handlers/shared/functions.h"

#include <algorithm>
#include <iterator>

namespace clamscanner {

const Module* find_module(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(modules, name, &Module::name);
    return found == std::end(modules) ? nullptr : found;
}

const Function* find_function(std::string_view module, std::string_view name) noexcept {
    const auto* const its = find_module(module);
    if (its == nullptr) return nullptr;
    const auto found = std::ranges::find(its->functions, name, &Function::name);
    return found == its->functions.end() ? nullptr : &*found;
}

bool takes_method(const Function& function, std::string_view method) noexcept {
    auto rest = function.methods;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(", "), rest.size());
        if (rest.substr(0, end) == method) return true;
        rest.remove_prefix(std::min(end + 2, rest.size()));
    }
    return false;
}

}  // namespace clamscanner
