// Deletes or quarantines one file that was judged infected, as the account's own user, in the order that loses nothing:
// moved to an opaque name first, its content compared there with what was judged, and only then destroyed or kept. A
// crash at any point leaves a state from which the same Act, sent again, goes on. The file's own user may rename,
// replace or rewrite anything meanwhile: then what was moved is judged where it lies, so that nothing escapes by
// changing, and put back if it is not infected. Times and inode never matter, the content alone does. What may hold
// more than one letter is kept where it was to be deleted.
//
// The order, and what a crash after each step leaves (jobd recorded the intent before it sent the Act):
//   1  the record beside (quarantine only), synced   → the source is still there: begin again
//   2  the move to the opaque name                   → the opaque name is there: go on with 3
//   3  the content compared with what was judged     → nothing changed: compare again
//   4  both directories synced                       → again
//   5  delete: unlinked, synced                      → both names gone, a delete was intended: it is deleted
// and jobd records the step. Only 5 destroys anything, and only what 3 found to be the judged content. If 3 finds
// another one, jobd records that, has it judged under its opaque name, and orders either the same again, as a
// quarantine, or the move back.
#pragma once

#include <string>

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

class Disposal {
 public:
    // `home` is the descriptor of `home_path` and stays open as long as this lives.
    Disposal(int home, std::string home_path) : home_(home), home_path_(std::move(home_path)) {}

    // Never throws for what the file system refuses: that is an Acted with state Error and a message for the owner. An
    // Acted with moved_another asks for the judgement of what was moved, and then for an Act anew: with its hash, or
    // with put_back.
    [[nodiscard]] Acted act(const Act& order);
    // What an Act has moved, taken out of use and opened for reading. Throws Stopped.
    [[nodiscard]] UniqueFd open_moved(const std::string& path, const std::string& opaque) const;
    [[nodiscard]] bool is_moved(const std::string& path, const std::string& opaque) const;

 private:
    struct Place {
        UniqueFd directory;
        std::string name;
    };
    [[nodiscard]] Acted carry_out(const Act& order);
    [[nodiscard]] Place place_of(const std::string& path) const;
    // Where an earlier attempt left it, if it did.
    [[nodiscard]] Place moved_before(const std::string& path, const std::string& opaque, const Place& source) const;
    void write_record(const Act& order, const UniqueFd& quarantine) const;
    void remove_record(const Act& order) const;
    [[nodiscard]] Place move_away(const Act& order, const Place& source) const;
    [[nodiscard]] Acted finish(const Act& order, const Place& source, const Place& moved) const;
    [[nodiscard]] Acted settle(const Act& order, const Place& source, const Place& moved) const;
    [[nodiscard]] Acted destroy(const Act& order, const Place& moved, int file, bool is_open) const;
    [[nodiscard]] Acted keep(const Act& order, const Place& source, const Place& moved, UniqueFd file) const;
    void remove_original(const Act& order, const Place& source) const;
    [[nodiscard]] Acted undo(const Act& order, const Place& source, const Place& moved) const;
    [[nodiscard]] UniqueFd copy_into(const UniqueFd& quarantine, const Act& order, const Place& moved, int file) const;
    void put_back(const Act& order, const Place& moved, const Place& source) const;

    int home_;
    std::string home_path_;
};

// Mode, owner and extended attributes of an open file.
[[nodiscard]] FileMetadata metadata_of(int file);

}  // namespace clamscanner
