"""Files for scans: infected ones that every scanner knows, and clean ones. The test virus stands in no file of this
repository: other scanners would take that for an infection."""

import io
import random
import struct
import zipfile
import zlib

MEBIBYTE = 1024 * 1024
EICAR = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + b"$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!" + b"$H+H*")


def eicar_zip(member="attachment/invoice.com"):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, EICAR)
    return packed.getvalue()


def clean_page(seed, size=20_000):
    """HTML that is no two times the same, so that no cache of the scanner's shortens the work."""
    choose = random.Random(seed)
    words = ["lorem", "ipsum", "dolor", "sit", "amet", "site", "shop", "cart", "price", "news", "mail", "photo"]
    lines = [f"<!doctype html><title>Page {seed}</title>"]
    length = len(lines[0])
    while length < size:
        line = "<p>" + " ".join(choose.choices(words, k=12)) + f" {choose.getrandbits(48):x}</p>"
        lines.append(line)
        length += len(line)
    return "\n".join(lines)


class SlowFiles:
    """Archives of 100 KB that keep the scanner busy for seconds each: every one holds a different page of 12 MiB."""

    def __init__(self):
        line = b"<p><a href='http://x.example/z'>lorem</a><script>var a='b'+unescape('%41%42');</script></p>\n"
        self._rest = line * (12 * MEBIBYTE // len(line))
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._packed_rest = packer.compress(self._rest) + packer.flush()

    def archive(self, number):
        """gzip (RFC 1952): the blocks of the page's own beginning, then those that all pages share."""
        head = f"<!doctype html><title>{number}</title>".encode()
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        blocks = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH) + self._packed_rest
        end = struct.pack("<II", zlib.crc32(self._rest, zlib.crc32(head)), len(head) + len(self._rest))
        return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + blocks + end

    def fill(self, account, count, directory="slow"):
        for number in range(count):
            account.write(f"{directory}/{number}.gz", self.archive(number))
