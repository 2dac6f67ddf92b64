"""Files for scans: infected ones that every scanner knows, and clean ones. The test virus stands in no file of this
repository: other scanners would take that for an infection."""

import io
import random
import zipfile

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
