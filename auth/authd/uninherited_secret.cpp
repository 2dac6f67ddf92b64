#include "auth/authd/uninherited_secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "auth/base/checked.h"

namespace clamscanner {

void UninheritedSecret::map(std::size_t size) {
    void* const pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw_errno("get a page for a secret");
    pages_ = static_cast<char*>(pages);
    size_ = size;
    checked(::madvise(pages, size, MADV_WIPEONFORK), "keep a secret from children");
    checked(::madvise(pages, size, MADV_DONTDUMP), "keep a secret out of core files");
    ::mlock(pages, size);  // may be forbidden: then it can be swapped out
}

UninheritedSecret::UninheritedSecret(std::string_view bytes) : UninheritedSecret() {
    if (bytes.empty()) return;
    map(bytes.size());
    ::memcpy(pages_, bytes.data(), bytes.size());
}

UninheritedSecret UninheritedSecret::random(std::size_t size) {
    UninheritedSecret secret;
    secret.map(size);
    if (checked(::getrandom(secret.pages_, size, 0), "make a key") != static_cast<ssize_t>(size))
        throw_errno("make a key", EIO);
    return secret;
}

UninheritedSecret::~UninheritedSecret() {
    if (pages_ == nullptr) return;
    ::explicit_bzero(pages_, size_);
    ::munmap(pages_, size_);
}

}  // namespace clamscanner
