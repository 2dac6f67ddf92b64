// Fuzzes the messages between processes: any bytes are either Malformed, or decode to something that encodes to the
// same bytes again.
#include <sys/socket.h>

#include <cstdlib>
#include <string_view>

#include "auth/authd/messages.h"
#include "auth/authd/pam_login.h"
#include "auth/authd/token_change.h"
#include "auth/base/socket.h"
#include "handlers/shared/messages.h"
#include "jobs/engine/host_messages.h"
#include "jobs/engine/known/messages.h"
#include "jobs/engine/messages.h"
#include "jobs/engine/worker/messages.h"
#include "jobs/fleet/messages.h"
#include "jobs/jobd/messages.h"
#include "jobs/runner/messages.h"
#include "jobs/shared/frames.h"

using namespace clamscanner;

namespace {

template <class Message>
void decode_one(std::string_view bytes) {
    try {
        if (encode(decode<Message>(bytes)).bytes() != bytes) std::abort();
    } catch (const Malformed&) {
    }
}

template <class... Messages>
void decode_each(std::string_view bytes) {
    (decode_one<Messages>(bytes), ...);
}

void read_frames(std::string_view bytes) {
    const auto [here, there] = socket_pair(SOCK_STREAM);
    FrameReader frames(1024);
    // In two pieces, cut somewhere that depends on the input.
    const auto cut = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]) % (bytes.size() + 1);
    try {
        for (const auto piece : {bytes.substr(0, cut), bytes.substr(cut, 100'000)}) {
            if (piece.empty()) continue;
            if (::send(here.get(), piece.data(), piece.size(), 0) < 0) std::abort();
            if (frames.read_from(there.get()) != Got::Packet) std::abort();
            while (const auto frame = frames.next())
                if (frame->size() > 1024) std::abort();
        }
    } catch (const Malformed&) {
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    decode_each<Login, LoginAnswer, OpenAgent, Serve, Served, StartRunner, RunnerAnswer, LoginChecked, EndProcesses,
                ProcessesEnded, TokenLogin, TokenOrder, TokenAnswer, TokenChanged>(bytes);
    decode_each<Request, Reply>(bytes);
    decode_each<CancelScan, AskUnscannedFiles, UnscannedFiles, AskQuarantinedFiles, QuarantinedFiles, ChangeQuarantine,
                QuarantineQueued, AskQuarantineChange, QuarantineChange, AskDryRun, DryRun, AskHeldSignatures,
                HeldSignatures, AllowSignature, AskSystemScan, SystemScanProgress, EndTurn, TurnEnded, NotHandedOver,
                Listed, SignaturesLoaded, SignaturesChanged, SignaturesBroken, StartScan, AskScanStatus,
                AskInfectedFiles, Disinfect, AskDisinfection, Accepted, Declined, ScanStatus, InfectedFiles,
                DisinfectionQueued, DisinfectionStatus, NewJob, JobEnded, ScannerReady, ScannerFailed, ScanProgress,
                FoundInfected, FoundUnscanned, ScanResult, ScanCompleted, HandOver, HandOverFiles, HandOverEnd,
                ScanRequest, ScanAnswer, ScanQuarantined, RunScan, UseCoordinator, ScanFile, ScanMoved, Act, CopyBegin,
                CopyLine, CopyEnd, Finish, WalkProgress, Unreadable, WalkFailed, HandedOver, Opened, NotOpened, Acted,
                CopyDone, RunnerFailed, AdoptQuarantined, Adopted, StartSystemScan, AskHistory, History,
                CancelSystemScan, AskAllFinds, AllFinds, QuarantineFinds, FindsQueued, AskTask, TaskReport, AskService,
                ServiceReport, AskIgnored, Ignored, IgnoreFiles, FilesIgnored, UnignoreFiles, FilesUnignored,
                AskIgnoredEverywhere, AllIgnoredEverywhere, IgnoreEverywhere, UnignoreEverywhere, AskSchedule,
                SetSchedule, ScheduleStatus, AskNotifications, Notifications, SetNotifications, ConfirmNotifications,
                FetchNotice, Notice, SettleNotice, AskFoundHash, FoundHash>(bytes);
    decode_each<OpenMeetings, OpenJudge, BeginMeetings, MeetContents, ContentsMet, ContentToJudge, ContentJudged,
                JudgeReady, JudgeContent, Judgement, UseRegistry>(bytes);
    decode_each<AskFleetStatistics, FleetStatistics, AskFleetTasks, FleetTasks, AskFleetMachines, FleetMachines,
                AskFleetFindings, FleetFindings, StartFleetScan>(bytes);
    read_frames(bytes);
    return 0;
}
