// Deletes or quarantines one infected file, as the account's own user, in an order that loses nothing: the file is
// moved to an opaque name, its content there is compared with the scanned content, and only then is it deleted or kept.
// After a crash at any point, the same Act, sent again, resumes. The file's own user may rename, replace or rewrite
// anything meanwhile. If the moved file has another content, it is scanned where it is now, so that malware cannot
// escape by changing itself, and put back if it is not infected. Only the content matters, never times or inode. A file
// that may hold more than one mail message is quarantined instead of deleted.
//
// The order, and what a crash after each step leaves (jobd recorded the intent before it sent the Act):
//   1  the record written (quarantine only), synced  → the source is still there: begin again
//   2  the move to the opaque name                   → the opaque name is there: go on with 3
//   3  the content compared with the scanned one     → nothing changed: compare again
//   4  both directories synced                       → again
//   5  delete: unlinked, synced                      → both names gone, a delete was intended: it is deleted
// Then jobd records the step. Only 5 deletes anything, and only content that 3 found to be the scanned one. If 3 finds
// other content, jobd records that, has the file scanned under its opaque name, and orders either the same Act again,
// as a quarantine, or the move back.
#pragma once

#include <sys/stat.h>

#include <span>
#include <string>
#include <vector>

#include "auth/base/unique_fd.h"
#include "jobs/runner/messages.h"

namespace clamscanner {

class Disposal {
 public:
    // `home` is the descriptor of `home_path` and must stay open as long as this lives.
    Disposal(int home, std::string home_path) : home_(home), home_path_(std::move(home_path)) {}

    // Does not throw if the file system refuses something: it returns an Acted with state Error and a message for the
    // owner. An Acted with content_differs asks jobd to have the moved file scanned and to send another Act: with the
    // new hash, or with put_back.
    [[nodiscard]] Acted act(const Act& order);
    // Each as above and in its own order; but all take each step together, and so wait for the disk together.
    [[nodiscard]] std::vector<Acted> act(std::span<const Act> orders);
    // The file that an Act has moved, opened for reading and with mode 0400. Throws Stopped.
    [[nodiscard]] UniqueFd open_moved(const std::string& path, const std::string& opaque) const;
    [[nodiscard]] bool is_moved(const std::string& path, const std::string& opaque) const;

 private:
    struct Entry {
        UniqueFd directory;
        std::string name;
    };
    // An order on its way.
    struct Step {
        explicit Step(const Act& of) : order(of) {}
        const Act& order;
        Entry source;
        Entry moved;  // empty: it has not been moved
        UniqueFd quarantine;
        UniqueFd record;
        UniqueFd file;
        struct stat compared {};  // as the file was when its content was compared
        bool unlinked = false;
        bool over = false;
        Acted acted;  // once it is over
    };
    // Ends those that throw Stopped.
    void each(std::vector<Step>& steps, void (Disposal::*what)(Step&) const) const;
    void sync(std::vector<Step>& steps, const UniqueFd* (Disposal::*of)(const Step&) const) const;
    [[nodiscard]] const UniqueFd* quarantine_of_record(const Step& step) const;
    [[nodiscard]] const UniqueFd* moved_to(const Step& step) const;
    [[nodiscard]] const UniqueFd* moved_from(const Step& step) const;
    [[nodiscard]] const UniqueFd* deleted_from(const Step& step) const;
    void fail(Step& step, const std::string& why) const;
    static void finish(Step& step, Acted acted);
    void find(Step& step) const;
    void write_record(Step& step) const;
    void sync_record(Step& step) const;
    void move_away(Step& step) const;
    void compare(Step& step) const;
    void differs(Step& step) const;
    void end(Step& step) const;
    void destroy(Step& step, bool is_open) const;

    [[nodiscard]] Entry locate(const std::string& path) const;
    // Where an earlier attempt moved the file to, if it did.
    [[nodiscard]] Entry moved_before(const std::string& path, const std::string& opaque, const Entry& source) const;
    [[nodiscard]] UniqueFd new_record(const Act& order, const UniqueFd& quarantine) const;
    void remove_record(const Act& order) const;
    [[nodiscard]] Acted keep(const Act& order, const Entry& source, const Entry& moved, UniqueFd file) const;
    void remove_original(const Act& order, const Entry& source) const;
    [[nodiscard]] Acted undo(const Act& order, const Entry& source, const Entry& moved) const;
    [[nodiscard]] UniqueFd copy_into(const UniqueFd& quarantine, const Act& order, const Entry& moved, int file) const;
    void put_back(const Act& order, const Entry& moved, const Entry& source) const;

    int home_;
    std::string home_path_;
};

// Mode, owner and extended attributes of an open file.
[[nodiscard]] FileMetadata metadata_of(int file);

}  // namespace clamscanner
