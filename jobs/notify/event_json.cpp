#include "jobs/notify/event_json.h"

#include "jobs/shared/json_writer.h"

namespace clamscanner {
namespace {

struct Names {
    const char* event;
    const char* text = nullptr;  // null: it has none
    const char* detail = nullptr;
};

Names names_of(NoticeKind kind) {
    switch (kind) {
        case NoticeKind::ScanEnded:
            return {"scan ended", "result", "scan_type"};
        case NoticeKind::SystemScanEnded:
            return {"scan of all accounts ended", "result"};
        case NoticeKind::Find:
            return {"find"};
        case NoticeKind::Disinfected:
            return {"disinfected", "result"};
        case NoticeKind::Brake:
            return {"brake", "why", "signature"};
        case NoticeKind::Signatures:
            return {"signatures", "problem"};
        case NoticeKind::LeftOut:
            return {"events left out"};
        default:
            throw Malformed("a mail in place of an event");
    }
}

void add_find(const NoticedFind& find, JsonWriter& json) {
    json.member("file", find.path);
    json.member("virus_type", find.virus);
}

}  // namespace

std::string event_json(const Notice& notice) {
    const auto names = names_of(notice.kind);
    return json_object([&](JsonWriter& json) {
               json.member("event", std::string_view(names.event));
               json.member("id", notice.id);
               json.member("time", notice.created_ms / 1000);
               if (!notice.account.empty()) {
                   json.member("account", notice.account);
                   json.member("uid", notice.uid);
               }
               if (notice.task != 0) json.member("task", notice.task);
               if (names.text != nullptr) json.member(names.text, notice.text);
               if (names.detail != nullptr) json.member(names.detail, notice.detail);
               if (!notice.finds.empty()) add_find(notice.finds.front(), json);
               for (const auto& figure : notice.figures) json.member(figure.name, figure.number);
           }) +
           "\n";
}

}  // namespace clamscanner
