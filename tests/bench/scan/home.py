"""Builds what a hosting account's home is made of: web applications (the same ones for several sites, edited here and
there), libraries, documents, pictures, fonts, Java, backups, mail, and test viruses in all of these. The contents come
from Debian's packages, which are downloaded once and never installed."""

import base64
import glob
import io
import os
import random
import re
import shutil
import stat
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import EmailMessage

from signatures import EICAR

# The Debian packages that the benchmark needs installed, to build the home and to compare with.
PACKAGES = ("clamav", "clamav-daemon", "clamdscan", "clamav-testfiles", "p7zip-full", "zip", "bzip2", "tar", "dpkg")

SMALL_FILES, FULL_FILES = 5_000, 90_000
FILES_PER_MESSAGE = 30
TEST_FILES = "/usr/share/clamav-testfiles"
TEXT_FILES = (".php", ".js", ".css", ".html")


@dataclass(frozen=True)
class Content:
    """Packages whose files go to one place of the home; the large ones only into the full home."""
    place: str
    small: tuple
    large: tuple = ()
    is_site: bool = False


CONTENTS = (
    Content("public_html", is_site=True,
            small=("wordpress", "mediawiki", "phpmyadmin", "roundcube-core", "dokuwiki", "simplesamlphp"),
            large=("cacti", "zabbix-frontend-php", "shaarli", "tt-rss", "adminer", "postfixadmin", "phpldapadmin")),
    Content("lib", small=("php-laravel-framework", "php-symfony-intl", "php-tcpdf", "composer", "libspring-core-java",
                          "libxerces2-java", "libguava-java", "libreoffice-common",
                          "wordpress-theme-twentytwentythree"),
            large=("mediawiki-classes", "roundcube-plugins", "roundcube-skin-larry", "libjs-mathjax", "ckeditor",
                   "ckeditor3", "node-typescript", "libjs-dojo-dojox", "php-horde-imp", "libphp-adodb",
                   "wordpress-theme-twentytwentytwo", "wordpress-l10n", "liblucene4.10-java")),
    Content("docs", small=("bash-doc", "zsh-doc", "ant-doc"),
            large=("postgresql-doc-15", "python3.11-doc", "libreoffice-help-en-us", "gimp-help-en",
                   "texlive-latex-base-doc", "libjs-jquery-ui-docs")),
    Content("fonts", small=("fonts-dejavu-core",), large=("fonts-noto-core",)),
    Content("pictures", small=("wordpress-theme-twentytwentytwo",), large=("gnome-backgrounds", "openclipart-png")),
)


@dataclass(frozen=True)
class Extent:
    files: int
    messages: int
    is_full: bool

    @property
    def sites(self):
        return 2 if self.is_full else 1

    def packages_of(self, content):
        return content.small + (content.large if self.is_full else ())

    def packages(self):
        return sorted({package for content in CONTENTS for package in self.packages_of(content)})


def extent(files, is_full):
    return Extent(files, max(files // FILES_PER_MESSAGE, 8), is_full)


def build_home(home, wanted, downloads, tell=lambda text: None, seed=7):
    tell(f"downloading what is missing of {len(wanted.packages())} packages")
    packages = _download(wanted.packages(), downloads)
    staging = home + ".unpacked"
    shutil.rmtree(staging, ignore_errors=True)
    os.makedirs(staging)
    try:
        tell("unpacking them")
        for package, file in packages.items():
            subprocess.run(["dpkg-deb", "--extract", file, os.path.join(staging, package)], check=True)
        tell("building the home")
        _copy(_sample(_listing(staging, wanted), wanted.files - wanted.messages), home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _edit_second_sites(home)
    shutil.copytree(TEST_FILES, os.path.join(home, "samples"))
    _add_backups(home)
    random_numbers = random.Random(seed)
    _add_mail(home, wanted.messages, random_numbers)
    _add_test_viruses(home, random_numbers)


# ---- From packages ---------------------------------------------------------------------------------------------------

def _download(packages, directory):
    """The file of each."""
    os.makedirs(directory, exist_ok=True)

    def have(package):
        return next(iter(sorted(glob.glob(os.path.join(glob.escape(directory), f"{package}_*.deb")))), None)

    missing = [package for package in packages if not have(package)]
    if missing:
        # The directory may be one that apt's own user cannot write.
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
        download = subprocess.run([*command, "download", *missing], cwd=directory, capture_output=True, text=True)
        if download.returncode != 0:
            # Lists that are out of date name versions that are gone.
            subprocess.run([*command, "update"], check=True, stdout=subprocess.DEVNULL)
            download = subprocess.run([*command, "download", *missing], cwd=directory, capture_output=True, text=True)
        if download.returncode != 0:
            raise RuntimeError(f"apt-get download: {download.stderr.strip()}")
    return {package: have(package) for package in packages}


def _listing(staging, wanted):
    """Every file that there could be: where it lies, and where in the home it goes."""
    listing = []
    for content in CONTENTS:
        for package in wanted.packages_of(content):
            files = list(_regular_files(os.path.join(staging, package, "usr")))
            for copy in range(wanted.sites if content.is_site else 1):
                place = os.path.join(content.place, f"site{copy + 1}" if content.is_site else "", package)
                listing += [(path, os.path.join(place, relative)) for path, relative in files]
    return listing


def _sample(listing, count):
    """So many of them, evenly, so that a small home is mixed as a large one is."""
    if len(listing) <= count:
        return listing
    return [listing[index * len(listing) // count] for index in range(count)]


def _regular_files(root):
    # No links: whether a scanner follows them is not what is measured.
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield path, os.path.relpath(path, root)


def _copy(listing, home):
    for source, relative in listing:
        target = os.path.join(home, relative)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)


def _edit_second_sites(home):
    """One owner's sites run the same applications, but each has been edited a little."""
    for site in sorted(glob.glob(os.path.join(glob.escape(home), "public_html", "site[2-9]"))):
        texts = [path for path, _ in _regular_files(site) if path.endswith(TEXT_FILES)]
        for path in texts[::10]:
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"\n/* {os.path.basename(site)}: {os.path.relpath(path, site)} */\n")


# ---- Backups ---------------------------------------------------------------------------------------------------------

BACKUPS = (("wordpress", ["zip", "-qr", "{target}.zip", "{name}"]),
           ("dokuwiki", ["tar", "-czf", "{target}.tar.gz", "{name}"]),
           ("phpmyadmin", ["7z", "a", "-bd", "-bso0", "{target}.7z", "{name}"]),
           ("roundcube-core", ["tar", "-cjf", "{target}.tar.bz2", "{name}"]))


def _add_backups(home):
    directory = os.path.join(home, "backups")
    os.makedirs(directory, exist_ok=True)
    for name, command in BACKUPS:
        words = [word.format(target=os.path.join(directory, name), name=name) for word in command]
        subprocess.run(words, cwd=os.path.join(home, "public_html", "site1"), check=True)


# ---- Mail ------------------------------------------------------------------------------------------------------------

def _add_mail(home, count, random_numbers):
    directory = os.path.join(home, "mail", "cur")
    for name in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(home, "mail", name))
    words = _words_of(os.path.join(home, "public_html"))
    for number in range(count):
        message = _message(number, words, random_numbers)
        with open(os.path.join(directory, f"{1_600_000_000 + number}.M{number}.host:2,S"), "wb") as file:
            file.write(message.as_bytes())


def _message(number, words, random_numbers):
    text = " ".join(random_numbers.choice(words) for _ in range(random_numbers.randint(50, 800)))
    message = EmailMessage()
    message["From"] = "a@example.org"
    message["To"] = "b@example.org"
    message["Subject"] = f"Message {number}"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(f"<html><body><p>{text}</p></body></html>", subtype="html", cte="quoted-printable")
    if number % 8 == 0:
        _attach(message, random_numbers.randbytes(random_numbers.randint(2_000, 120_000)), f"picture{number}.bin")
    if number % 500 == 3:
        _attach(message, EICAR, "invoice.com")
    if number % 500 == 5:
        _attach(message, _zipped(EICAR, "invoice.com"), "invoice.zip")
    # Fixed: a home built twice is the same home.
    for part in message.walk():
        if part.is_multipart():
            part.set_boundary(f"=={base64.b16encode(random_numbers.randbytes(12)).decode()}==")
    return message


def _attach(message, content, name):
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)


def _words_of(directory):
    words = set()
    for path, _ in _regular_files(directory):
        if path.endswith((".html", ".txt", ".md", ".php")):
            with open(path, encoding="utf-8", errors="replace") as file:
                words.update(re.findall(r"\b[A-Za-z]{2,12}\b", file.read(20_000)))
        if len(words) > 5_000:
            break
    return sorted(words)


# ---- Test viruses ----------------------------------------------------------------------------------------------------

def _add_test_viruses(home, random_numbers):
    web = os.path.join(home, "public_html")
    directories = sorted(directory for directory, _, _ in os.walk(web))
    for number, directory in enumerate(random_numbers.sample(directories, min(9, len(directories)))):
        _write(os.path.join(directory, f"eicar{number}.com"), EICAR)
    backups = os.path.join(home, "backups")
    archived = _zipped(EICAR, "eicar.com")
    _write(os.path.join(backups, "eicar.zip"), archived)
    _write(os.path.join(backups, "eicar.tar.gz"), _tarred(EICAR, "eicar.com"))
    _write(os.path.join(backups, "eicar-in-two.tar.gz"), _tarred(archived, "eicar.zip"))


def _write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def _zipped(content, name):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(name), content)
    return archive.getvalue()


def _tarred(content, name):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        file.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
