#include "jobs/engine/known/sealed_copy.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "auth/base/write_all.h"
#include "jobs/shared/content_hash.h"

namespace clamscanner {
namespace {

constexpr int all_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

}  // namespace

std::optional<SealedCopy> sealed_copy(int fd, std::uint64_t most_bytes) {
    SealedCopy copy;
    copy.file.reset(::memfd_create("content", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> hash(::EVP_MD_CTX_new(), &::EVP_MD_CTX_free);
    if (!copy.file || !hash || ::EVP_DigestInit_ex(hash.get(), ::EVP_sha256(), nullptr) != 1) return std::nullopt;
    char piece[64 * 1024];
    for (;;) {
        const auto got = uninterrupted([&] { return ::pread(fd, piece, sizeof piece, static_cast<off_t>(copy.size)); });
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        const auto bytes = static_cast<std::size_t>(got);
        copy.size += bytes;
        if (copy.size > most_bytes || !write_all(copy.file.get(), {piece, bytes}) ||
            ::EVP_DigestUpdate(hash.get(), piece, bytes) != 1)
            return std::nullopt;
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (::EVP_DigestFinal_ex(hash.get(), digest, &size) != 1) return std::nullopt;
    if (::fcntl(copy.file.get(), F_ADD_SEALS, all_seals) != 0) return std::nullopt;
    copy.sha256 = hex(digest, size);
    return copy;
}

std::optional<SealedCopy> examined_copy(UniqueFd file, std::uint64_t most_bytes) {
    struct stat status {};
    const int seals = ::fcntl(file.get(), F_GET_SEALS);
    if (seals < 0 || (seals & all_seals) != all_seals || ::fstat(file.get(), &status) != 0) return std::nullopt;
    auto sha256 = content_hash(file.get(), most_bytes);
    if (!sha256) return std::nullopt;
    return SealedCopy{std::move(file), static_cast<std::uint64_t>(status.st_size), *std::move(sha256)};
}

}  // namespace clamscanner
