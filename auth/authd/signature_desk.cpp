#include "auth/authd/signature_desk.h"

#include <cstdlib>
#include <ctime>

#include "auth/base/log.h"

namespace clamscanner {
namespace {

constexpr std::int64_t fresh_seconds = 15 * 60;  // before and after now

bool is_possible_action(const std::string& text) {
    return !text.empty() && text.size() <= longest_action;
}

}  // namespace

LoginVerdict SignatureDesk::verdict_on(const SignedLogin& login, const SignedFields& fields,
                                       const AccessKey*& key) try {
    key = keys_.find(login.key_id);
    if (key == nullptr) return LoginVerdict::NoKey;
    if (!key->active) return LoginVerdict::KeyDisabled;
    const auto time = signed_time(fields.time);
    if (!time) return LoginVerdict::TimeMalformed;
    const std::int64_t now = std::time(nullptr);
    if (std::abs(now - *time) > fresh_seconds) return LoginVerdict::TimeExpired;
    if (!is_signed(login.form, login.text, key->secret, login.signature) || fields.nonce.empty()) {
        log_line(Severity::Info, "wrong signature from " + origin_of(login.address) + " for the key " + key->id);
        return LoginVerdict::WrongSignature;
    }
    const auto use = nonces_.use(key->id, fields.nonce, now);
    if (use != Nonces::Use::First) return use == Nonces::Use::Again ? LoginVerdict::NonceUsed : LoginVerdict::Throttled;
    return is_possible_action(fields.action) && is_possible_action(fields.version) ? LoginVerdict::Welcome
                                                                                   : LoginVerdict::NoAction;
} catch (const std::system_error& fault) {
    log_line(Severity::Error, fault.what());
    return LoginVerdict::Unavailable;
}

void SignatureDesk::answer_signed_login(const SignedLogin& login, const Answer& answer) {
    const AccessKey* key = nullptr;
    auto fields = signed_fields(login.form, login.text);
    const auto verdict = verdict_on(login, fields, key);
    if (verdict != LoginVerdict::Welcome) return answer({verdict, 0}, nullptr, {});
    // The key's id takes the place of the password, so what the desk remembers belongs to this key.
    accounts_.answer_login(
        {key->user, Secret(key->id), login.address, Purpose::Statistics},
        [answer, id = key->id, generation = key->generation,
         serve = Serve{Purpose::Statistics, std::move(fields.action), std::move(fields.version), TokenScope::Full}](
            const LoginAnswer& said, const Account* account) {
            // A checked account always has a generation; a key of an earlier version has none.
            if (said.verdict != LoginVerdict::Welcome || account->generation == generation)
                return answer(said, account, serve);
            log_line(Severity::Warning, "the key " + id +
                                            " was made for an earlier account of its name, or before its home " +
                                            "moved, or by an earlier version: make it anew");
            answer({LoginVerdict::KeyDisabled, 0}, nullptr, {});
        });
}

}  // namespace clamscanner
