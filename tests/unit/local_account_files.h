// The test's own passwd and shadow files, and a place for a nologin. Two accounts: alice and bob.
#pragma once

#include "auth/authd/local_accounts.h"
#include "tests/unit/temporary_directory.h"

namespace clamscanner {

class LocalAccountFiles {
 public:
    LocalAccountFiles() {
        replace("passwd",
                "alice:x:2001:2001::/home/alice:/bin/"
                "sh\nbob:x:2002:2002::/home/bob:/bin/sh\n");
        replace("pam.d/clamscanner", "account required pam_permit.so\n");
        replace("shadow", "alice:$y$a:1:::::\nbob:$y$b:1:::::\n");
    }
    // As passwd(1) and chsh(1) do: written beside and renamed over.
    void replace(const std::string& name, const std::string& content) const {
        directory_.write(name + ".new", content);
        std::filesystem::rename(directory_.path + "/" + name + ".new", directory_.path + "/" + name);
    }
    void append(const std::string& name, const std::string& content) const {
        directory_.write(name, directory_.read(name) + content);
    }
    void remove(const std::string& name) const { std::filesystem::remove(directory_.path + "/" + name); }
    [[nodiscard]] LocalAccounts::Files names() const {
        return {directory_.path + "/passwd",
                directory_.path + "/shadow",
                {directory_.path + "/nologin"},
                {directory_.path + "/pam.d", directory_.path + "/security"}};
    }

 private:
    TemporaryDirectory directory_;
};

}  // namespace clamscanner
