#include "auth/base/sha256.h"

#include <openssl/evp.h>

#include <stdexcept>

#include "auth/base/random.h"

namespace clamscanner {

std::string sha256_hex(std::string_view text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (::EVP_Digest(text.data(), text.size(), digest, &size, ::EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("libcrypto has no SHA-256");
    return hex(digest, size);
}

}  // namespace clamscanner
