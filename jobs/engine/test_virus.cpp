#include "jobs/engine/test_virus.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "auth/base/checked.h"
#include "auth/base/random.h"
#include "auth/base/write_all.h"

namespace clamscanner {
namespace {

void append_number(std::string& bytes, std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xff);
}

// As ZIP files want it (APPNOTE.TXT 4.4.7): CRC-32 with the polynomial 0xEDB88320.
std::uint32_t crc32_of(const std::string& bytes) noexcept {
    std::uint32_t crc = 0xffffffff;
    for (const char byte : bytes) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
    return ~crc;
}

}  // namespace

TestVirus random_test_virus() {
    // Plain text, so that no content begins like a file of some other type.
    return {"Clamscanner.SelfTest-" + random_hex(16), "clamscanner self-test " + random_hex(32) + "\n"};
}

std::string signature_of(const TestVirus& virus) {
    return virus.name + ":0:*:" + hex(virus.content.data(), virus.content.size()) + "\n";
}

std::string stored_zip(const std::string& name, const std::string& content) {
    // What the local and the central header share (APPNOTE.TXT 4.3.7, 4.3.12): version 1.0, no flags, stored.
    std::string shared;
    for (const std::uint32_t field : {10U, 0U, 0U, 0U, 0x21U}) append_number(shared, field, 2);
    append_number(shared, crc32_of(content), 4);
    append_number(shared, static_cast<std::uint32_t>(content.size()), 4);
    append_number(shared, static_cast<std::uint32_t>(content.size()), 4);
    append_number(shared, static_cast<std::uint32_t>(name.size()), 2);
    append_number(shared, 0, 2);  // no extra field

    std::string zip = "PK\x03\x04" + shared + name + content;
    const auto directory_at = static_cast<std::uint32_t>(zip.size());
    zip += "PK\x01\x02";
    append_number(zip, 10, 2);  // made by
    zip += shared;
    append_number(zip, 0, 2);  // no comment
    append_number(zip, 0, 2);  // disk
    append_number(zip, 0, 2);  // internal attributes
    append_number(zip, 0, 4);  // external attributes
    append_number(zip, 0, 4);  // where the local header is
    zip += name;
    const auto directory_size = static_cast<std::uint32_t>(zip.size()) - directory_at;
    zip += "PK\x05\x06";
    for (const std::uint32_t number : {0U, 0U, 1U, 1U}) append_number(zip, number, 2);
    append_number(zip, directory_size, 4);
    append_number(zip, directory_at, 4);
    append_number(zip, 0, 2);  // no comment
    return zip;
}

UniqueFd sealed_file(const std::string& content) {
    const UniqueFd writable(checked(::memfd_create("test virus", MFD_CLOEXEC | MFD_ALLOW_SEALING), "make a test file"));
    if (!write_all(writable.get(), content)) throw_errno("write a test file");
    checked(::fcntl(writable.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL),
            "seal a test file");
    const std::string self = "/proc/self/fd/" + std::to_string(writable.get());
    return UniqueFd(checked(::open(self.c_str(), O_RDONLY | O_CLOEXEC), "open a test file for reading"));
}

}  // namespace clamscanner
