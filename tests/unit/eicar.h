// The EICAR test file, which the test signatures that we ship find. Assembled at run time so that scanners do not
// report the tests themselves.
#pragma once

#include <string>

#include "jobs/engine/test_virus.h"

namespace clamscanner {

[[nodiscard]] inline std::string test_virus() {
    std::string text = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$";
    text += "EICAR-STANDARD-";
    text += "ANTIVIRUS-TEST-FILE!$H+H*";
    return text;
}

[[nodiscard]] inline std::string zipped_test_virus() {
    return stored_zip("test.com", test_virus());
}

}  // namespace clamscanner
