#include "fcgi/page.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "auth/base/config.h"
#include "auth/base/log.h"
#include "auth/base/sha256.h"
#include "jobs/shared/refusal.h"

namespace clamscanner {
namespace {

constexpr std::string_view page_path = "/ClamScanner/";
constexpr std::string_view first_file = "index.html";

struct Type {
    std::string_view ending;
    const char* content_type;
};
// Nothing else is served.
constexpr Type types[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
};

const char* content_type_of(std::string_view name) {
    const auto* const found =
        std::ranges::find_if(types, [&](const Type& type) { return name.ends_with(type.ending); });
    return found == std::end(types) ? nullptr : found->content_type;
}

// A list of sources is printable, and has nothing that would end the directive or the policy.
bool is_list_of_sources(std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != ';' && c != ','; });
}

std::string policy_for(const std::string& frame_ancestors) {
    return "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
           "connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
           "trusted-types 'none'; frame-ancestors " +
           frame_ancestors +
           "\r\n"
           "Referrer-Policy: no-referrer\r\n"
           "Cross-Origin-Opener-Policy: same-origin\r\n"
           "Cross-Origin-Resource-Policy: same-origin\r\n";
}

// A panel's session, which grants nothing, may stand before the path.
std::string_view without_session(std::string_view path) {
    constexpr std::string_view session = "/cpsess";
    if (!path.starts_with(session)) return path;
    const auto end = path.find_first_not_of("0123456789", session.size());
    return end == std::string_view::npos || end == session.size() || path[end] != '/' ? path : path.substr(end);
}

}  // namespace

Page::Page(const Settings& config) : policy_(policy_for(config.responder.frame_ancestors)) {
    if (!is_list_of_sources(config.responder.frame_ancestors))
        throw ConfigError(config.name_of("responder.frame_ancestors") +
                          ": must be 'none', 'self' or addresses such as https://panel.example.com:2083, in a policy's "
                          "form, without commas and semicolons");
    if (config.responder.page_directory.empty()) return;
    try {
        read(config.responder.page_directory);
    } catch (const std::exception& fault) {
        files_.clear();
        log_line(Severity::Warning, "the page is not served: " + config.name_of("responder.page_directory") + ": " +
                                        std::string(fault.what()));
    }
}

void Page::read(const std::string& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const auto name = entry.path().filename().string();
        const auto* const type = content_type_of(name);
        if (type == nullptr || name.starts_with('.')) continue;
        File file{read_trusted_file(entry.path().string()), type, ""};
        file.tag = '"' + sha256_hex(file.content) + '"';
        files_.emplace(name == first_file ? "" : name, std::move(file));
    }
    if (!files_.contains("")) throw std::runtime_error("it has no " + std::string(first_file));
}

const Page::File* Page::find(std::string_view path) const {
    path = without_session(path);
    if (!path.starts_with(page_path)) return nullptr;
    const auto found = files_.find(path.substr(page_path.size()));
    return found == files_.end() ? nullptr : &found->second;
}

Response Page::answer(const File& file, const WebRequest& web) const {
    const auto method = web.parameter("REQUEST_METHOD");
    if (method != "GET" && method != "HEAD")
        throw Refusal(405, "The page is available by GET and HEAD only.", std::string(page_methods));
    Response response{200, file.content, "", 0};
    response.content_type = file.content_type;
    // Asked for each time: after an upgrade no old part of the page meets a new one.
    response.cache_control = "no-cache";
    response.more_headers = "ETag: " + file.tag + "\r\n" + policy_;
    if (web.parameter("HTTP_IF_NONE_MATCH").find(file.tag) != std::string_view::npos) {
        response.status = 304;
        response.body.clear();
    }
    return response;
}

}  // namespace clamscanner
