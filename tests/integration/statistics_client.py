"""Calls the statistics interface as its clients do: signed by V1 or by V3, or with Basic credentials in place of a
signature. A request is prepared first and sent later, so that a test may change what was signed."""

import base64
import hashlib
import hmac
import http.client
import json
import time
import uuid
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

VERSION = "2018-12-03"
V3_ALGORITHM = "ACS3-HMAC-SHA256"
FORM = "application/x-www-form-urlencoded"
USER_AGENT = "statistics-client"


@dataclass(frozen=True)
class Prepared:
    method: str
    target: str  # of the request line: path and query
    headers: dict  # names in lower case
    body: bytes = b""
    string_to_sign: str = ""  # as the server has to put it together
    canonical_request: str = ""  # of V3: what the string to sign has the digest of


@dataclass(frozen=True)
class StatisticsAnswer:
    status: int
    headers: dict  # names in lower case
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def xml(self):
        return ElementTree.fromstring(self.body)

    @property
    def code(self):
        """Of an error, in either form; None where there is none."""
        return self.xml.findtext("Code") if self.body.startswith(b"<") else self.json.get("Code")


class StatisticsClient:
    """Parameters are a dictionary; a list in it travels as Name.1, Name.2. `overrides` take the place of what a client
    would send, and are signed like it: parameters of the protocol in V1, headers in V3, with _ for -; None leaves it
    out. `shift`: seconds that the client's clock is ahead. `space`: how a space travels; the signature is the same."""

    def __init__(self, url, key_id, secret, source=None, timeout=60):
        parts = urlsplit(url)
        self.host = parts.netloc
        self.address, self.port = parts.hostname, parts.port or 80
        self.path = parts.path or "/"
        self.key_id = key_id
        self.secret = secret
        self.source = source
        self.timeout = timeout

    def call_v1(self, action, parameters=None, method="GET", **how):
        return self.send(self.prepare_v1(action, parameters, method, **how))

    def call_v3(self, action, parameters=None, method="POST", **how):
        return self.send(self.prepare_v3(action, parameters, method, **how))

    def call_basic(self, user, password, action, parameters=None, method="GET", **how):
        return self.send(self.prepare_basic(user, password, action, parameters, method, **how))

    def prepare_v1(self, action, parameters=None, method="GET", *, nonce=None, shift=0, parameters_in=None,
                   protocol_in=None, space="%20", headers=None, **overrides):
        """`parameters_in`: "query" or "body", by default what suits the method. The protocol's own parameters go along
        unless `protocol_in` says otherwise."""
        protocol = {"Action": action, "Version": VERSION, "Format": "JSON", "AccessKeyId": self.key_id,
                    "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": nonce or fresh_nonce(),
                    "Timestamp": time_stamp(shift), **overrides}
        parameters = flattened(parameters)
        text = v1_string_to_sign(method, present(protocol) | parameters)
        protocol = present({"Signature": v1_signature(self.secret, text), **protocol})
        query, form = self._placed(method, protocol, parameters, protocol_in, parameters_in)
        sent = self._headers(form) | {name.lower(): value for name, value in (headers or {}).items()}
        return Prepared(method, self._target(query, space), present(sent), joined(form, space).encode(), text)

    def prepare_v3(self, action, parameters=None, method="POST", *, nonce=None, shift=0, parameters_in="query",
                   space="%20", body=None, credential=None, also_signed=(), not_signed=(), **overrides):
        """Signs what real clients sign: `host`, `content-type` and all of `x-acs-`, as far as they are sent; more or
        fewer when asked. `body`: bytes in place of the form's. `credential`: another key's id."""
        query, form = self._placed(method, {}, flattened(parameters), None, parameters_in)
        body = joined(form, space).encode() if body is None else body
        sent = self._headers(form) | {"accept": "application/json", "x-acs-action": action, "x-acs-version": VERSION,
                                      "x-acs-date": time_stamp(shift), "x-acs-signature-nonce": nonce or fresh_nonce(),
                                      "x-acs-content-sha256": hashlib.sha256(body).hexdigest()}
        overrides = {name.lower().replace("_", "-"): value for name, value in overrides.items()}
        headers = present(sent | overrides)
        usual = {name for name in headers if name in ("host", "content-type") or name.startswith("x-acs-")}
        signed = sorted((usual | set(also_signed)) - set(not_signed))
        request = v3_canonical_request(method, self.path, query, headers, signed)
        text = v3_string_to_sign(request)
        authorization = (f"{V3_ALGORITHM} Credential={credential or self.key_id},SignedHeaders={';'.join(signed)},"
                         f"Signature={v3_signature(self.secret, text)}")
        headers = {"authorization": authorization} | sent | overrides
        return Prepared(method, self._target(query, space), present(headers), body, text, request)

    def prepare_basic(self, user, password, action, parameters=None, method="GET", *, parameters_in=None,
                      protocol_in=None, space="%20", headers=None, **overrides):
        protocol = present({"Action": action, "Version": VERSION, **overrides})
        query, form = self._placed(method, protocol, flattened(parameters), protocol_in, parameters_in)
        login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        sent = self._headers(form) | {"authorization": login}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        return Prepared(method, self._target(query, space), present(sent), joined(form, space).encode())

    def send(self, prepared, chunked=False):
        """`chunked`: in chunks of no announced length, as libraries send the form of a V3 request."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=self.timeout,
                                                source_address=(self.source, 0) if self.source else None)
        try:
            connection.putrequest(prepared.method, prepared.target, skip_host=True, skip_accept_encoding=True)
            for name, value in prepared.headers.items():
                connection.putheader(name, value)
            # Not prepared: a test that exchanges the body need not think of it.
            if chunked:
                connection.putheader("transfer-encoding", "chunked")
            elif "content-length" not in prepared.headers and (prepared.body or prepared.method == "POST"):
                connection.putheader("content-length", str(len(prepared.body)))
            connection.endheaders(prepared.body, encode_chunked=chunked)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return StatisticsAnswer(response.status, headers, response.read())
        finally:
            connection.close()

    def _headers(self, form):
        return {"host": self.host, "user-agent": USER_AGENT} | ({"content-type": FORM} if form else {})

    def _target(self, query, space):
        return self.path + ("?" + joined(query, space) if query else "")

    @staticmethod
    def _placed(method, protocol, parameters, protocol_in, parameters_in):
        """What goes into the query, and what into a form."""
        parameters_in = parameters_in or ("body" if method == "POST" else "query")
        places = {"query": {}, "body": {}}
        places[protocol_in or parameters_in].update(protocol)
        places[parameters_in].update(parameters)
        return places["query"], places["body"]


def v1_string_to_sign(method, parameters):
    signed = {name: value for name, value in parameters.items() if name != "Signature"}
    return f"{method}&{encoded('/')}&{encoded(canonical(signed))}"


def v1_signature(secret, text):
    return base64.b64encode(hmac.digest(f"{secret}&".encode(), text.encode(), "sha1")).decode()


def v3_canonical_request(method, path, query, headers, signed):
    # The body's digest is the one that the client claims: only the server knows whether it is the body's.
    return "\n".join([method, path, canonical(query), *(f"{name}:{headers.get(name, '').strip()}" for name in signed),
                      "", ";".join(signed), headers.get("x-acs-content-sha256", "")])


def v3_string_to_sign(canonical_request):
    return f"{V3_ALGORITHM}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"


def v3_signature(secret, text):
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


def canonical(parameters):
    # By name alone: of whole pairs, ScanPath.10=… would come before ScanPath.1=…
    pairs = sorted((encoded(name), encoded(value)) for name, value in parameters.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def encoded(text):
    # Bytes of paths that are no UTF-8 are lone surrogates in a Python text.
    return quote(text, safe="", errors="surrogateescape")


def joined(parameters, space="%20"):
    """As it travels, which need not be sorted."""
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in parameters.items()).replace("%20", space)


def flattened(parameters):
    flat = {}
    for name, value in present(parameters or {}).items():
        if isinstance(value, (list, tuple)):
            flat |= {f"{name}.{place}": str(item) for place, item in enumerate(value, 1)}
        else:
            flat[name] = str(value)
    return flat


def present(values):
    return {name: value for name, value in values.items() if value is not None}


def fresh_nonce():
    return uuid.uuid4().hex


def time_stamp(shift=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + shift))


def with_changed_byte(prepared, part, place=-1):
    """The same request, with another letter in one place of its "method", "target" or "body", or of the header that
    `part` names."""
    value = prepared.headers[part] if part in prepared.headers else getattr(prepared, part)
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    place %= len(text)
    text = text[:place] + ("b" if text[place] == "a" else "a") + text[place + 1:]
    changed = text.encode("latin-1") if isinstance(value, bytes) else text
    if part in prepared.headers:
        return replace(prepared, headers={**prepared.headers, part: changed})
    return replace(prepared, **{part: changed})
