#include "jobs/shared/content_hash.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <memory>

#include "auth/base/checked.h"
#include "auth/base/nanoseconds.h"
#include "auth/base/random.h"

namespace clamscanner {

std::optional<std::string> content_hash(int fd, std::uint64_t most_bytes, const GoesOn& goes_on) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(), &::EVP_MD_CTX_free);
    if (!context || ::EVP_DigestInit_ex(context.get(), ::EVP_sha256(), nullptr) != 1) return std::nullopt;
    char chunk[64 * 1024];
    for (off_t at = 0;;) {
        const auto got = uninterrupted([&] { return ::pread(fd, chunk, sizeof chunk, at); });
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        if (::EVP_DigestUpdate(context.get(), chunk, static_cast<std::size_t>(got)) != 1) return std::nullopt;
        at += got;
        if (static_cast<std::uint64_t>(at) > most_bytes) return std::nullopt;
        if (goes_on && !goes_on({chunk, static_cast<std::size_t>(got)})) return std::nullopt;
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (::EVP_DigestFinal_ex(context.get(), digest, &size) != 1) return std::nullopt;
    return hex(digest, size);
}

FileIdentity identity_of(const struct stat& status) noexcept {
    return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
            static_cast<std::uint64_t>(status.st_size), nanoseconds_of(status.st_mtim)};
}

}  // namespace clamscanner
