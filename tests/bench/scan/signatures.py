"""Makes a directory of synthetic signatures in ClamAV's text formats, as many and of such kinds as the public database
has: at scale 1 there are 5.6 million, about 1 GiB when loaded. None of them matches anything but EICAR and ClamAV's own
test file; what they cost is what counts. Always the same for the same scale and corpus."""

import math
import os
import random

# Put together at run time only: a scanner that reads this file, or what Python compiles it into, shall find nothing.
EICAR = b"".join((b"X5O!P%@AP[4\\PZX54(P^)7CC)7}", b"$EICAR-STANDARD-ANTI", b"VIRUS-TEST-FILE!$H+H*"))
EICAR_NAME = "Eicar-Test-Signature"
CLAMAV_TEST_FILE = "aa15bcf478d165efd2065190eb473bcb:544:ClamAV-Test-File"  # all that clamav-testfiles are made of

FAMILIES = ("Win.Trojan.Agent", "Win.Malware.Generic", "Win.Ransomware.Lock", "Win.Adware.Bundle", "Unix.Trojan.Mirai",
            "Doc.Dropper.Macro", "Php.Webshell.Synth", "Js.Downloader.Obf", "Html.Phishing.Kit", "Email.Phishing.Bank")
SMALLEST, LARGEST = 200, 24_000_000  # of the files that hash signatures are of
TEXT_SHARE = 0.02  # of byte signatures: those that begin like the text of a page or a script
TEXT_FILES = (".php", ".js", ".html", ".htm")
MOST_TEXT_FILES = 6000
FRAGMENTS_PER_FILE = 12

# Kinds of file that a signature is for, by ClamAV's number, with their shares. Any file (0) is what costs: each logical
# signature for it is looked at for every layer of every file.
BYTE_TARGETS = {0: 10, 1: 74, 3: 9, 7: 7}
LOGICAL_TARGETS = {0: 2, 1: 70, 2: 10, 3: 4, 4: 2, 6: 5, 7: 4, 10: 3}
TEXT_TARGETS = (0, 3, 7)


class Kind:
    """One file of the database; each draws from a generator of its own, so that a change of one changes no other."""

    def __init__(self, random_numbers, fragments):
        self.random = random_numbers
        self.fragments = fragments

    def hex_bytes(self, count):
        return self.random.randbytes(count).hex()

    def name(self, letter, number):
        return f"Synth.{self.random.choice(FAMILIES)}-{letter}{number}"

    def file_size(self):
        # Sizes of malware are spread over orders of magnitude.
        return int(math.exp(self.random.uniform(math.log(SMALLEST), math.log(LARGEST))))

    def pick(self, shares):
        return self.random.choices(list(shares), list(shares.values()))[0]

    def body(self):
        """Bytes that occur nowhere; some begin as real files do, so that the matcher has to look further."""
        if self.random.random() >= TEXT_SHARE:
            return self.hex_bytes(self.random.randint(20, 60))
        tail = self.hex_bytes(self.random.randint(10, 30)).encode()
        return (self.random.choice(self.fragments) + tail).hex()

    def md5(self, number):
        return f"{self.hex_bytes(16)}:{self.file_size()}:{self.name('h', number)}"

    def section(self, number):
        # The sections of a program are multiples of a disk's block.
        return f"{self.file_size() // 512 * 512 + 512}:{self.hex_bytes(16)}:{self.name('m', number)}"

    def sha256(self, number):
        return f"{self.hex_bytes(32)}:{self.file_size()}:{self.name('s', number)}"

    def sha1(self, number):
        return f"{self.hex_bytes(20)}:{self.file_size()}:{self.name('t', number)}"

    def sha256_of_any_size(self, number):
        return f"{self.hex_bytes(32)}:*:{self.name('w', number)}:73"

    def bytes(self, number):
        body = self.body()
        if number % 20 == 0:
            body = f"{body[:20]}{{-{self.random.randint(10, 200)}}}{body[20:]}"  # a gap
        elif number % 20 == 1:
            body = f"{body[:24]}??{body[24:]}"  # any byte
        offset = "0" if number % 10 == 0 else "*"
        return f"{self.name('n', number)}:{self.pick(BYTE_TARGETS)}:{offset}:{body}"

    def logical(self, number):
        target = self.pick(LOGICAL_TARGETS)
        parts = [self.body() if target in TEXT_TARGETS else self.hex_bytes(self.random.randint(12, 40))
                 for _ in range(self.random.randint(2, 5))]
        if number % 50 == 0:
            parts = [parts[0], f"0/synth[a-z]{{3,9}}{self.hex_bytes(3)}\\x28/i"]
        expression = "&".join(str(index) for index in range(len(parts)))
        return f"{self.name('l', number)};Engine:81-255,Target:{target};{expression};{';'.join(parts)}"


FILES = (
    ("synthetic.hdb", 2_600_000, Kind.md5),
    ("synthetic.mdb", 1_600_000, Kind.section),
    ("synthetic.hsb", 900_000, Kind.sha256),
    ("synthetic-sha1.hsb", 200_000, Kind.sha1),
    ("synthetic-any-size.hsb", 20_000, Kind.sha256_of_any_size),
    ("synthetic.ndb", 200_000, Kind.bytes),
    ("synthetic.ldb", 50_000, Kind.logical),
)


def make_signatures(directory, scale, corpus, seed=42):
    """How many there are then."""
    os.makedirs(directory, exist_ok=True)
    fragments = _text_fragments(corpus, random.Random(f"{seed} fragments"))
    made = 0
    for name, count, line in FILES:
        kind = Kind(random.Random(f"{seed} {name}"), fragments)
        made += _write(os.path.join(directory, name), (line(kind, number) for number in range(int(count * scale))))
    made += _write(os.path.join(directory, "tests.ndb"), [f"{EICAR_NAME}:0:0:{EICAR.hex()}"])
    made += _write(os.path.join(directory, "tests.hdb"), [CLAMAV_TEST_FILE])
    return made


def _write(path, lines):
    count = 0
    with open(path, "w", encoding="ascii", buffering=1 << 20) as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
    return count


def _text_fragments(corpus, random_numbers):
    """Pieces of the corpus's pages and scripts as libclamav sees them: in lower case, with single blanks."""
    paths = sorted(os.path.join(directory, name) for directory, _, names in os.walk(corpus) for name in names
                   if name.endswith(TEXT_FILES))
    random_numbers.shuffle(paths)
    fragments = []
    for path in paths[:MOST_TEXT_FILES]:
        with open(path, "rb") as file:
            text = b" ".join(file.read(200_000).lower().split())
        if len(text) < 200:
            continue
        for _ in range(FRAGMENTS_PER_FILE):
            start = random_numbers.randrange(len(text) - 60)
            fragments.append(text[start:start + random_numbers.randint(10, 30)])
    if not fragments:
        raise RuntimeError(f"{corpus} holds no pages and no scripts")
    return fragments
