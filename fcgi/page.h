// The owner's page: static files at /ClamScanner/, for everybody, without a login. They are read once, when the
// responder starts, so that no path of a request ever reaches a file system. All that the page does it asks of the
// documented interface, with credentials that its owner types in.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "fcgi/response.h"
#include "fcgi/web_request.h"
#include "jobs/shared/settings.h"

namespace clamscanner {

inline constexpr std::string_view page_methods = "GET, HEAD";

// Shared by all threads; never changes.
class Page {
 public:
    // Reads the files of `responder.page_directory`; where that is "", or has no page, there is none (the log says so
    // of the latter). Throws ConfigError when `responder.frame_ancestors` is none that a policy may have.
    explicit Page(const Settings& config);

    struct File {
        std::string content;
        const char* content_type = nullptr;
        std::string tag;  // an ETag, quotation marks included
    };
    // Null when the path, without its query, is none of the page's.
    [[nodiscard]] const File* find(std::string_view path) const;

    // Throws Refusal for a method that the page does not take.
    [[nodiscard]] Response answer(const File& file, const WebRequest& web) const;

 private:
    void read(const std::string& directory);

    std::map<std::string, File, std::less<>> files_;  // by name; "" is the page itself
    std::string policy_;                              // header lines
};

}  // namespace clamscanner
