// A test virus that is made anew for each load of the signatures: a worker that misses it cannot be trusted to find
// anything. It is random, so that no allow-list (.fp, .sfp, .ign2) can name it, as many administrators' lists name
// EICAR.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"

namespace clamscanner {

struct TestVirus {
    std::string name;  // of its signature, without the library's suffix
    std::string content;
};

[[nodiscard]] TestVirus random_test_virus();

// Its signature, as a line of an .ndb file: found anywhere, in files of any type.
[[nodiscard]] std::string signature_of(const TestVirus& virus);

// A ZIP archive of one file, stored: to find a virus in it, a scanner must unpack into its temporary directory.
[[nodiscard]] std::string stored_zip(const std::string& name, const std::string& content);

// An anonymous file with that content, opened for reading only and sealed against changes.
[[nodiscard]] UniqueFd sealed_file(const std::string& content);

}  // namespace clamscanner
