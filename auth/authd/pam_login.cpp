#include "auth/authd/pam_login.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "auth/authd/account_generation.h"
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
        // With the default a wrong password would sleep here for seconds and hold a slot all the while.
        set(PAM_FAIL_DELAY, reinterpret_cast<const void*>(&PamTransaction::no_delay));
    }
    ~PamTransaction() { ::pam_end(handle_, last_); }
    PamTransaction(const PamTransaction&) = delete;
    PamTransaction& operator=(const PamTransaction&) = delete;

    void set(int item, const void* value) {
        if (::pam_set_item(handle_, item, value) != PAM_SUCCESS) throw std::runtime_error("PAM refuses an item");
    }

    [[nodiscard]] PamResult authenticate() {
        // Everything that means "not with this name and password" is one answer. A conversation that we cannot hold is
        // one of them: what a module would ask next must not tell that the password was right.
        static constexpr std::array no = {PAM_AUTH_ERR,    PAM_USER_UNKNOWN, PAM_MAXTRIES,
                                          PAM_PERM_DENIED, PAM_CONV_ERR,     PAM_ACCT_EXPIRED};
        last_ = ::pam_authenticate(handle_, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
        if (last_ == PAM_SUCCESS) return asked_for_the_password() ? PamResult::Yes : PamResult::No;
        return std::find(no.begin(), no.end(), last_) != no.end() ? PamResult::No : fault("authentication");
    }

    [[nodiscard]] PamResult account_is_open() {
        // Here it is the faults that are few; what a module means by any other code is no.
        static constexpr std::array faults = {PAM_AUTHINFO_UNAVAIL, PAM_SYSTEM_ERR, PAM_SERVICE_ERR,
                                              PAM_BUF_ERR,          PAM_ABORT,      PAM_OPEN_ERR,
                                              PAM_SYMBOL_ERR};
        last_ = ::pam_acct_mgmt(handle_, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
        if (last_ == PAM_SUCCESS) return PamResult::Yes;
        return std::find(faults.begin(), faults.end(), last_) == faults.end() ? PamResult::No
                                                                              : fault("account management");
    }

    // A module may have put another name in the place of the one that was typed.
    [[nodiscard]] std::string user() const {
        const void* name = nullptr;
        if (::pam_get_item(handle_, PAM_USER, &name) != PAM_SUCCESS || name == nullptr)
            throw std::runtime_error("PAM forgot the user");
        return static_cast<const char*>(name);
    }
    [[nodiscard]] unsigned hidden_prompts() const noexcept { return hidden_prompts_; }

 private:
    static constexpr int most_prompts = 8;

    // A module that lets in without a question (pam_rootok, pam_permit) says nothing of the password: any would do.
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

    // The password answers every hidden prompt, as stacks of two modules need it; nothing answers a visible one.
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

// Null when nothing speaks against it.
const char* why_forbidden(const PamTransaction& pam, PamResult open, const Config& config, Account& account) {
    if (open == PamResult::No) return "PAM says that the account is locked, expired or closed";
    if (!find_account(pam.user(), account)) return "the name service does not know the account";
    if (!is_served(account, config)) return "its uid is below the floor";
    const auto home = home_identity(account.home);
    account.generation = account_generation(account, home);
    return !home.is_missing || is_host_user(account.name, config) ? nullptr : "it has no home directory";
}

LoginChecked checked_account(PamTransaction& pam, const Config& config) {
    LoginChecked checked;
    const auto open = pam.account_is_open();
    if (open == PamResult::Fault) return checked;
    const char* why = why_forbidden(pam, open, config, checked.account);
    // The client hears no reason; the administrator needs one.
    if (why != nullptr) log_line(Severity::Info, printable(pam.user()) + " is who they say and is refused: " + why);
    checked.verdict = why != nullptr ? LoginVerdict::Forbidden : LoginVerdict::Welcome;
    return checked;
}

}  // namespace

LoginChecked pam_login(const Config& config, const std::string& user, const Secret& password,
                       const std::string& origin) {
    PamTransaction pam(config.login.pam_service, user, &password);
    pam.set(PAM_RHOST, origin.c_str());
    const auto right = pam.authenticate();
    if (right != PamResult::Yes)
        return {right == PamResult::No ? LoginVerdict::Wrong : LoginVerdict::Unavailable, false, {}};
    auto checked = checked_account(pam, config);
    checked.one_prompt = pam.hidden_prompts() == 1;
    return checked;
}

LoginChecked pam_account(const Config& config, const std::string& user) {
    PamTransaction pam(config.login.pam_service, user, nullptr);
    auto checked = checked_account(pam, config);
    checked.one_prompt = true;  // no other secret was asked for either
    return checked;
}

RunnerVerdict pam_account_is_open(const Config& config, const std::string& user) {
    PamTransaction pam(config.login.pam_service, user, nullptr);
    static constexpr RunnerVerdict verdicts[] = {RunnerVerdict::Started, RunnerVerdict::Suspended,
                                                 RunnerVerdict::Unavailable};
    return verdicts[static_cast<int>(pam.account_is_open())];
}

}  // namespace clamscanner
