#include "jobs/engine/library_build.h"

#include <clamav.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <set>
#include <string_view>

#include "auth/base/nanoseconds.h"
#include "auth/base/random.h"

namespace clamscanner {
namespace {

constexpr std::string_view family = "libclam";  // libclamav, libclammspack, libclamunrar, libclamunrar_iface

constexpr std::size_t aligned(std::size_t size) noexcept {
    return (size + 3) & ~std::size_t{3};
}

// "": it has none. A segment of notes is a row of headers, each followed by a name and a description (elf(5)).
std::string build_id_in(const unsigned char* notes, std::size_t size) {
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        std::memcpy(&note, notes, sizeof note);
        const std::size_t description = sizeof note + aligned(note.n_namesz);
        const std::size_t next = description + aligned(note.n_descsz);
        if (next > size) break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(notes + sizeof note, "GNU", 4) == 0)
            return hex(notes + description, note.n_descsz);
        notes += next;
        size -= next;
    }
    return {};
}

int take_library(dl_phdr_info* library, std::size_t /*size*/, void* builds) {
    const auto name = std::filesystem::path(library->dlpi_name).filename().string();
    if (!name.starts_with(family)) return 0;
    std::string build;
    for (int i = 0; i < library->dlpi_phnum && build.empty(); ++i) {
        const auto& segment = library->dlpi_phdr[i];
        if (segment.p_type != PT_NOTE) continue;
        // The linker's own address arithmetic: where it was loaded, and how far in the segment is.
        const auto* const notes = reinterpret_cast<const unsigned char*>(
            library->dlpi_addr + segment.p_vaddr);  // NOLINT(performance-no-int-to-ptr)
        build = build_id_in(notes, segment.p_memsz);
    }
    static_cast<std::set<std::string>*>(builds)->insert(name + " " + (build.empty() ? "unknown" : build) + "\n");
    return 0;
}

std::string all_of(const std::set<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line;
    return text;
}

}  // namespace

std::string mapped_library_builds() {
    std::set<std::string> builds;
    ::dl_iterate_phdr(&take_library, &builds);
    return all_of(builds);
}

std::string installed_library_files() {
    Dl_info library{};
    if (::dladdr(reinterpret_cast<void*>(&::cl_init), &library) == 0 || library.dli_fname == nullptr) return {};
    std::set<std::string> lines;
    std::error_code unreadable;
    const auto directory = std::filesystem::path(library.dli_fname).parent_path();
    for (const auto& entry : std::filesystem::directory_iterator(directory, unreadable)) {
        const auto name = entry.path().filename().string();
        struct stat status {};
        if (!name.starts_with(family) || ::stat(entry.path().c_str(), &status) != 0) continue;
        lines.insert(name + " " + std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
                     std::to_string(nanoseconds_of(status.st_mtim)) + " " +
                     std::to_string(nanoseconds_of(status.st_ctim)) + "\n");
    }
    return all_of(lines);
}

}  // namespace clamscanner
