"""nginx/site.conf, the example of a whole site, in a real nginx: on the panel's hosts the service is answered, and nothing
else is served there, least of all an account's content."""

import contextlib
import http.client
import os
import re
import ssl
import subprocess

from client import wait_until
from nginx_front import SNIPPETS
from service_case import ServiceCase, main
from web_front import free_port

_AROUND = """
daemon off;
user www-data {responder.user};
pid {directory}/server.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    include {directory}/site-example.conf;
}}
"""


class ExampleSite(ServiceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        front = cls.service.front
        cls.tls_port, cls.plain_port = free_port(), free_port()
        key, certificate = cls.service.path("key"), cls.service.path("certificate")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        with open(os.path.join(SNIPPETS, "site.conf"), encoding="utf-8") as file:
            text = file.read()
        for pattern, place in ((r"listen \[::\]:443 ssl;", ""),
                               (r"listen 443 ssl;", f"listen 127.0.0.1:{cls.tls_port} ssl;"),
                               (r"listen 127\.0\.0\.1:8443;", f"listen 127.0.0.1:{cls.plain_port};"),
                               (r"/etc/nginx/snippets", front.directory), (r"/etc/ssl/certs/\S+\.pem", certificate),
                               (r"/etc/ssl/private/\S+\.key", key)):
            text, count = re.subn(pattern, place, text)
            assert count > 0, pattern
        cls.directory = cls.service.path("example")
        os.mkdir(cls.directory)
        # The snippets are those of the service's own front, which know its socket.
        front.write("../example/site-example.conf", text)
        front.write("../example/nginx.conf", _AROUND.format(directory=cls.directory, responder=front.responder))
        process = cls.service.launch(["nginx", "-e", f"{cls.directory}/error.log", "-p", cls.directory, "-c",
                                      f"{cls.directory}/nginx.conf"])
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        wait_until(lambda: os.path.exists(f"{cls.directory}/server.pid") or process.poll() is not None, 20, "nginx")

    def ask(self, host, target, client=None, port=None):
        context = ssl.create_default_context(cafile=self.service.path("certificate"))
        context.check_hostname = False
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60) if port else \
            http.client.HTTPSConnection("127.0.0.1", self.tls_port, context=context, timeout=60)
        headers = {"Host": host} | ({"Authorization": client.authorization()} if client else {})
        with contextlib.closing(connection):
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()

    def test_the_service_is_answered(self):
        _, client = self.new_account()
        self.assertEqual(self.ask("panel.example.com", "/execute/ClamScanner/get_scan_status", client)[0], 200)
        self.assertEqual(self.ask("localhost", "/ClamScanner/get_scan_status", client, self.plain_port)[0], 200)
        target = "/?Action=GetVirusScanLatestTaskStatistic&Version=2018-12-03"
        self.assertEqual(self.ask("statistics.example.com", target, client)[0], 200)

    def test_nothing_else_is_served(self):
        account, client = self.new_account()
        account.write("public_html/index.html", "the account's page")
        for target in ("/", "/index.html", f"/~{account.name}/", f"/~{account.name}/index.html", account.home,
                       f"{account.home}/public_html/index.html", "/ClamScanner/../index.html", "/.well-known/x"):
            for host, port in (("panel.example.com", None), ("statistics.example.com", None),
                               ("localhost", self.plain_port)):
                status, body = self.ask(host, target, client, port)
                self.assertGreaterEqual(status, 400, (host, target, body))
                self.assertNotIn(b"the account's page", body)


if __name__ == "__main__":
    main()
