#include "jobs/engine/worker/unpacking.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "jobs/engine/worker/encrypted_document.h"
#include "jobs/engine/worker/unpacked_size.h"

namespace clamscanner {
namespace {

using namespace std::string_view_literals;

// libclamav does not look at anything smaller, and tells of nothing that small.
constexpr std::uint64_t most_ignored_bytes = 5;
constexpr std::size_t tar_block = 512;
constexpr auto xz_stream =
    "\xFD"
    "7zXZ\0"sv;

// Archives of which libclamav announces every member just before it unpacks it. (Of a ZIP archive it announces all of
// them first, and some twice; its directory says more.)
constexpr std::array announced_types = {"CL_TYPE_7Z"sv,  "CL_TYPE_POSIX_TAR"sv, "CL_TYPE_OLD_TAR"sv,
                                        "CL_TYPE_RAR"sv, "CL_TYPE_ARJ"sv,       "CL_TYPE_MSCAB"sv};

// Archives of which libclamav sees at least something, or it does not open them.
constexpr std::array archive_types = {"CL_TYPE_RAR"sv, "CL_TYPE_ARJ"sv, "CL_TYPE_MSCAB"sv,
                                      "CL_TYPE_EGG"sv, "CL_TYPE_ALZ"sv, "CL_TYPE_LHA_LZH"sv};

struct Magic {
    std::size_t at;
    std::string_view bytes;
};

// What libclamav takes for bytes of no kind.
constexpr std::array unknown_archives = {
    Magic{0, "\x28\xB5\x2F\xFD"sv},     // Zstandard
    Magic{0, "\x04\x22\x4D\x18"sv},     // LZ4
    Magic{0, "LZIP\x01"sv},             // lzip
    Magic{0, "LRZI"sv},                 // lrzip
    Magic{0, "\x89LZO\0\r\n\x1a\n"sv},  // lzop
    Magic{0, "\xFF\x06\0\0sNaPpY"sv},   // Snappy
    Magic{0, "MSWIM\0\0\0"sv},          // Windows Imaging
    Magic{0, "!<arch>\ndebian"sv},      // Debian package
    Magic{0, "\xED\xAB\xEE\xDB"sv},     // RPM package
    Magic{0, "hsqs"sv},                 // SquashFS
    Magic{0, "7kSt"sv},                 // ZPAQ
    Magic{0, "StuffIt (c)"sv},          // StuffIt
    Magic{0, "SIT!"sv},                 // StuffIt
    Magic{7, "**ACE**"sv},              // ACE
    Magic{20, "\xDC\xA7\xC4\xFD"sv},    // Zoo
};

template <class List>
bool contains(const List& list, std::string_view type) noexcept {
    return std::find(list.begin(), list.end(), type) != list.end();
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, int size) noexcept {
    std::uint64_t number = 0;
    for (int i = size - 1; i >= 0; --i)
        number = number << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
    return number;
}

// compress(1): the third byte says how long a code may be.
bool is_compress(std::string_view content) noexcept {
    if (content.size() < 4 || !content.starts_with("\x1F\x9D"sv)) return false;
    const auto flags = static_cast<unsigned char>(content[2]);
    return (flags & 0x60) == 0 && (flags & 0x1f) >= 9 && (flags & 0x1f) <= 16;
}

// .lzma has no magic: properties, the size of a dictionary, the size of the content or -1, and a first byte that is 0.
bool may_be_lzma(std::string_view content) noexcept {
    constexpr std::size_t header = 13;
    if (content.size() <= header || content[header] != '\0') return false;
    const auto properties = static_cast<unsigned char>(content[0]);
    const auto dictionary = number_at(content, 1, 4);
    const bool is_usual_dictionary = std::has_single_bit(dictionary) || dictionary == 0xffffffff ||
                                     (dictionary % 3 == 0 && std::has_single_bit(dictionary / 3));
    const auto size = number_at(content, 5, 8);
    const bool is_usual_size = size == ~std::uint64_t{0} || size < std::uint64_t{1} << 38;
    return properties < 225 && properties % 9 + properties / 9 % 5 <= 4 && dictionary >= 4096 && is_usual_dictionary &&
           is_usual_size;
}

bool is_lzma(std::string_view content) {
    constexpr std::uint64_t enough = 64 * 1024;
    return may_be_lzma(content) && unpacked_size_of_streams(content, enough).bytes > 0;
}

bool is_unknown_archive(std::string_view content) {
    const auto begins = [&](const Magic& magic) {
        return content.size() >= magic.at + magic.bytes.size() &&
               content.substr(magic.at, magic.bytes.size()) == magic.bytes;
    };
    return std::any_of(unknown_archives.begin(), unknown_archives.end(), begins) || is_compress(content) ||
           is_lzma(content);
}

bool is_of_no_kind(std::string_view type) noexcept {
    return type == "CL_TYPE_BINARY_DATA" || type == "CL_TYPE_ANY" || type.starts_with("CL_TYPE_TEXT_");
}

// Of several reasons, the one that helps the owner most.
int rank_of(UnscannedReason reason) noexcept {
    if (reason == UnscannedReason::Encrypted) return 3;
    if (reason == UnscannedReason::TooLargeInside) return 2;
    return reason == UnscannedReason::UnsupportedArchive ? 1 : 0;
}

// Cut off within a block.
bool is_cut_tar(std::string_view content) noexcept {
    const auto rest = content.substr(content.size() - content.size() % tar_block);
    return rest.find_first_not_of('\0') != std::string_view::npos;
}

}  // namespace

void Unpacking::begin_layer(unsigned level, std::string_view type, std::string_view content,
                            LayerAttributes attributes) {
    if (attributes.normalised) return;
    const auto is_parent = [&](const Layer& layer) { return layer.level + 1 == level; };
    const auto parent = std::find_if(layers_.begin(), layers_.end(), is_parent);
    const bool is_announced = announced_ && parent != layers_.end() && parent->type == announced_->type;
    end_announced(is_announced ? std::optional(content.size()) : std::nullopt);
    while (!layers_.empty() && layers_.back().level >= level) {
        end_layer(layers_.back());
        layers_.pop_back();
    }
    take_unpacked(level, content.size(), attributes);
    layers_.push_back({});
    layers_.back().level = level;
    layers_.back().type = type;
    look_into(layers_.back(), content);
}

void Unpacking::take_unpacked(unsigned level, std::uint64_t size, LayerAttributes attributes) {
    for (auto& layer : layers_) {
        const auto depth = level - layer.level;
        const auto found = layer.members.find(size);
        if (found != layer.members.end() && (depth == 1 || (layer.embedded && depth == 2))) layer.members.erase(found);
        if (depth == 1 && layer.unpacked_bytes == 0) layer.unpacked_bytes = size;
        if (depth == 1 && attributes.decrypted) layer.encrypted = false;
    }
}

void Unpacking::announce(std::string_view container_type, std::uint64_t size, bool encrypted) {
    end_announced(std::nullopt);
    const auto is_it = [&](const Layer& layer) { return layer.type == container_type; };
    const auto archive = std::find_if(layers_.rbegin(), layers_.rend(), is_it);
    if (archive == layers_.rend() || !contains(announced_types, container_type)) return;
    archive->announced = true;
    if (encrypted || size <= most_ignored_bytes) return;
    announced_ = Announced{size, std::string(container_type)};
}

// `size`: of what was unpacked; nothing if nothing was.
void Unpacking::end_announced(std::optional<std::uint64_t> size) {
    if (!announced_) return;
    const auto announced = *std::exchange(announced_, std::nullopt);
    if (size == announced.size) return;
    if (announced.size > most_bytes_) {
        not_scanned(UnscannedReason::TooLargeInside);
    } else if (announced.type == "CL_TYPE_7Z") {
        const auto is_it = [&](const Layer& layer) { return layer.type == announced.type; };
        const auto archive = std::find_if(layers_.rbegin(), layers_.rend(), is_it);
        if (archive != layers_.rend()) archive->incomplete = true;
    } else {
        const bool is_tar = announced.type.ends_with("_TAR");
        not_scanned(size || is_tar ? UnscannedReason::Damaged : UnscannedReason::UnsupportedArchive);
    }
}

void Unpacking::look_into(Layer& layer, std::string_view content) {
    if (begins_as_zip(content)) {
        look_into_zip(layer, content);
    } else if (layer.type == "CL_TYPE_7Z" || layer.type == "CL_TYPE_GZ") {
        layer.copy = content;
    } else if (layer.type == "CL_TYPE_BZ" ||
               (layer.type == "CL_TYPE_XZ" && content.find(xz_stream, 1) != std::string_view::npos)) {
        // libclamav stops at the end of the first stream.
        layer.streams = unpack(&unpacked_size_of_streams, content);
    } else if (layer.type == "CL_TYPE_MSOLE2") {
        layer.encrypted = is_encrypted_document(content);
    } else if (layer.type.ends_with("_TAR")) {
        if (is_cut_tar(content)) not_scanned(UnscannedReason::Damaged);
    } else if (!contains(archive_types, layer.type)) {
        look_for_embedded_zip(layer, content);
        if (is_of_no_kind(layer.type) && is_unknown_archive(content)) not_scanned(UnscannedReason::UnsupportedArchive);
    }
}

void Unpacking::look_into_zip(Layer& layer, std::string_view content) {
    const auto directory = read_zip_directory(content, ZipEnd::Anywhere);
    if (!directory) {
        not_scanned(UnscannedReason::Damaged);
        return;
    }
    if (directory->problem) not_scanned(*directory->problem);
    expect(layer, directory->members);
}

// A program that unpacks itself, or a picture that is an archive, too.
void Unpacking::look_for_embedded_zip(Layer& layer, std::string_view content) {
    const auto directory = read_zip_directory(content, ZipEnd::AtTheEnd);
    if (!directory || directory->members.empty() || directory->problem == UnscannedReason::Damaged) return;
    layer.embedded = true;
    expect(layer, directory->members);
}

void Unpacking::expect(Layer& layer, const std::vector<ZipMember>& members) {
    for (const auto& member : members) {
        if (member.encrypted) not_scanned(UnscannedReason::Encrypted);
        if (!member.encrypted && member.size > most_ignored_bytes) layer.members.emplace(member.size, member);
    }
}

void Unpacking::end_layer(const Layer& layer) {
    for (const auto& [size, member] : layer.members) {
        if (size > most_bytes_)
            not_scanned(UnscannedReason::TooLargeInside);
        else
            not_scanned(member.openable && !layer.embedded ? UnscannedReason::Damaged
                                                           : UnscannedReason::UnsupportedArchive);
    }
    if (layer.type == "CL_TYPE_7Z") end_7z(layer);
    if (layer.type == "CL_TYPE_GZ") end_gz(layer);
    if (layer.streams) end_streams(layer, *layer.streams);
    if (layer.encrypted) not_scanned(UnscannedReason::Encrypted);
    if (contains(archive_types, layer.type) && !layer.announced && layer.unpacked_bytes == 0)
        not_scanned(layer.type == "CL_TYPE_RAR" ? UnscannedReason::UnsupportedArchive : UnscannedReason::Damaged);
}

// The last four bytes say how much the last member holds, which most often is the only one.
void Unpacking::end_gz(const Layer& layer) {
    const std::string_view gz = layer.copy;
    const bool is_whole = gz.size() >= 18 && number_at(gz, gz.size() - 4, 4) == (layer.unpacked_bytes & 0xffffffff);
    if (!is_whole) end_streams(layer, unpack(&unpacked_size_of_streams, gz));
}

void Unpacking::end_streams(const Layer& layer, const UnpackedSize& streams) {
    if (streams.outcome == Unpacked::TooMuch)
        not_scanned(UnscannedReason::TooLargeInside);
    else if (streams.outcome != Unpacked::Whole)
        not_scanned(UnscannedReason::Damaged);
    else if (streams.bytes > most_ignored_bytes && streams.bytes != layer.unpacked_bytes)
        not_scanned(UnscannedReason::UnsupportedArchive);
}

void Unpacking::end_7z(const Layer& layer) {
    if (!layer.incomplete && layer.announced) return;
    const auto found = unpack(&unpacked_size_of_7z, layer.copy);
    if (found.outcome == Unpacked::Encrypted)
        not_scanned(UnscannedReason::Encrypted);
    else if (found.outcome == Unpacked::Damaged)
        not_scanned(UnscannedReason::Damaged);
    else if (layer.incomplete || found.outcome != Unpacked::Whole || found.bytes > 0)
        not_scanned(UnscannedReason::UnsupportedArchive);
}

// A file may hold thousands of small ones that are large when unpacked.
UnpackedSize Unpacking::unpack(UnpackedSize (*archive)(std::string_view, std::uint64_t), std::string_view packed) {
    const auto size = archive(packed, std::min(most_bytes_, most_left_));
    most_left_ -= std::min(most_left_, size.bytes);
    return size;
}

void Unpacking::not_scanned(UnscannedReason reason) {
    if (!reason_ || rank_of(reason) > rank_of(*reason_)) reason_ = reason;
}

std::optional<UnscannedReason> Unpacking::reason() {
    end_announced(std::nullopt);
    for (; !layers_.empty(); layers_.pop_back()) end_layer(layers_.back());
    return reason_;
}

}  // namespace clamscanner
