#include "jobs/engine/known/signature_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "auth/base/checked.h"
#include "auth/base/unique_fd.h"
#include "jobs/shared/signature_directory.h"

namespace clamscanner {
namespace {

constexpr off_t database_header = 512;
constexpr std::size_t block_size = 256 * 1024;
constexpr std::size_t longest_line = 16 * 1024 * 1024;

// Each line a signature of its own (docs.clamav.net, "Signatures").
constexpr std::array<std::string_view, 14> signature_lists = {".hdb", ".hdu", ".hsb", ".hsu", ".mdb", ".mdu", ".msb",
                                                              ".msu", ".imp", ".ndb", ".ndu", ".ldb", ".ldu", ".cdb"};
// Not the lists of signatures to ignore: these can have an entry of an allow-list ignored, too.
constexpr std::array<std::string_view, 3> allow_lists = {".fp", ".sfp", ".wdb"};

template <class Endings>
bool is_one_of(const Endings& endings, std::string_view ending) {
    return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

std::string ending_of(const std::string& name) {
    std::string ending = name.substr(std::min(name.rfind('.'), name.size()));
    for (char& letter : ending) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return ending;
}

// "{100}" stands for as many bytes; any other gap, as "{1-2}", is an end. `line` begins with the brace, and loses it
// all.
std::optional<std::size_t> take_gap(std::string_view& line) {
    constexpr std::size_t longest_gap = 127;
    const auto end = std::min(line.find('}'), line.size() - 1);
    const auto inside = line.substr(1, end - 1);
    line.remove_prefix(end + 1);
    if (inside.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    return longest_gap;
}

// Two digits are a byte, or with the option "w" two of them.
bool has_a_long_pattern(std::string_view line) {
    constexpr std::size_t around_a_word = 12;  // for the option "f" less
    constexpr std::size_t most = 2 * (longest_plain_pattern - around_a_word);
    const std::size_t of_a_digit = line.find("::") != std::string_view::npos ? 2 : 1;
    if (line.size() * of_a_digit <= most && line.find('{') == std::string_view::npos) return false;
    std::size_t digits = 0;
    while (!line.empty()) {
        const auto end = std::min(line.find_first_of(";:*{"), line.size());
        digits += end * of_a_digit;
        if (digits > most) return true;
        line.remove_prefix(end);
        if (line.starts_with('{')) {
            const auto gap = take_gap(line);
            digits = gap ? digits + 2 * *gap : 0;
        } else {
            digits = 0;
            line.remove_prefix(std::min<std::size_t>(1, line.size()));
        }
    }
    return digits > most;
}

// With any such signature the library makes a file of each text, once it has brought it into a common form: its size
// and its hash count then, and regular expressions are looked for in the whole of it.
bool is_for_the_end_of_a_text(std::string_view ending, std::string_view line) {
    if (line.find("EOF-") == std::string_view::npos) return false;
    const std::string_view before_target = ending.starts_with(".l") ? "Target:" : ":";
    line.remove_prefix(std::min(line.find(before_target), line.size()));
    line.remove_prefix(std::min(before_target.size(), line.size()));
    line.remove_prefix(std::min(line.find_first_not_of('0'), line.size()));
    return line.starts_with('7');
}

// A logical signature that has a file read as another type, names a group of icons or refers to a macro; a body
// signature that belongs to a macro (its offset is "$" and a number); and of both kinds one with a very long pattern or
// for the end of a text.
bool says_more_than_itself(std::string_view ending, std::string_view line) {
    const auto has = [line](std::string_view word) { return line.find(word) != std::string_view::npos; };
    const bool is_logical = ending == ".ldb" || ending == ".ldu";
    if (!is_logical && ending != ".ndb" && ending != ".ndu") return false;
    if (has_a_long_pattern(line) || is_for_the_end_of_a_text(ending, line)) return true;
    if (!is_logical) return has(":$");
    return has("HandlerType:") || has("IconGroup") || has("${") || has(";$");
}

// The library's buffers: a line of one of its databases has to fit with a byte to spare.
std::size_t longest_line_of(std::string_view ending) {
    return ending == ".ldb" || ending == ".ldu" ? 32'768 : 8'191;
}

enum class Source { Plain, Database };

// One file, in pieces.
class File {
 public:
    File(std::string name, Source source, const SignatureSink& sink)
        : name_(std::move(name)),
          ending_(ending_of(name_)),
          source_(source),
          sink_(sink),
          has_signatures_(is_one_of(signature_lists, ending_)),
          allows_(is_one_of(allow_lists, ending_)) {}

    void take(std::string_view piece) {
        if (!has_signatures_ && !allows_) return sink_.other(name_, piece);
        if (!sink_.signature) return;
        for (auto end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
            if (begun_.empty()) {
                take_line(piece.substr(0, end));
            } else {
                begun_.append(piece.substr(0, end));
                take_line(begun_);
                begun_.clear();
            }
            piece.remove_prefix(end + 1);
        }
        begun_.append(piece);
        if (begun_.size() > longest_line) throw std::runtime_error(name_ + " has a line without an end");
    }
    void end() {
        if (begun_.empty()) return;
        if (source_ == Source::Database) throw std::runtime_error(name_ + " ends within a line");
        take_line(begun_);
    }

 private:
    void take_line(std::string_view line) {
        if (line.empty()) return;
        if (source_ == Source::Database &&
            (line.size() >= longest_line_of(ending_) || line.find('\0') != std::string_view::npos))
            throw std::runtime_error(name_ + " has a line that the library does not read");
        if (allows_)
            sink_.allowed(ending_, line);
        else if (says_more_than_itself(ending_, line))
            sink_.rule(ending_, line);
        else
            sink_.signature(ending_, line);
    }

    const std::string name_;
    const std::string ending_;
    const Source source_;
    const SignatureSink& sink_;
    const bool has_signatures_;
    const bool allows_;
    std::string begun_;
};

// Without waiting for whoever writes, if it is no file.
UniqueFd open_file(const std::string& path) {
    UniqueFd file(checked(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC), ("open " + path).c_str()));
    struct stat status {};
    checked(::fstat(file.get(), &status), "examine a signature file");
    if (!S_ISREG(status.st_mode)) throw std::runtime_error(path + " is not a file");
    return file;
}

void read_plain(const std::string& directory, const std::string& name, const SignatureSink& sink) {
    const auto file = open_file(directory + "/" + name);
    std::string block(block_size, '\0');
    File reader(name, Source::Plain, sink);
    for (;;) {
        const auto got =
            checked(uninterrupted([&] { return ::read(file.get(), block.data(), block.size()); }), "read signatures");
        if (got == 0) return reader.end();
        reader.take({block.data(), static_cast<std::size_t>(got)});
    }
}

struct FreeArchive {
    void operator()(archive* reader) const noexcept { ::archive_read_free(reader); }
};

[[noreturn]] void fail(const std::string& database, archive* reader) {
    const char* const words = ::archive_error_string(reader);
    throw std::runtime_error(database + " is damaged: " + (words != nullptr ? words : "libarchive does not say why"));
}

void read_member(const std::string& database, const std::string& name, archive* reader, const SignatureSink& sink) {
    File file(name, Source::Database, sink);
    for (;;) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int result = ::archive_read_data_block(reader, &block, &size, &offset);
        if (result == ARCHIVE_EOF) return file.end();
        if (result != ARCHIVE_OK) fail(database, reader);
        file.take({static_cast<const char*>(block), size});
    }
}

void read_database(const std::string& directory, const std::string& database, const SignatureSink& sink) {
    const auto file = open_file(directory + "/" + database);
    checked(::lseek(file.get(), database_header, SEEK_SET), "read beyond a header");
    const std::unique_ptr<archive, FreeArchive> reader(::archive_read_new());
    if (!reader || ::archive_read_support_format_tar(reader.get()) != ARCHIVE_OK ||
        ::archive_read_support_filter_gzip(reader.get()) != ARCHIVE_OK)
        throw std::runtime_error("libarchive reads no tar archives");
    if (::archive_read_open_fd(reader.get(), file.get(), block_size) != ARCHIVE_OK) fail(database, reader.get());
    for (;;) {
        archive_entry* entry = nullptr;
        const int result = ::archive_read_next_header(reader.get(), &entry);
        if (result == ARCHIVE_EOF) return;
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) fail(database, reader.get());
        const char* const path = ::archive_entry_pathname(entry);
        const std::string name = path != nullptr ? path : "";
        if (!is_signature_file(name)) continue;
        if (name.find('/') != std::string::npos) throw std::runtime_error(database + " has directories");
        // Unsigned, outside its database, the library does not load it.
        if (ending_of(name) == ".cbc") throw std::runtime_error(database + " has bytecode among its signatures");
        // daily.cvd becomes daily.cld by an update in parts.
        read_member(database, database.substr(0, database.rfind('.')) + "." + name, reader.get(), sink);
    }
}

// Its signature is needed to load it, so it stays as it is.
bool holds_bytecode(const std::string& database) {
    return database.starts_with("bytecode.");
}

}  // namespace

void read_signatures(const std::string& directory, const SignatureSink& sink) {
    const auto names = signature_files(directory);
    const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
    if (has("daily.cvd") && has("daily.cld"))
        throw std::runtime_error("both daily.cvd and daily.cld are in " + directory +
                                 ", and only one of them is loaded");
    for (const auto& name : names)
        if (is_signed_database(name) && !holds_bytecode(name))
            read_database(directory, name, sink);
        else
            read_plain(directory, name, sink);
}

}  // namespace clamscanner
