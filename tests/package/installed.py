"""The package, installed in a container that has nothing else of the service, with Debian's nginx and Apache as a host has
them. It offers what the demo's walk takes of a service (tests/integration/demo.py)."""

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

import container
from accounts import Account, random_letters
from client import Client, Refused, wait_until
from test_files import EICAR, clean_page

PACKAGES = ["nginx", "apache2", "clamav-freshclam", "logrotate", "iproute2", "postgresql", "ca-certificates"]
UNITS = ["clamscanner-authd.service", "clamscanner-engine.service", "clamscanner-jobd.service",
         "clamscanner-fcgi@1.service", "clamscanner-fcgi@2.service", "clamscanner-notifyd.service"]

_NGINX = """
server {
    listen 127.0.0.1:8081;
    server_name localhost;
    location / { return 404; }
}
server {
    listen 127.0.0.1:8082;
    server_name localhost;
}
"""
_APACHE = """
<VirtualHost 127.0.0.1:9081>
    ServerName localhost
    DocumentRoot /var/www/empty
</VirtualHost>
<VirtualHost 127.0.0.1:9082>
    ServerName localhost
    DocumentRoot /var/www/empty
</VirtualHost>
"""

# What a sandbox that is too narrow has its programs, or systemd, say.
DENIAL = re.compile(r"Operation not permitted|Permission denied|Read-only file system|Function not implemented|SIGSYS|"
                    r"Bad system call|status=31/|status=2\d\d/|Failed at step|Failed to set up|[Ll]andlock|"
                    r"user namespace|not permitted|No such device or address", re.IGNORECASE)


@dataclass(frozen=True)
class Front:
    """A web server's two ports: the service, and the statistics."""
    name: str
    port: int
    statistics_port: int


NGINX = Front("nginx", 8081, 8082)
APACHE = Front("apache2", 9081, 9082)


# What an administrator types, who is root here already.
_SUDO = """
sudo() {
    if [ "$1" = -u ]; then user=$2; shift 2; runuser -u "$user" -- "$@"; else "$@"; fi
}
cd /root
"""


class Installed:
    """`package`: the file of the package. `fleet_package`: of what a centre of many machines has beside it. `place`: a
    directory for images and containers."""

    def __init__(self, package, fleet_package, place):
        self.package = package
        self.fleet_package = fleet_package
        self.place = place
        self.front = NGINX
        self.container = None
        self._kernel_said = ""
        self._seen = None  # the journal's cursor, up to which it was checked

    def __enter__(self):
        try:
            self._prepare()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, fault, trace):
        if self.container and self.container.process:
            self.container.leave_network()
            self.container.power_off()
        for directory in (getattr(self, "root", None), getattr(self, "homes", None)):
            if directory:
                shutil.rmtree(directory, ignore_errors=True)
        if self.container:
            os.unlink(f"{self.root}.console")

    def _prepare(self):
        image = container.image(self.place, PACKAGES)
        name = f"clamscanner-package-{random_letters(6)}"
        self.root = os.path.join(self.place, name)
        # Not below /tmp or /var/tmp, where authd has directories of its own.
        self.homes = tempfile.mkdtemp(prefix="clamscanner-homes-", dir="/srv")
        os.chmod(self.homes, 0o755)
        container.copy_of(image, self.root)
        shutil.copy(self.package, f"{self.root}/root/clamscanner.deb")
        os.mkdir(f"{self.root}/root/build-package")
        shutil.copy(self.fleet_package, f"{self.root}/root/build-package/")
        fleet_package = f"/root/build-package/{os.path.basename(self.fleet_package)}"
        # What apt will need, since there is no network inside.
        container.in_directory(self.root, "apt-get", "-q", "-y", "install", "--download-only", "/root/clamscanner.deb",
                               fleet_package)
        self._write("/etc/apt/apt.conf.d/90unasked", 'APT::Get::Assume-Yes "true";\n')
        self._write("/etc/nginx/sites-enabled/panel", _NGINX)
        os.unlink(f"{self.root}/etc/nginx/sites-enabled/default")
        self._write("/etc/apache2/ports.conf", "Listen 127.0.0.1:9081\nListen 127.0.0.1:9082\n")
        self._write("/etc/apache2/sites-available/000-default.conf", _APACHE)
        os.mkdir(f"{self.root}/var/www/empty")
        self._keep_uids_apart()
        # The database, as freshclam would keep it.
        self._write("/var/lib/clamav/daily.hdb", "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n")
        self.container = container.Container(self.root, name, self.homes)
        self.boot()
        self.new_kernel_lines()

    def _write(self, path, text):
        with open(self.root + path, "w", encoding="utf-8") as file:
            file.write(text)

    def _keep_uids_apart(self):
        """The kernel knows no container's users: tests that run beside this one end all processes of their own users'
        uids, the highest of system users and the lowest of others. So these are taken here."""
        for file, line in (("passwd", "taken{0}:x:{0}:{0}::/nonexistent:/usr/sbin/nologin\n"), ("group", "taken{0}:x:{0}:\n")):
            with open(f"{self.root}/etc/{file}", encoding="utf-8") as before:
                text = before.read()
            taken = {int(entry.split(":")[2]) for entry in text.splitlines()}
            self._write(f"/etc/{file}", text + "".join(line.format(uid) for uid in range(800, 1000) if uid not in taken))
        self.next_uid = 40_000 + secrets.randbelow(10_000)

    # ---- The machine -----------------------------------------------------------------------------------------------

    def boot(self):
        self.container.boot()
        self.container.enter_network()

    def reboot(self):
        self.container.reboot()
        self.container.enter_network()

    def run(self, *command, **options):
        return self.container.run(*command, **options)

    def said(self, *command, **options):
        return self.container.said(*command, **options)

    def path(self, inside):
        return self.root + inside

    def type_in(self, commands):
        """As an administrator does it, at a shell that ends at the first failure."""
        return self.said("bash", "-ec", _SUDO + commands)

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        self._write(path, text)

    def edit(self, path, pattern, replacement):
        """As an administrator does it; the pattern stands there exactly once."""
        with open(self.root + path, encoding="utf-8") as file:
            text, count = re.subn(pattern, lambda match: replacement, file.read(), flags=re.MULTILINE)
        assert count == 1, f"{path} has {count} times {pattern}"
        self._write(path, text)

    def include(self, front, server, line):
        """Puts an include into one of a web server's two servers, and has it read that."""
        path, begins = {"nginx": ("/etc/nginx/sites-enabled/panel", rf"listen 127\.0\.0\.1:{server};"),
                        "apache2": ("/etc/apache2/sites-available/000-default.conf", rf"<VirtualHost 127\.0\.0\.1:{server}>")
                        }[front.name]
        self.edit(path, begins, f"{begins.replace(chr(92), '')}\n    {line}")
        self.run("systemctl", "reload", front.name)

    def active(self, unit):
        return self.said("systemctl", "is-active", unit, check=False) == "active"

    def shown(self, unit, name):
        return self.said("systemctl", "show", "--value", f"--property={name}", unit)

    # ---- The journal -----------------------------------------------------------------------------------------------

    def new_lines(self):
        """What the service's units, and systemd about them, have said since the last call: (unit, priority, text)."""
        options = ["--after-cursor", self._seen] if self._seen else []
        lines = []
        for line in self.said("journalctl", "--no-pager", "--output=json", "--all", *options).splitlines():
            entry = json.loads(line)
            self._seen = entry["__CURSOR"]
            unit = entry.get("UNIT") or entry.get("_SYSTEMD_UNIT") or ""
            text = entry.get("MESSAGE") or ""
            text = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
            if unit.startswith("clamscanner") or "clamscanner" in text:
                lines.append((unit, int(entry.get("PRIORITY", 6)), text))
        return lines

    def new_kernel_lines(self):
        """System calls for which the kernel ended a process of the service (seccomp), since the last call."""
        said = subprocess.run(["dmesg"], capture_output=True, text=True, errors="replace", check=False).stdout.splitlines()
        new = said[said.index(self._kernel_said) + 1:] if self._kernel_said in said else said
        if said:
            self._kernel_said = said[-1]
        return [("kernel", 4, line) for line in new if "type=1326" in line and 'exe="/usr/libexec/clamscanner/' in line]

    # ---- What the demo's walk takes --------------------------------------------------------------------------------

    def client(self, account=None, **how):
        return Client(self.front.port, account, **how)

    @property
    def statistics_url(self):
        return f"http://127.0.0.1:{self.front.statistics_port}"

    def add_access_key(self, user):
        lines = self.said("clamscanner-keys", "add", user).splitlines()
        return tuple(line.partition(": ")[2] for line in lines)

    def add_account(self, name=None):
        name = name or f"owner{random_letters(6)}"
        home = os.path.join(self.homes, name)
        self.next_uid += 1
        self.run("useradd", f"--uid={self.next_uid}", "--user-group", "--no-create-home", "--home-dir", home,
                 "--shell", "/bin/sh", name)
        password = secrets.token_urlsafe(15)
        self.run("chpasswd", text=f"{name}:{password}\n")
        uid, gid = (int(self.said("id", option, name)) for option in ("--user", "--group"))
        os.mkdir(home, 0o711)
        os.chown(home, uid, gid)
        return Account(name, password, home, uid, gid)

    def wait_until_it_serves(self, account, seconds=60):
        client = self.client(account)

        def answered():
            with contextlib.suppress(OSError):
                return client.ask("get_scan_status").status == 200

        wait_until(answered, seconds, "a first answer")


class Patient:
    """A client that asks again where the service was just being restarted; it counts what it met, by status."""

    def __init__(self, client, seconds=300):
        self.client = client
        self.seconds = seconds
        self.met = {}
        self.answered = 0

    def call(self, function, arguments=None):
        def answered():
            try:
                answer = self.client.ask(function, arguments)
            except OSError as fault:
                self._count(type(fault).__name__)
                return None
            if answer.status == 200:
                self.answered += 1
                return answer
            self._count(answer.status)
            if answer.status not in (429, 502, 503, 504):
                raise Refused(f"{function}: HTTP {answer.status}: {answer.body[:300]!r}")
            return None

        result = wait_until(answered, self.seconds, f"an answer to {function}").result()
        if result["status"] != 1:
            raise Refused(f"{function}: {result['errors']}")
        return result["data"]

    def _count(self, what):
        self.met[what] = self.met.get(what, 0) + 1

    def when_scanned(self, share):
        """Waits until so much of the running scan is done, and says how much: (scanned, total)."""
        def far_enough():
            status = self.call("get_scan_status")
            scanned, total = status["scanned_file_count"], status["total_file_count"]
            if status["scan_complete"] == 1:
                raise AssertionError(f"the scan was over before {share:.0%} of it was seen")
            return (scanned, total) if total and scanned >= share * total else None

        return wait_until(far_enough, self.seconds, f"{share:.0%} of the scan")

    def finish_scan(self):
        def ended():
            status = self.call("get_scan_status")
            return status if status["scan_complete"] == 1 else None

        return wait_until(ended, self.seconds, "the scan's end")

    def steps(self):
        return sum(1 for record in self.call("check_disinfection_status")["details"] if record["type"] == "step")

    def when_disinfected(self, count):
        wait_until(lambda: self.steps() >= count, self.seconds, f"{count} steps")

    def finish_disinfection(self):
        def ended():
            status = self.call("check_disinfection_status")
            return status["details"] if status["status"] == "done" else None

        return wait_until(ended, self.seconds, "the disinfection's end")


def fill(account, pages, infected):
    """Pages that take a scanner some time, since no other account has them, and infected files between them; the
    infected ones' paths."""
    for number in range(pages):
        account.write(f"site/{number % 97:02}/page-{number:05}.html", clean_page(f"{account.name} {number}", 30_000))
    return {account.write(f"site/{number % 97:02}/infected-{number:05}.php", EICAR)
            for number in range(infected)}


def upgraded(package, directory):
    """The same package again, as a later version, which wants the other one of that version, too."""
    name = os.path.basename(package).partition("_")[0]
    unpacked = os.path.join(directory, f"unpacked-{name}")
    subprocess.run(["dpkg-deb", "--raw-extract", package, unpacked], check=True)
    control = os.path.join(unpacked, "DEBIAN", "control")
    with open(control, encoding="utf-8") as file:
        text = re.sub(r"^(Version: .*)$", r"\1+later", file.read(), flags=re.MULTILINE)
    text = re.sub(r"clamscanner \(= ([^)]*)\)", r"clamscanner (= \1+later)", text)
    with open(control, "w", encoding="utf-8") as file:
        file.write(text)
    made = os.path.join(directory, f"later-{name}.deb")
    subprocess.run(["dpkg-deb", "--build", unpacked, made], check=True, stdout=subprocess.DEVNULL)
    return made
