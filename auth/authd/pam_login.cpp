#include "auth/authd/pam_login.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "auth/authd/account_generation.h"
#include "auth/authd/shadow_file.h"
#include "auth/base/log.h"

namespace clamscanner {
namespace {

enum class PamResult { Yes = 0, No = 1, Fault = 2 };

class PamTransaction {
 public:
    PamTransaction(const std::string& service, const std::string& user, const Secret* password) : password_(password) {
        const pam_conv conversation{&PamTransaction::converse, this};
        if (::pam_start(service.c_str(), user.c_str(), &conversation, &handle_) != PAM_SUCCESS)
            throw std::runtime_error("PAM does not start for the service " + service);
        // By default PAM sleeps for seconds after a wrong password, which would occupy a slot.
        set(PAM_FAIL_DELAY, reinterpret_cast<const void*>(&PamTransaction::no_delay));
    }
    ~PamTransaction() { ::pam_end(handle_, last_); }
    PamTransaction(const PamTransaction&) = delete;
    PamTransaction& operator=(const PamTransaction&) = delete;

    void set(int item, const void* value) {
        if (::pam_set_item(handle_, item, value) != PAM_SUCCESS) throw std::runtime_error("PAM refuses an item");
    }

    [[nodiscard]] PamResult authenticate() {
        // All results that mean "not with this name and password" give the same answer. So does a conversation that we
        // cannot continue: a further prompt must not reveal that the password was right.
        static constexpr std::array no = {PAM_AUTH_ERR,    PAM_USER_UNKNOWN, PAM_MAXTRIES,
                                          PAM_PERM_DENIED, PAM_CONV_ERR,     PAM_ACCT_EXPIRED};
        last_ = ::pam_authenticate(handle_, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
        if (last_ == PAM_SUCCESS) return asked_for_the_password() ? PamResult::Yes : PamResult::No;
        return std::find(no.begin(), no.end(), last_) != no.end() ? PamResult::No : fault("authentication");
    }

    [[nodiscard]] PamResult account_is_open() {
        // Here the faults are listed; any other code means no.
        static constexpr std::array faults = {PAM_AUTHINFO_UNAVAIL, PAM_SYSTEM_ERR, PAM_SERVICE_ERR,
                                              PAM_BUF_ERR,          PAM_ABORT,      PAM_OPEN_ERR,
                                              PAM_SYMBOL_ERR};
        last_ = ::pam_acct_mgmt(handle_, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
        if (last_ == PAM_SUCCESS) return PamResult::Yes;
        return std::find(faults.begin(), faults.end(), last_) == faults.end() ? PamResult::No
                                                                              : fault("account management");
    }

    // A module may have replaced the name that was typed.
    [[nodiscard]] std::string user() const {
        const void* name = nullptr;
        if (::pam_get_item(handle_, PAM_USER, &name) != PAM_SUCCESS || name == nullptr)
            throw std::runtime_error("PAM returns no user name");
        return static_cast<const char*>(name);
    }
    [[nodiscard]] unsigned hidden_prompts() const noexcept { return hidden_prompts_; }

 private:
    static constexpr int most_prompts = 8;

    // Success without a prompt (pam_rootok, pam_permit) says nothing about the password: any would have done.
    [[nodiscard]] bool asked_for_the_password() const {
        if (hidden_prompts_ == 0)
            log_line(Severity::Warning, printable(user()) + " is refused: PAM did not ask for the password");
        return hidden_prompts_ != 0;
    }

    PamResult fault(const char* where) const {
        log_line(Severity::Error, std::string("PAM ") + where + ": " + ::pam_strerror(handle_, last_));
        return PamResult::Fault;
    }

    static void no_delay(int, unsigned, void*) noexcept {}

    // The password answers every hidden prompt, because stacks of two modules need that; visible prompts get no answer.
    static int converse(int count, const pam_message** messages, pam_response** responses, void* self) noexcept {
        auto& transaction = *static_cast<PamTransaction*>(self);
        if (count < 1 || count > most_prompts) return PAM_CONV_ERR;
        *responses = static_cast<pam_response*>(::calloc(static_cast<std::size_t>(count), sizeof(pam_response)));
        if (*responses == nullptr) return PAM_BUF_ERR;
        // Responses of a conversation that failed are not freed: the child ends soon after.
        for (int i = 0; i < count; ++i)
            if (!transaction.respond(messages[i]->msg_style, (*responses)[i])) return PAM_CONV_ERR;
        return PAM_SUCCESS;
    }

    bool respond(int style, pam_response& answer) noexcept {
        if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG) return true;
        if (style != PAM_PROMPT_ECHO_OFF || password_ == nullptr || hidden_prompts_ >= most_prompts) return false;
        ++hidden_prompts_;
        answer.resp = ::strdup(password_->reveal().c_str());
        return answer.resp != nullptr;
    }

    const Secret* password_;
    unsigned hidden_prompts_ = 0;
    pam_handle_t* handle_ = nullptr;
    int last_ = PAM_SUCCESS;
};

// Null when the account may be used.
const char* why_forbidden(const PamTransaction& pam, PamResult open, const Config& config, Account& account) {
    if (open == PamResult::No) return "PAM says that the account is locked, expired or closed";
    if (!find_account(pam.user(), account)) return "the name service does not know the account";
    return is_served(account, config) ? nullptr : "its uid is below login.uid_floor";
}

// The client is not told why; the administrator needs to know.
void log_refusal(const std::string& user, const char* why) {
    log_line(Severity::Info, printable(user) + " authenticated but is refused: " + why);
}

LoginChecked checked_account(PamTransaction& pam, const Config& config) {
    LoginChecked checked;
    const auto open = pam.account_is_open();
    if (open == PamResult::Fault) return checked;
    const char* why = why_forbidden(pam, open, config, checked.account);
    if (why != nullptr) log_refusal(pam.user(), why);
    checked.verdict = why != nullptr ? LoginVerdict::Forbidden : LoginVerdict::Welcome;
    return checked;
}

}  // namespace

LoginChecked pam_login(const Config& config, const std::string& user, const Secret& password, const std::string& origin,
                       const std::string& shadow_file) {
    PamTransaction pam(config.login.pam_service, user, &password);
    pam.set(PAM_RHOST, origin.c_str());
    const auto right = pam.authenticate();
    if (right == PamResult::No) ShadowFile(shadow_file, user).spend_a_hash(password);
    if (right != PamResult::Yes)
        return {right == PamResult::No ? LoginVerdict::Wrong : LoginVerdict::Unavailable, false, false, {}};
    auto checked = checked_account(pam, config);
    checked.one_prompt = pam.hidden_prompts() == 1;
    if (checked.verdict == LoginVerdict::Welcome)
        checked.is_local = ShadowFile(shadow_file, checked.account.name).matches(password);
    return checked;
}

LoginChecked pam_account(const Config& config, const std::string& user, const std::string& origin) {
    PamTransaction pam(config.login.pam_service, user, nullptr);
    if (!origin.empty()) pam.set(PAM_RHOST, origin.c_str());
    auto checked = checked_account(pam, config);
    checked.one_prompt = true;  // so it may be remembered: no prompt was involved
    return checked;
}

LoginChecked with_home(LoginChecked checked, const std::optional<HomeIdentity>& home, const Config& config) {
    auto& account = checked.account;
    if (checked.verdict != LoginVerdict::Welcome) return checked;
    if (!home) return {LoginVerdict::FilesHang, false, false, {}};
    account.generation = account_generation(account, *home);
    if (!home->is_missing || is_host_user(account.name, config)) return checked;
    log_refusal(account.name, "it has no home directory");
    checked.verdict = LoginVerdict::Forbidden;
    return checked;
}

RunnerVerdict pam_account_is_open(const Config& config, const std::string& user) {
    PamTransaction pam(config.login.pam_service, user, nullptr);
    static constexpr RunnerVerdict verdicts[] = {RunnerVerdict::Started, RunnerVerdict::Suspended,
                                                 RunnerVerdict::Unavailable};
    return verdicts[static_cast<int>(pam.account_is_open())];
}

}  // namespace clamscanner
