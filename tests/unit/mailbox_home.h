// A home with a mailbox of five messages, two of which are to be taken out.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "auth/base/checked.h"
#include "auth/base/sha256.h"
#include "jobs/runner/cleansing.h"
#include "jobs/runner/disposal.h"
#include "jobs/shared/content_hash.h"
#include "jobs/shared/quarantine_record.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {

inline std::string mail(const std::string& subject, const std::string& body) {
    return "From sender@example.org Thu Nov 29 22:33:52 2001\nSubject: " + subject + "\nStatus: RO\n\n" + body + "\n\n";
}

struct MailboxHome {
    static constexpr std::array<std::size_t, 2> bad = {1, 3};

    MailboxHome() {
        for (int i = 0; i < 5; ++i)
            messages.push_back(
                mail("number " + std::to_string(i), std::string(static_cast<std::size_t>(40 + 2000 * i), 'a')));
        home.write("mail/inbox", all());
        ::chmod(path().c_str(), 0640);
        const timespec times[2] = {{1'500'000'000, 0}, {1'600'000'000, 0}};
        ::utimensat(AT_FDCWD, path().c_str(), times, 0);
        order.token = 3;
        order.action = Action::Delete;
        order.path = path();
        order.opaque = "0123456789abcdef0123456789abcdef";
        order.virus = "Eicar";
        const UniqueFd file(checked(::open(path().c_str(), O_RDONLY | O_CLOEXEC), "open the mailbox"));
        order.metadata = metadata_of(file.get());
        for (const std::size_t i : bad)
            cuts.push_back(
                {"0123456789abcdef0123456789a" + std::to_string(i) + ".eml", sha256_hex(messages[i]), "Eicar"});
    }
    [[nodiscard]] std::string path() const { return home.path + "/mail/inbox"; }
    [[nodiscard]] std::string all() const {
        std::string all;
        for (const auto& message : messages) all += message;
        return all;
    }
    [[nodiscard]] std::string rest() const { return messages[0] + messages[2] + messages[4]; }
    [[nodiscard]] std::string mailbox() const { return home.read("mail/inbox"); }
    [[nodiscard]] std::string in_quarantine(const std::string& name) const {
        return home.read(std::string(quarantine_directory) + "/" + name);
    }
    [[nodiscard]] std::vector<std::string> quarantine() const {
        std::vector<std::string> names;
        const std::string directory = home.path + "/" + quarantine_directory;
        if (std::filesystem::exists(directory))
            for (const auto& entry : std::filesystem::directory_iterator(directory))
                names.push_back(entry.path().filename());
        std::sort(names.begin(), names.end());
        return names;
    }
    [[nodiscard]] Cleansed cleanse() const { return Cleansing(home.fd.get(), home.path).cleanse(order, cuts); }

    TemporaryDirectory home;
    std::vector<std::string> messages;
    Act order;
    std::vector<CutMail> cuts;
};

}  // namespace clamscanner
