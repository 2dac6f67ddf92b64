#include "auth/base/voucher.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>
#include <unistd.h>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "auth/base/unique_fd.h"

namespace clamscanner {
namespace {

constexpr std::size_t key_bytes = 32;
// Longer than an agent has for a request.
constexpr std::int64_t good_for_ms = 120'000;

std::int64_t since_boot_ms() {
    timespec now{};
    checked(::clock_gettime(CLOCK_BOOTTIME, &now), "ask for the time since the boot");
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::string seal_of(const Secret& key, uid_t uid, const Voucher& voucher) {
    // A token's name, which comes last, may hold anything.
    const auto text = std::to_string(uid) + " " + std::to_string(static_cast<int>(voucher.by)) + " " +
                      std::to_string(voucher.made_ms) + " " + voucher.token;
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (::HMAC(::EVP_sha256(), key.reveal().data(), static_cast<int>(key.reveal().size()),
               reinterpret_cast<const unsigned char*>(text.data()), text.size(), result, &size) == nullptr)
        throw_errno("seal a voucher", EIO);
    return hex(result, size);
}

}  // namespace

Secret new_voucher_key() {
    return Secret(random_hex(key_bytes));
}

Voucher seal(const Secret& key, uid_t uid, VouchedBy by, const std::string& token) {
    Voucher voucher{by, token, since_boot_ms(), ""};
    voucher.seal = seal_of(key, uid, voucher);
    return voucher;
}

bool is_sealed(const Secret& key, uid_t uid, const Voucher& voucher) {
    if (key.reveal().size() != 2 * key_bytes) return false;
    const auto age_ms = since_boot_ms() - voucher.made_ms;
    if (age_ms < 0 || age_ms > good_for_ms) return false;
    const auto right = seal_of(key, uid, voucher);
    return right.size() == voucher.seal.size() && ::CRYPTO_memcmp(right.data(), voucher.seal.data(), right.size()) == 0;
}

Secret read_voucher_key(const std::string& file) {
    const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!opened && errno == ENOENT) return {};
    checked(opened.get(), "open the key of vouchers");
    char text[2 * key_bytes];
    const auto size = checked(::read(opened.get(), text, sizeof text), "read the key of vouchers");
    Secret key(std::string_view(text, static_cast<std::size_t>(size)));
    ::explicit_bzero(text, sizeof text);
    return key;
}

}  // namespace clamscanner
