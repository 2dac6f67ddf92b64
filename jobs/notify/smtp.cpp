#include "jobs/notify/smtp.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace clamscanner {
namespace {

struct EndHandle {
    void operator()(CURL* handle) const noexcept { ::curl_easy_cleanup(handle); }
};
struct EndList {
    void operator()(curl_slist* list) const noexcept { ::curl_slist_free_all(list); }
};

std::size_t give(char* room, std::size_t size, std::size_t count, void* rest) noexcept {
    auto& text = *static_cast<std::string_view*>(rest);
    const auto given = text.substr(0, size * count);
    std::memcpy(room, given.data(), given.size());
    text.remove_prefix(given.size());
    return given.size();
}

template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
    if (::curl_easy_setopt(handle, option, value) != CURLE_OK) throw std::runtime_error("libcurl refuses an option");
}

Handed result_of(CURLcode done, long reply) {
    constexpr long permanent = 500;
    if (done == CURLE_OK) return Handed::Over;
    if (reply >= permanent && reply < permanent + 100) return Handed::Refused;
    // A server that says anything may take other mails.
    return reply == 0 ? Handed::NoServer : Handed::NotNow;
}

}  // namespace

HandedOver hand_over(const Mail& mail, const MailSettings& settings, std::uint64_t port, std::chrono::seconds limit) {
    const std::unique_ptr<CURL, EndHandle> handle(::curl_easy_init());
    const auto recipient = "<" + mail.recipient + ">";
    const auto sender = "<" + settings.sender + ">";
    const std::unique_ptr<curl_slist, EndList> recipients(::curl_slist_append(nullptr, recipient.c_str()));
    if (!handle || !recipients) throw std::runtime_error("libcurl has no memory");
    std::string_view rest = mail.text;
    char why[CURL_ERROR_SIZE] = "";
    // The last part is what it calls itself.
    const auto url = "smtp://localhost:" + std::to_string(port) + "/" + settings.host;
    set(handle.get(), CURLOPT_URL, url.c_str());
    set(handle.get(), CURLOPT_PROTOCOLS_STR, "smtp");
    set(handle.get(), CURLOPT_PROXY, "");
    set(handle.get(), CURLOPT_NOSIGNAL, 1L);
    set(handle.get(), CURLOPT_TIMEOUT, static_cast<long>(limit.count()));
    set(handle.get(), CURLOPT_MAIL_FROM, sender.c_str());
    set(handle.get(), CURLOPT_MAIL_RCPT, recipients.get());
    set(handle.get(), CURLOPT_UPLOAD, 1L);
    set(handle.get(), CURLOPT_READFUNCTION, &give);
    set(handle.get(), CURLOPT_READDATA, static_cast<void*>(&rest));
    set(handle.get(), CURLOPT_ERRORBUFFER, static_cast<char*>(why));
    const auto done = ::curl_easy_perform(handle.get());
    long reply = 0;
    ::curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &reply);
    return {result_of(done, reply), std::string(why[0] != '\0' ? why : ::curl_easy_strerror(done)) +
                                        (reply != 0 ? " (" + std::to_string(reply) + ")" : "")};
}

}  // namespace clamscanner
