#include "auth/base/replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "auth/base/checked.h"
#include "auth/base/nanoseconds.h"
#include "auth/base/unique_fd.h"
#include "auth/base/write_all.h"

namespace clamscanner {

FileVersion version_of(const std::string& file) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return {};
    return {static_cast<std::int64_t>(status.st_ino), status.st_size, nanoseconds_of(status.st_mtim),
            nanoseconds_of(status.st_ctim)};
}

void replace_file(const std::string& file, std::string_view content, mode_t mode, Sync sync) {
    const auto beside = file + ".new";
    ::unlink(beside.c_str());
    const UniqueFd fd(
        checked(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode), "create a file's successor"));
    if (!write_all(fd.get(), content)) throw_errno("write a file anew");
    if (sync == Sync::Yes) checked(::fsync(fd.get()), "write a file anew");
    checked(::rename(beside.c_str(), file.c_str()), "replace a file");
    if (sync == Sync::No) return;
    const UniqueFd directory(checked(::open(file.substr(0, file.rfind('/') + 1).c_str(), O_RDONLY | O_CLOEXEC),
                                     "open the directory of a file"));
    checked(::fsync(directory.get()), "make a file's name durable");
}

}  // namespace clamscanner
