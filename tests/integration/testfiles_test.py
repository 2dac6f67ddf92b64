"""ClamAV's own test files, one virus in every wrapping that the library opens, and beside them the test virus plain and
packed: the service finds exactly what clamscan finds with the same signatures and limits, under the same names."""

import io
import os
import re
import subprocess
import tarfile

from client import wait_until
from service_case import ServiceCase, main
from test_files import EICAR, clean_page, eicar_zip

TEST_FILES = "/usr/share/clamav-testfiles"
SIGNATURES = "no-signatures"  # the service's signature directory, empty until a test fills it
SCAN_LOG = ".clamavconnector.scan.log"
CLEAN_FILES = 20

# The same limits for both: with clamscan's own, files nested deeper than the service looks would give other results.
LIMITS = {"max_scan_bytes": ("--max-scansize", 104_857_600), "max_file_bytes": ("--max-filesize", 26_214_400),
          "max_recursion": ("--max-recursion", 16), "max_files": ("--max-files", 10_000),
          "pcre_match_limit": ("--pcre-match-limit", 10_000),
          "pcre_recursion_limit": ("--pcre-recmatch-limit", 5_000)}


def eicar_tar_gz():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("backup/invoice.com")
        member.size = len(EICAR)
        archive.addfile(member, io.BytesIO(EICAR))
    return packed.getvalue()


def eicar_mail():
    return (b"From: a@example.com\r\nTo: b@example.com\r\nSubject: invoice\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=\"frontier\"\r\n\r\n"
            b"--frontier\r\nContent-Type: text/plain\r\n\r\nPlease see the attachment.\r\n"
            b"--frontier\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Disposition: attachment; filename=\"invoice.com\"\r\n\r\n" + EICAR + b"\r\n--frontier--\r\n")


class TestFiles(ServiceCase):
    maxDiff = None
    config = {"engine": {key: limit for key, (_, limit) in LIMITS.items()}}

    def setUp(self):
        self.signatures = self.service.path(SIGNATURES)
        self.write_signatures("test-file.hdb", "aa15bcf478d165efd2065190eb473bcb:544:ClamAV-Test-File\n")
        self.write_signatures("test-virus.ndb", f"Eicar-Test-Signature:0:0:{EICAR.hex()}\n")
        self.account, self.client = self.new_account()

    def write_signatures(self, name, lines):
        with open(os.path.join(self.signatures, name), "w", encoding="ascii") as file:
            file.write(lines)

    def fill(self):
        """Files that may be infected, and files that certainly are not."""
        suspects = []
        for name in os.listdir(TEST_FILES):
            with open(os.path.join(TEST_FILES, name), "rb") as file:
                suspects.append(self.account.write(f"clamav/{name}", file.read()))
        for name, content in (("plain.com", EICAR), ("packed.zip", eicar_zip()), ("packed.tar.gz", eicar_tar_gz()),
                              ("message.eml", eicar_mail())):
            suspects.append(self.account.write(f"eicar/{name}", content))
        clean = [self.account.write(f"clean/{i}.html", clean_page(i)) for i in range(CLEAN_FILES)]
        return suspects, clean

    def found_by_clamscan(self):
        limits = [f"{option}={limit}" for option, limit in LIMITS.values()]
        done = subprocess.run(["clamscan", f"--database={self.signatures}", "--recursive", "--infected", "--no-summary",
                               *limits, self.account.home], capture_output=True, text=True)
        # 1: something was found. 2 would be an error, which must not be mistaken for an empty list.
        self.assertEqual(done.returncode, 1, done.stderr)
        return {path: name for path, name in re.findall(r"^(/.*): (\S+) FOUND$", done.stdout, re.MULTILINE)}

    def totals(self):
        """The counts in the log in the home, once it is there: total, clean, infected, not scanned."""
        def read():
            try:
                with open(self.account.path(SCAN_LOG), encoding="utf-8") as log:
                    head = log.readline()
            except FileNotFoundError:
                return None
            return re.search(r"(\d+) files, (\d+) clean, (\d+) infected, (\d+) not scanned", head)

        return [int(number) for number in wait_until(read, 30, "the log in the home").groups()]

    def test_the_service_finds_what_clamscan_finds_and_nothing_else(self):
        suspects, clean = self.fill()
        expected = self.found_by_clamscan()
        self.assertGreaterEqual(len(expected), len(suspects) / 2, "a database that detects nothing shows nothing")
        self.assertTrue(set(expected) <= set(suspects), set(expected) - set(suspects))
        self.assertTrue(any("ClamAV-Test-File" in name for name in expected.values()), expected)
        self.assertEqual([path for path in suspects if "/eicar/" in path and path not in expected], [])

        status = self.client.scan()
        listed = self.client.call("list_infected_files")
        self.assertEqual({entry["file"]: entry["virus_type"] for entry in listed}, expected)
        self.assertEqual(len(listed), len(expected), "a file is listed twice")
        self.assertEqual(sorted(status["infected_files"]), sorted(expected))

        total, clean_files, infected, unscanned = self.totals()
        self.assertEqual(total, len(suspects) + len(clean))
        self.assertEqual((status["scanned_file_count"], status["total_file_count"]), (total, total))
        self.assertEqual(infected, len(expected))
        self.assertEqual(clean_files + infected + unscanned, total)
        print(f"{len(expected)} of {len(suspects)} test files found, {unscanned} files not scanned", flush=True)


if __name__ == "__main__":
    main()
