"""What a file holds and the scanner did not see makes the file not scanned, each with its reason; whole archives of all
kinds are clean. A damaged file costs no worker."""

import glob

import packed_files
from service_case import ServiceCase, main


class Containers(ServiceCase):
    maxDiff = None
    config = {"engine": {"max_file_bytes": packed_files.LIMIT}}

    def setUp(self):
        self.account, self.client = self.new_account()

    def reasons(self):
        """Path below the home -> reason, of all that the scan has no verdict on."""
        status = self.client.scan()
        self.assertEqual(status["infected_files"], [])
        home = self.account.home + "/"
        return {row["file"].removeprefix(home): row["reason"] for row in self.client.call("list_unscanned_files")}

    def test_whole_archives_are_clean(self):
        for name, content in packed_files.whole().items():
            self.account.write(name, content)
        self.assertEqual(self.reasons(), {})

    def test_what_the_scanner_did_not_see_is_told_with_its_reason(self):
        expected = {}
        for reason, files in packed_files.not_scanned().items():
            for name, content in files.items():
                self.account.write(name, content)
                expected[name] = reason
        self.account.write("beside.txt", packed_files.TEXT)
        self.assertEqual(self.reasons(), expected)
        with open(self.service.path("programs.log"), encoding="utf-8", errors="replace") as log:
            self.assertNotIn("a worker is replaced", log.read(), "a file that could not be opened cost a worker")

    def test_rar_is_clean_only_where_the_library_for_it_is_there(self):
        self.account.write("archive.rar", packed_files.rar())
        there = glob.glob("/usr/lib/*/libclamunrar_iface*")
        self.assertEqual(self.reasons(), {} if there else {"archive.rar": "unsupported archive"})


if __name__ == "__main__":
    main()
