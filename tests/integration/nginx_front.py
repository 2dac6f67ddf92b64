"""An nginx that serves one test service, with nginx/clamscanner.conf."""

import os
import signal

from web_front import ROOT, WebFront

SNIPPETS = os.path.join(ROOT, "nginx")

_CONFIGURATION = """
daemon off;
user www-data {responder.user};
worker_processes 2;
pid {directory}/server.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 512; }}
http {{
    root {document_root};
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
    server {{
        listen 127.0.0.1:{statistics_port};
        server_name localhost;
        {statistics_more}
        include {directory}/clamscanner-statistics.conf;
    }}
}}
"""
_ADDRESS_HEADER = "set_real_ip_from 127.0.0.0/8; real_ip_header {site.address_header};"
_TLS = """
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {site.certificate};
        ssl_certificate_key {site.key};
"""


class NginxFront(WebFront):
    """`more` goes into the server block."""

    name = "nginx"
    snippet = os.path.join(SNIPPETS, "clamscanner.conf")
    statistics_snippet = os.path.join(SNIPPETS, "clamscanner-statistics.conf")
    reload_signal = signal.SIGHUP

    def __init__(self, *arguments, more="", **options):
        super().__init__(*arguments, **options)
        self.more = more

    def prepare(self):
        place = f"fastcgi_pass unix:{self.responder.socket};"
        self.install(self.snippet, "clamscanner.conf", {r"fastcgi_pass unix:[^;]+;": place})
        self.install(self.statistics_snippet, "clamscanner-statistics.conf", {r"fastcgi_pass unix:[^;]+;": place})

    def command(self):
        return ["nginx", "-e", self.error_log, "-p", self.directory, "-c", self.path("site.conf")]

    def configuration(self):
        more = self.more
        statistics_more = ""
        if self.site.address_header:
            statistics_more = _ADDRESS_HEADER.format(site=self.site)
            more += statistics_more
        if self.site.tls_port:
            more += _TLS.format(site=self.site, port=self.site.tls_port)
        if self.site.statistics_tls_port:
            statistics_more += _TLS.format(site=self.site, port=self.site.statistics_tls_port)
        return _CONFIGURATION.format(directory=self.directory, document_root=self.document_root or self.path("documents"),
                                     responder=self.responder, port=self.port, more=more,
                                     statistics_port=self.statistics_port, statistics_more=statistics_more)
