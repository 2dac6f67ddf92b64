"""Two texts with the same MD5 and size, one of them infected: it is found whatever the same worker scanned before it,
in files and inside archives. And of files with the same content each is reported."""

import hashlib
import io
import os
import tarfile
import zipfile

from service_case import ServiceCase, main

SIGNATURES = "no-signatures"  # the service's signature directory, empty until a test fills it
PAIRS = 20

# X. Wang, D. Feng, X. Lai and H. Yu, "Collisions for Hash Functions MD4, MD5, HAVAL-128 and RIPEMD", 2004.
CLEAN = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a"
    "085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70")
INFECTED = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f8955ad340609f4b30283e4888325f1415a"
    "085125e8f7cdc99fd91dbd7280373c5bd8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70")
AT = 16  # around the first byte in which they differ


def twins(number):
    """A new pair for each number: appending the same bytes to both keeps their MD5s equal."""
    tail = f"pair {number}".encode()
    return CLEAN + tail, INFECTED + tail


def plain(*texts):
    assert len(texts) == 1
    return texts[0]


def zipped(*texts):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, text in enumerate(texts):
            archive.writestr(str(number), text)
    return packed.getvalue()


def tarred(*texts):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for number, text in enumerate(texts):
            member = tarfile.TarInfo(str(number))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return packed.getvalue()


class Md5Twins(ServiceCase):
    config = {"engine": {"scan_workers": 1}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(cls.service.path(SIGNATURES), "twin.ndb"), "w", encoding="ascii") as file:
            file.write(f"Infected-Twin:0:{AT}:{INFECTED[AT:AT + 16].hex()}\n")

    def setUp(self):
        self.account, self.client = self.new_account()

    def assert_found(self, files, infected):
        """Checks that exactly these are found. `files`: content by name."""
        paths = {name: self.account.write(f"public_html/{name}", content) for name, content in files.items()}
        for full in (0, 1):
            self.client.call("start_scan", {"scan_type": "public_html", "full": full})
            status = self.client.finish_scan()
            self.assertEqual(sorted(status["infected_files"]), sorted(paths[name] for name in infected))
            self.assertEqual(status["scanned_file_count"], len(files))
            listed = self.client.call("list_infected_files")
            self.assertEqual({entry["virus_type"] for entry in listed}, {"Infected-Twin.UNOFFICIAL"})

    def assert_distinguished(self, wrap, other_wrap):
        """Of many pairs, some have the clean one first, whatever the order in the directory."""
        files = {}
        for number in range(PAIRS):
            clean, infected = twins(number)
            assert hashlib.md5(clean).digest() == hashlib.md5(infected).digest() and len(clean) == len(infected)
            files |= {f"{number}-clean": wrap(clean), f"{number}-infected": other_wrap(infected)}
        self.assert_found(files, [name for name in files if name.endswith("infected")])

    def test_as_files(self):
        self.assert_distinguished(plain, plain)

    def test_in_zip_archives(self):
        self.assert_distinguished(zipped, zipped)

    def test_in_tar_archives(self):
        self.assert_distinguished(tarred, tarred)

    def test_one_in_an_archive_and_the_other_beside_it(self):
        self.assert_distinguished(zipped, plain)

    def test_the_infected_one_in_an_archive_alone(self):
        self.assert_distinguished(plain, tarred)

    def test_both_in_one_archive(self):
        files = {name: wrap(*twins(name)) for name, wrap in (("both.zip", zipped), ("both.tar.gz", tarred))}
        self.assert_found(files, files)

    def test_each_copy_is_reported(self):
        clean, infected = twins(0)
        files = {f"{name}-{number}": text for number in range(PAIRS)
                 for name, text in (("clean", clean), ("infected", infected))}
        self.assert_found(files, [name for name in files if name.startswith("infected")])


if __name__ == "__main__":
    main()
