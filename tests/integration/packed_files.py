"""Archives and documents of every kind that a scanner may look into, whole ones and such as it cannot: each of the
latter under the reason that the service must give. LIMIT is the size of the largest member that it is to scan."""

import bz2
import gzip
import io
import lzma
import os
import random
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib

LIMIT = 1024 * 1024
_choose = random.Random(7)
TEXT = "".join(_choose.choice("abcdefghij \n") for _ in range(20_000)).encode()
NOISE = _choose.randbytes(15_000)
MEMBERS = [("text.txt", TEXT), ("folder/noise.bin", NOISE), ("page.html", b"<html><body>hello</body></html>"), ("x", b"")]
LARGE = bytes(LIMIT + 100_000)


def zipped(members, method=zipfile.ZIP_DEFLATED, comment=b"", before=b"", zip64=False, streamed=False):
    packed = _Unseekable(before) if streamed else io.BytesIO(before)
    if not streamed:
        packed.seek(0, io.SEEK_END)
    with zipfile.ZipFile(packed, "a" if before and not streamed else "w", method) as archive:
        archive.comment = comment
        for name, content in members:
            with archive.open(name, "w", force_zip64=zip64) as member:
                member.write(content)
    return packed.getvalue()


class _Unseekable(io.RawIOBase):
    """A pipe: what is written into it cannot be changed any more."""

    def __init__(self, before):
        super().__init__()
        self.written = bytearray(before)

    def writable(self):
        return True

    def write(self, more):
        self.written += bytes(more)
        return len(more)

    def getvalue(self):
        return bytes(self.written)


def tarred(members, mode="w", **how):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, **how) as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def by_7z(*options, content=TEXT, kind="7z"):
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "text.txt"), "wb") as file:
            file.write(content)
        done = subprocess.run(["7z", "a", f"-t{kind}", *options, "packed", "text.txt"], cwd=directory,
                              stdout=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stdout
        name = next(name for name in os.listdir(directory) if name.startswith("packed"))
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()


def zip64_sizes(archive):
    """The sizes in the local headers say that they are in the extra field, where they are: later versions of zipfile
    write it so."""
    changed = bytearray(archive)
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        for member in members.infolist():
            changed[member.header_offset + 18:member.header_offset + 26] = b"\xff" * 8
    return bytes(changed)


def zip64_end(archive):
    """The same archive with the end record that has 64 bits for each number."""
    end = archive.rindex(b"PK\5\6")
    count, _, size, offset = struct.unpack_from("<HHII", archive, end + 8)
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    return archive[:end] + record + locator + archive[end:end + 8] + b"\xff" * 12 + bytes(2)


def apk():
    """With a block between the members and the directory, as signed Android packages have one."""
    archive = zipped(MEMBERS)
    end = archive.rindex(b"PK\5\6")
    directory = struct.unpack_from("<I", archive, end + 16)[0]
    block = struct.pack("<Q", 44) + bytes(20) + struct.pack("<Q", 44) + b"APK Sig Block 42"
    record = bytearray(archive[end:])
    struct.pack_into("<I", record, 16, directory + len(block))
    return archive[:directory] + block + archive[directory:end] + bytes(record)


def with_hole():
    """As Android's tools remove a member: an empty local header takes its place."""
    archive = bytearray(without_some_members())
    taken = archive.index(b"PK\3\4", 4)
    hole = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 0, 0, 0, 0, 0, 0, 0, taken - 30)
    archive[:taken] = hole + bytes(taken - 30)
    return bytes(archive)


def without_some_members():
    """A ZIP archive of which the directory lists the last member alone."""
    archive = zipped([("hidden.txt", TEXT), ("listed.bin", NOISE)])
    directory = archive.index(b"PK\1\2")
    listed = archive.index(b"PK\1\2", directory + 4)
    end = archive.rindex(b"PK\5\6")
    record = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, end - listed, directory, 0)
    return archive[:directory] + archive[listed:end] + record


def rar(content=TEXT):
    """RAR 4, stored."""
    def block(kind, flags, fields, data=b""):
        rest = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
        return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest + data

    name = b"text.txt"
    file = struct.pack("<IIBIIBBHI", len(content), len(content), 3, zlib.crc32(content), 0, 20, 0x30, len(name), 0o644)
    return (b"Rar!\x1a\x07\x00" + block(0x73, 0, bytes(6)) + block(0x74, 0x8000, file + name, content) +
            block(0x7B, 0x4000, b""))


def compound_file(streams):
    """[MS-CFB] of streams of 4,096 bytes or more: the directory takes sector 0, the table of sectors the last one."""
    streams = [(name, content + bytes(-len(content) % 512)) for name, content in streams]
    entries, sectors, table = [], b"", [0xFFFFFFFE]
    for name, content in streams:
        begin, count = len(table), len(content) // 512
        entries.append((name, 2, begin, len(content)))
        table += [*range(begin + 1, begin + count), 0xFFFFFFFE]
        sectors += content
    directory = b""
    for number, (name, kind, begin, size) in enumerate([("Root Entry", 5, 0xFFFFFFFE, 0), *entries]):
        text = name.encode("utf-16-le") + b"\0\0"
        after = number + 1 if 0 < number < len(entries) else 0xFFFFFFFF
        directory += (text.ljust(64, b"\0") + struct.pack("<HBB", len(text), kind, 1) +
                      struct.pack("<III", 0xFFFFFFFF, after, 1 if number == 0 else 0xFFFFFFFF) + bytes(36) +
                      struct.pack("<IQ", begin, size))
    assert len(directory) <= 512 and len(table) < 127
    table.append(0xFFFFFFFD)
    header = (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(10) +
              struct.pack("<IIIIIIII", 1, 0, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0) + struct.pack("<I", len(table) - 1))
    return (header.ljust(512, b"\xff") + directory.ljust(512, b"\0") + sectors +
            struct.pack(f"<{len(table)}I", *table).ljust(512, b"\xff"))


def encrypted_docx():
    return compound_file([("EncryptionInfo", bytes([4, 0, 4, 0, 0x40, 0, 0, 0]) + bytes(4088)),
                          ("EncryptedPackage", NOISE)])


def workbook(encrypted):
    begin = bytes.fromhex("0908100000060500") + bytes(12)
    password = bytes.fromhex("2f003600") + NOISE[:54] if encrypted else bytes.fromhex("42000200b004")
    return compound_file([("Workbook", begin + password + bytes(5000))])


def word_document(encrypted):
    information = struct.pack("<HHHHHH", 0xA5EC, 0xC1, 0, 0x409, 0, 0x0100 if encrypted else 0)
    return compound_file([("WordDocument", information + bytes(5000))])


def damaged(packed):
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0x55 for byte in packed[middle:middle + 40]) + packed[middle + 40:]


def whole():
    """Name: content of files that are clean."""
    document = [("[Content_Types].xml", b"<?xml version='1.0'?><Types/>" + TEXT), ("word/document.xml", TEXT)]
    return {
        "usual.zip": zipped(MEMBERS),
        "stored.zip": zipped(MEMBERS, zipfile.ZIP_STORED),
        "bzip2.zip": zipped(MEMBERS, zipfile.ZIP_BZIP2),
        "deflate64.zip": by_7z("-mm=Deflate64", kind="zip"),
        "comment.zip": zipped(MEMBERS, comment=b"a comment"),
        "empty.zip": zipped([]),
        "streamed.zip": zipped(MEMBERS, streamed=True),
        "followed-by-bytes.zip": zipped(MEMBERS) + b"\n",
        "nested.zip": zipped([("inner.zip", zipped(MEMBERS)), ("inner.tar.gz", tarred(MEMBERS, "w:gz"))]),
        "unpacks-itself": zipped(MEMBERS, before=b"#!/bin/sh\nexec unzip $0\n"),
        "unpacks-itself-2": b"#!/bin/sh\nexec unzip $0\n" + zipped(MEMBERS),
        "program.jar": zipped([("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"), ("A.class", NOISE)]),
        "package.apk": apk(),
        "hole.apk": with_hole(),
        "letter.docx": zipped(document),
        "plain.tar": tarred(MEMBERS),
        "gnu.tar": tarred([("n" * 150, TEXT)], format=tarfile.GNU_FORMAT),
        "pax.tar": tarred([("n" * 150, TEXT)], format=tarfile.PAX_FORMAT),
        "nested.tar": tarred([("inner.tar", tarred(MEMBERS)), *MEMBERS]),
        "usual.tar.gz": tarred(MEMBERS, "w:gz"),
        "usual.tar.xz": tarred(MEMBERS, "w:xz"),
        "usual.tar.bz2": tarred(MEMBERS, "w:bz2"),
        "two.gz": gzip.compress(TEXT) + gzip.compress(NOISE),
        "nothing.gz": gzip.compress(b""),
        "nothing.bz2": bz2.compress(b""),
        "padded.gz": gzip.compress(TEXT) + bytes(512),
        "little.gz": gzip.compress(b"abc"),
        "usual.bz2": bz2.compress(TEXT),
        "usual.xz": lzma.compress(TEXT),
        "usual.7z": by_7z(),
        "stored.7z": by_7z("-m0=Copy"),
        "lzma.7z": by_7z("-m0=LZMA"),
        "plain.xls": workbook(encrypted=False),
        "plain.doc": word_document(encrypted=False),
    }


def not_scanned():
    """Reason: {name: content} of files that a scanner does not see all of."""
    packed = {name: content for name, content in whole().items()
              if name.endswith((".gz", ".bz2", ".xz", ".7z")) and name.startswith("usual") or
              name in ("usual.zip", "program.jar", "letter.docx")}
    return {
        "encrypted": {
            "encrypted.docx": encrypted_docx(),
            "encrypted.xls": workbook(encrypted=True),
            "encrypted.doc": word_document(encrypted=True),
            "encrypted.zip": by_7z("-psecret", kind="zip"),
            "encrypted.7z": by_7z("-psecret"),
            "encrypted-docx.zip": zipped([("letter.docx", encrypted_docx())]),
        },
        "too large inside": {
            "large-deflate.zip": zipped([("small", TEXT), ("large", LARGE)]),
            "large-bzip2.zip": zipped([("small", TEXT), ("large", LARGE)], zipfile.ZIP_BZIP2),
            "large-lzma.zip": zipped([("small", TEXT), ("large", LARGE)], zipfile.ZIP_LZMA),
            "large-nested.zip": zipped([("inner.zip", zipped([("large", LARGE)]))]),
            "large-nested.tar.gz": tarred([("inner.zip", zipped([("large", LARGE)])), *MEMBERS], "w:gz"),
            "large.gz": gzip.compress(LARGE),
            "large.xz": lzma.compress(LARGE),
            "large.bz2": bz2.compress(LARGE),
            "large.7z": by_7z(content=LARGE),
        },
        "unsupported archive": {
            "lzma.zip": zipped(MEMBERS, zipfile.ZIP_LZMA),
            "xz.zip": by_7z("-mm=xz", kind="zip"),
            "zip64.zip": zip64_sizes(zipped(MEMBERS, zip64=True)),
            "zip64-end.zip": zip64_end(zipped(MEMBERS)),
            "zip64-streamed.zip": zip64_end(zipped(MEMBERS, zip64=True, streamed=True)),
            "joined.zip": zipped([("one", TEXT)]) + zipped([("two", NOISE)]),
            "hidden.zip": without_some_members(),
            "bzip2.7z": by_7z("-m0=BZip2"),
            "deflate64.7z": by_7z("-m0=Deflate64"),
            "bcj2.7z": by_7z("-m0=BCJ2", "-m1=LZMA"),
            "arm64.7z": by_7z("-m0=ARM64", "-m1=LZMA2"),
            "bzip2-7z.zip": zipped([("inner.7z", by_7z("-m0=BZip2"))]),
            "alone.lzma": lzma.compress(TEXT, format=lzma.FORMAT_ALONE),
            "two.bz2": bz2.compress(TEXT) + bz2.compress(NOISE),
            "image.wim": by_7z(kind="wim"),
            "frame.zst": bytes.fromhex("28b52ffd") + NOISE[:100],
        },
        "damaged archive": {
            **{f"half-{name}": content[:len(content) // 2] for name, content in packed.items()},
            **{f"cut-{name}": content[:-10] for name, content in packed.items()},
            **{f"damaged-{name}": damaged(packed[name])
               for name in ("usual.tar.xz", "usual.xz", "usual.bz2", "usual.tar.bz2", "usual.7z")},
            "no-directory.zip": zipped(MEMBERS)[:zipped(MEMBERS).index(b"PK\1\2")],
            "half.tar": tarred(MEMBERS)[:15_000],
            "one-damaged-member.tar.gz": tarred([("a", TEXT), ("b.xz", damaged(lzma.compress(TEXT))), ("c", NOISE)], "w:gz"),
            "one-cut-member.zip": zipped([("a", TEXT), ("b.gz", gzip.compress(TEXT)[:-1000]), ("c", NOISE)]),
        },
    }
