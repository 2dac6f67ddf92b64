"""An nginx of a service's own: own prefix, pid and port, and the very snippet that administrators include."""

import os
import re
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SNIPPET = os.path.join(ROOT, "nginx", "clamscanner.conf")

_SITE = """
daemon off;
user www-data {group};
worker_processes 2;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        server_name localhost;
        include {directory}/clamscanner.conf;
        {more}
        location / {{ return 404; }}
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class NginxFront:
    """`group` is the one whose members may open the FastCGI socket; `more` goes into the server block."""

    def __init__(self, directory, fastcgi_socket, group, launch, *, port=0, more=""):
        self.directory = directory
        self.fastcgi_socket = fastcgi_socket
        self.group = group
        self.launch = launch
        self.wanted_port = port
        self.port = port
        self.more = more
        self.process = None

    def start(self):
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        with open(SNIPPET, encoding="utf-8") as file:
            snippet = file.read()
        ours, replaced = re.subn(r"fastcgi_pass unix:[^;]+;", f"fastcgi_pass unix:{self.fastcgi_socket};", snippet)
        assert replaced == 1, "the snippet passes requests on in one place"
        with open(os.path.join(self.directory, "clamscanner.conf"), "w", encoding="utf-8") as file:
            file.write(ours)
        # Between our choice of a port and nginx's bind another process may take it.
        for attempt in range(5):
            self.port = self.wanted_port or free_port()
            if self._start_once():
                return
            if self.wanted_port:
                break
        raise RuntimeError(f"nginx does not start on port {self.port}:\n{self._errors()}")

    def _start_once(self):
        configuration = os.path.join(self.directory, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(_SITE.format(directory=self.directory, group=self.group, port=self.port, more=self.more))
        self.process = self.launch(["nginx", "-e", os.path.join(self.directory, "error.log"), "-p", self.directory,
                                    "-c", configuration])
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
                continue
            # Somebody else may be the one that listens there: then ours ends.
            if os.path.exists(os.path.join(self.directory, "nginx.pid")):
                return True
            time.sleep(0.02)
        return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _errors(self):
        try:
            with open(os.path.join(self.directory, "error.log"), encoding="utf-8", errors="replace") as file:
                return file.read()[-2000:]
        except FileNotFoundError:
            return ""
