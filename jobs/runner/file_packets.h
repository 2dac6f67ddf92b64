// The files of a scan on their way to the coordinator. A packet carries several, since one for each file costs as much
// as opening the file does; but only one as long as few were sent: workers shall soon have something to scan, and where
// opening a file takes for ever, all those before it must get their verdicts, at the latest when the job is started
// again, close to that file.
#pragma once

#include <string>
#include <vector>

#include "auth/base/socket.h"

namespace clamscanner {

class FilePackets {
 public:
    // `coordinator`: a blocking socket, which must outlive this. Its buffer is limited, so that sending waits while the
    // coordinator has enough to do, and the runner gets only a little ahead of it. Throws std::system_error.
    explicit FilePackets(int coordinator);
    // `path`: absolute. `file`: opened for reading. False: the coordinator is gone.
    [[nodiscard]] bool add(std::string path, UniqueFd file);
    // Sends what was added and is not sent yet. To be called after the last file, and before the coordinator is told of
    // anything that comes after these files. False: the coordinator is gone.
    [[nodiscard]] bool send();

 private:
    int coordinator_;
    std::size_t most_together_;
    std::size_t sent_ = 0;   // files
    std::size_t bytes_ = 0;  // of paths_
    std::vector<std::string> paths_;
    std::vector<UniqueFd> files_;
};

}  // namespace clamscanner
