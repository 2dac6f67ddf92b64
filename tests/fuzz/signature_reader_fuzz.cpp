// Foreign bytes: the files of a signature directory, one plain and one as ClamAV packs them.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "jobs/engine/known/signature_reader.h"

namespace {

struct Directory {
    Directory() : path("/tmp/signature_reader_fuzz." + std::to_string(::getpid())) {
        std::filesystem::create_directory(path);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    const std::string path;
};

void read_as(const std::string& directory, const std::string& name, std::string_view bytes) {
    std::ofstream(directory + "/" + name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    clamscanner::SignatureSink sink;
    const auto whole_line = [](std::string_view, std::string_view line) {
        if (line.empty() || line.find('\n') != std::string_view::npos) std::abort();
    };
    sink.signature = sink.allowed = sink.rule = whole_line;
    sink.other = [](const std::string& file, std::string_view) {
        if (file.empty() || file.find('/') != std::string::npos) std::abort();
    };
    try {
        clamscanner::read_signatures(directory, sink);
    } catch (const std::runtime_error&) {
        // What is damaged says so.
    }
    std::filesystem::remove(directory + "/" + name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static const Directory directory;
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    for (const char* name : {"daily.cvd", "lines.ldb", "lines.ndb", "lines.fp", "whole.yara"})
        read_as(directory.path, name, text);
    return 0;
}
