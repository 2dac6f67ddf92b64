"""What ClamAV itself brings to scan a directory: clamscan, and clamd with clamdscan. Both with the limits of Debian's
clamd, which are the service's too."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

DEPTH = 100  # of directories; the tools' own limits differ
CLAMD_USER = "clamav"  # comes with Debian's packages and may read no account's home
PROGRAM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
READY_SECONDS = 300
# The service's priority when it scans (auth/base/priority.h): beside anything else that the machine does, only equals can be
# compared.
NICE = ("nice", "-n", "10")

# What Debian's package configures when nobody chose otherwise, in so far as it bears upon a scan.
CLAMD_CONF = """
Foreground true
LocalSocket {directory}/clamd.sock
LocalSocketMode 666
FixStaleSocket true
LogFile {directory}/clamd.log
DatabaseDirectory {signatures}
TemporaryDirectory {temporary}
SelfCheck 3600
MaxThreads 12
MaxQueue 100
MaxConnectionQueueLength 15
IdleTimeout 30
ReadTimeout 180
CommandReadTimeout 30
SendBufTimeout 200
MaxDirectoryRecursion {depth}
FollowDirectorySymlinks false
FollowFileSymlinks false
CrossFilesystems true
ScanMail true
ScanArchive true
ScanPE true
ScanELF true
ScanOLE2 true
ScanPDF true
ScanHTML true
ScanSWF true
ScanXMLDOCS true
ScanHWP3 true
ScanPartialMessages false
AlertEncrypted false
AlertExceedsMax false
OLE2BlockMacros false
DetectPUA false
HeuristicAlerts true
HeuristicScanPrecedence false
StructuredDataDetection false
PhishingSignatures true
PhishingScanURLs true
Bytecode true
BytecodeSecurity TrustSigned
BytecodeTimeout 60000
AllowAllMatchScan true
ForceToDisk false
DisableCertCheck false
DisableCache false
MaxScanTime 120000
MaxScanSize 100M
MaxFileSize 25M
MaxRecursion 16
MaxFiles 10000
MaxEmbeddedPE 10M
MaxHTMLNormalize 10M
MaxHTMLNoTags 2M
MaxScriptNormalize 5M
MaxZipTypeRcg 1M
MaxPartitions 50
MaxIconsPE 100
MaxRecHWP3 16
PCREMatchLimit 10000
PCRERecMatchLimit 5000
PCREMaxFileSize 25M
StreamMaxLength 25M
"""
CLAMSCAN_LIMITS = ("--max-scantime=120000", "--max-scansize=100M", "--max-filesize=25M", "--max-recursion=16",
                   "--max-files=10000", "--max-embeddedpe=10M", "--max-htmlnormalize=10M", "--max-htmlnotags=2M",
                   "--max-scriptnormalize=5M", "--max-ziptypercg=1M", "--max-partitions=50", "--max-iconspe=100",
                   "--max-rechwp3=16", "--pcre-match-limit=10000", "--pcre-recmatch-limit=5000",
                   "--pcre-max-filesize=25M", f"--max-dir-recursion={DEPTH}")


def clamscan(signatures, directory, tree):
    """Seconds, loading included, and what it found."""
    return _timed(["clamscan", "-r", "--infected", "--no-summary", f"--database={signatures}", f"--tempdir={directory}",
                   *CLAMSCAN_LIMITS, tree])


class Clamd:
    """One clamd, with its signatures loaded and nothing scanned yet."""

    def __init__(self, signatures, directory, on_tmpfs=False):
        self.signatures = signatures
        self.place = directory
        self.on_tmpfs = on_tmpfs
        self.process = None
        self.directory = None
        self.temporary = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for directory in (self.temporary, self.directory):
            if directory:
                shutil.rmtree(directory)

    def scan(self, tree):
        """Seconds, and what it found. The client opens the files and passes them on, to as many threads as it may."""
        return _timed(["clamdscan", f"--config-file={self._path('clamd.conf')}", "--multiscan", "--fdpass",
                       "--infected", "--no-summary", tree])

    def reload(self):
        """Loads the signatures anew, and waits until they are those that the next file is scanned with."""
        before = self._log().count("Activating the newly loaded database")
        subprocess.run(["clamdscan", f"--config-file={self._path('clamd.conf')}", "--reload"], check=True,
                       stdout=subprocess.DEVNULL)
        self._wait(lambda: self._log().count("Activating the newly loaded database") > before, "reload")

    def _start(self):
        user = pwd.getpwnam(CLAMD_USER)
        self.directory = _directory_of(user, self.place)
        # Debian's default is /tmp, which is on disk there.
        self.temporary = _directory_of(user, "/dev/shm" if self.on_tmpfs else self.place)
        with open(self._path("clamd.conf"), "w", encoding="utf-8") as file:
            file.write(CLAMD_CONF.format(directory=self.directory, signatures=self.signatures,
                                         temporary=self.temporary, depth=DEPTH))
        # A copy: where Debian's AppArmor profile holds, it lets the installed one read no directory of ours.
        program = shutil.copy(shutil.which("clamd", path=PROGRAM_PATH), self.directory)
        with open(self._path("output"), "wb") as output:
            self.process = subprocess.Popen(
                [*NICE, "setpriv", "--pdeathsig=TERM", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
                 "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
                 program, f"--config-file={self._path('clamd.conf')}"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True)
        self._wait(self._answers, "start")

    def _wait(self, condition, what):
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"clamd does not {what} (status {self.process.poll()}): {self._log()[-1000:]}")
            time.sleep(0.05)

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self._path("clamd.sock"))
                connection.settimeout(5)
                connection.sendall(b"zPING\0")
                return connection.recv(16).startswith(b"PONG")
            except OSError:
                return False

    def _log(self):
        try:
            with open(self._path("clamd.log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def _path(self, name):
        return os.path.join(self.directory, name)


def _directory_of(user, place):
    directory = tempfile.mkdtemp(prefix="clamd-", dir=place)
    os.chown(directory, user.pw_uid, user.pw_gid)
    return directory


def _timed(command):
    begun = time.monotonic()
    done = subprocess.run([*NICE, *command], stdin=subprocess.DEVNULL, capture_output=True)
    seconds = time.monotonic() - begun
    # 1 is that something was found.
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{command[0]}: status {done.returncode}: {os.fsdecode(done.stdout + done.stderr)[-1000:]}")
    return seconds, _found(os.fsdecode(done.stdout))


def _found(output):
    """Path to name, from lines such as "/home/x/y: Name FOUND"."""
    lines = (line.removesuffix(" FOUND") for line in output.split("\n") if line.endswith(" FOUND"))
    return dict(line.rsplit(": ", 1) for line in lines)
