"""An Apache of a service's own, with either of the files in apache/: it passes requests on to the service's responder,
or starts responders itself."""

import os
import pwd
import signal

from web_front import ROOT, WebFront

MODULES = "/usr/lib/apache2/modules"

_CONFIGURATION = """
{modules}
ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/server.pid
ErrorLog {directory}/error.log
LogLevel warn
User {user}
Group {responder.user}
ServerName localhost
ServerTokens Prod
ServerSignature Off
DocumentRoot {document_root}
StartServers 2
TypesConfig /dev/null
# What a site may do with its own pages.
DirectoryIndex index.html
AddOutputFilterByType DEFLATE text/html application/json
Listen 127.0.0.1:{port}
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory {document_root}>
    Require all granted
</Directory>
{more}
Include {directory}/clamscanner.conf
Listen 127.0.0.1:{statistics_port}
<VirtualHost 127.0.0.1:{statistics_port}>
    Include {directory}/clamscanner-statistics.conf
</VirtualHost>
"""
_ADDRESS_HEADER = """
RemoteIPHeader {site.address_header}
RemoteIPInternalProxy 127.0.0.0/8
"""
_TLS = """
Listen 127.0.0.1:{site.tls_port}
<VirtualHost 127.0.0.1:{site.tls_port}>
    SSLEngine on
    SSLCertificateFile {site.certificate}
    SSLCertificateKeyFile {site.key}
</VirtualHost>
"""


# Those that Debian enables when Apache is installed, beside which the service has to work; but mod_autoindex, which says
# 403 where there is no index.
_DEBIANS = ["access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_core", "authz_host", "authz_user",
            "deflate", "dir", "env", "filter", "mime", "negotiation", "reqtimeout", "setenvif", "status"]


class ApacheFront(WebFront):
    """A kind says besides: `modules`, `user`, and what it replaces in the shipped files: `places()`,
    `statistics_places()`."""

    name = "apache2"
    reload_signal = signal.SIGUSR1  # the graceful one
    more = ""

    def prepare(self):
        os.makedirs(self.path("documents"), exist_ok=True)
        self.install(self.snippet, "clamscanner.conf", self.places())
        self.install(self.statistics_snippet, "clamscanner-statistics.conf", self.statistics_places())

    def command(self):
        return ["apache2", "-d", self.directory, "-f", self.path("site.conf"), "-D", "FOREGROUND"]

    def configuration(self):
        modules = ["mpm_event", *_DEBIANS, "headers", *self.modules]
        more = self.more
        if self.site.address_header:
            modules.append("remoteip")
            more += _ADDRESS_HEADER
        if self.site.tls_port:
            modules += ["socache_shmcb", "ssl"]
            more += _TLS
        loaded = "\n".join(f"LoadModule {module}_module {MODULES}/mod_{module}.so" for module in modules)
        return _CONFIGURATION.format(directory=self.directory,
                                     document_root=self.document_root or self.path("documents"),
                                     responder=self.responder, port=self.port,
                                     user=self.user, modules=loaded, statistics_port=self.statistics_port,
                                     more=more.format(directory=self.directory, site=self.site))


class ApacheProxyFront(ApacheFront):
    snippet = os.path.join(ROOT, "apache", "clamscanner-proxy.conf")
    statistics_snippet = os.path.join(ROOT, "apache", "clamscanner-statistics-proxy.conf")
    modules = ["proxy", "proxy_fcgi"]
    user = "www-data"

    def places(self):
        return {r"unix:[^|]+(?=\|fcgi:)": f"unix:{self.responder.socket}"}

    statistics_places = places


class ApacheFcgidFront(ApacheFront):
    """Its Apache is the responder's user, so that the responders that it starts are."""

    snippet = os.path.join(ROOT, "apache", "clamscanner-fcgid.conf")
    statistics_snippet = os.path.join(ROOT, "apache", "clamscanner-statistics-fcgid.conf")
    modules = ["fcgid"]
    spawns_responder = True
    # A reload ends the process that starts responders. A request that waits for it in an old worker waits for ever.
    may_leave_requests_unanswered = True
    takes_malformed_chunks = True
    more = """
FcgidIPCDir {directory}/sockets
FcgidProcessTableFile {directory}/processes
"""

    def prepare(self):
        super().prepare()
        owner = pwd.getpwnam(self.user)
        os.makedirs(self.path("sockets"), mode=0o700, exist_ok=True)
        os.chown(self.path("sockets"), owner.pw_uid, owner.pw_gid)

    @property
    def user(self):
        return self.responder.user

    def places(self):
        return {**self.statistics_places(), r"(?<=^FcgidCmdOptions )\S+": self.responder.program}

    def statistics_places(self):
        program, config_file = self.responder.program, self.responder.config_file
        return {r"^ *FcgidWrapper \S+ virtual$": f'FcgidWrapper "{program} --config {config_file}" virtual'}
