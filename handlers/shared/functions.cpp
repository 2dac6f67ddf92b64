#include "handlers/shared/functions.h"

#include <algorithm>
#include <iterator>

namespace clamscanner {

const Function* find_function(std::string_view module, std::string_view name) noexcept {
    if (module != module_name) return nullptr;
    const auto* const found = std::ranges::find(functions, name, &Function::name);
    return found == std::end(functions) ? nullptr : found;
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
