"""Checks the service's answers against its OpenAPI document: status, headers and body. Anything that is not in the
document is wrong. Schemas are prepared once, and an answer that was found right is not checked again."""

import copy
import json
import os
import re
from urllib.parse import unquote

import yaml
from jsonschema import Draft202012Validator

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "handlers", "shared",
                        "openapi.yaml")
SERVED_AT = "/ClamScanner/openapi.json"
LONGEST_NAME = 128  # characters of a module or function that an envelope gives back
# Of a longer list, this many rows at either end are checked: a log of a million records would take minutes.
ROWS_AT_EITHER_END = 2000


class NotAsDocumented(AssertionError):
    pass


class Document:
    def __init__(self, path=DOCUMENT):
        with open(path, encoding="utf-8") as file:
            self.tree = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.paths = _resolved(self.tree)["paths"]
        self.paths_by_columns = _resolved(_with_fewer_fields(self.tree))["paths"]
        # All functions refuse alike, so the refusals of any function describe what an unknown function answers.
        self.refusals = {live: self._refusals(live) for live in (False, True)}
        self._checks = {}
        self._right = set()

    def _refusals(self, live):
        path = "/execute/ClamScanner/start_scan" if live else "/ClamScanner/start_scan"
        responses = self.paths[path]["post"]["responses"]
        return {status: response for status, response in responses.items() if status != "200"}

    def check(self, method, target, answer, body=b""):
        """Raises NotAsDocumented. `answer` has a status, headers with names in lower case, and a body; `target` and
        `body` are those of the request."""
        path = target.split("?")[0]
        if not re.match("/(cpsess[0-9]+/)?(execute|ClamScanner)(/|$)", path) or _is_the_web_servers(answer):
            return
        try:
            self._check_answer(method.lower(), target, path, answer, body)
        except NotAsDocumented as wrong:
            raise NotAsDocumented(f"{method} {ascii(target)}: {wrong}") from None

    def _check_answer(self, method, target, path, answer, body):
        live = re.match("/(cpsess[0-9]+/)?execute(/|$)", path) is not None
        path = re.sub("^/cpsess[0-9]+(?=/execute(/|$))", "", path)
        response = self._response(method, _decoded(path), live, answer.status, _asks_for_columns(target, body))
        if id(response) not in self._checks:
            self._checks[id(response)] = ResponseCheck(response)
        check = self._checks[id(response)]
        headers = {name: answer.headers[name] for name in ("content-type", *check.headers) if name in answer.headers}
        seen = hash((id(response), method, path, tuple(headers.items()), answer.body))
        if seen in self._right:
            return
        content = _json_of(method, answer)
        check.check(headers, content)
        if content is not None and path == SERVED_AT and answer.status == 200:
            self._check_own_description(content)
        elif content is not None and not live:
            _check_that_it_names(path, content)
        self._right.add(seen)

    def _response(self, method, path, live, status, asks_for_columns):
        item = self.paths.get(path)
        if item is None:
            return self._one_of(self.refusals[live], status, "an unknown function", never={"405"})
        if method not in item:
            return self._one_of(self.refusals[live], status, "a method that is not documented", never={"404"})
        if asks_for_columns:
            item = self.paths_by_columns[path]
        return self._one_of(item[method]["responses"], status, "this operation", never={"404", "405"})

    @staticmethod
    def _one_of(responses, status, whose, never):
        response = responses.get(str(status))
        if response is None or str(status) in never:
            raise NotAsDocumented(f"{status} is no status of {whose}")
        return response

    def _check_own_description(self, content):
        if content != self.tree:
            raise NotAsDocumented("the description that is served is not that of the sources")


class ResponseCheck:
    def __init__(self, response):
        self.headers = {name.lower(): header for name, header in response.get("headers", {}).items()}
        self.body = Draft202012Validator(response["content"]["application/json"]["schema"])
        self.header_values = {name: Draft202012Validator(header["schema"]) for name, header in self.headers.items()}

    def check(self, headers, content):
        for name, header in self.headers.items():
            if name in headers:
                integer = header["schema"]["type"] == "integer"
                value = int(headers[name]) if integer and headers[name].isdecimal() else headers[name]
                _fail_on_first(self.header_values[name], value, f"the header {name}")
            elif header.get("required"):
                raise NotAsDocumented(f"the header {name} is missing")
        if content is not None:
            _fail_on_first(self.body, _shortened(content), "the body")


def _is_the_web_servers(answer):
    """Its own refusals are pages for people, and lack a header that every answer of the service's has."""
    return answer.status >= 400 and "x-content-type-options" not in answer.headers and answer.headers.get(
        "content-type", "").startswith(("text/html", "text/plain"))


def _decoded(path):
    """Decodes as the service does: wrongly encoded text stays unchanged."""
    if re.search("%(?![0-9A-Fa-f]{2})", path):
        return path
    return unquote(path, errors="surrogateescape")


def _check_that_it_names(path, content):
    module, _, function = path[1:].partition("/")
    asked = (_decoded(module)[:LONGEST_NAME], _decoded(function)[:LONGEST_NAME])
    if (content["module"], content["func"]) != asked:
        raise NotAsDocumented(f"module and func are not as asked: {content['module']!a} and {content['func']!a}")


def _json_of(method, answer):
    """None for the answer to HEAD."""
    if answer.headers.get("content-type", "").lower() != "application/json; charset=utf-8":
        raise NotAsDocumented(f"the content type is {answer.headers.get('content-type')}")
    if method == "head":
        if answer.body:
            raise NotAsDocumented("the answer to HEAD has a body")
        return None
    try:
        # Lone surrogates come as escapes, so that the text itself is strict UTF-8.
        return json.loads(answer.body.decode("utf-8"), object_pairs_hook=_without_repeated_names)
    except ValueError as wrong:
        raise NotAsDocumented(f"the body is no JSON in UTF-8: {ascii(str(wrong))}") from None


def _without_repeated_names(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotAsDocumented(f"a name stands twice in {ascii([name for name, _ in pairs])}")
    return members


def _asks_for_columns(target, body):
    return "api.columns" in unquote(target, errors="replace") or b"api.columns" in bytes(body or b"")


def _shortened(value):
    if isinstance(value, dict):
        return {name: _shortened(member) for name, member in value.items()}
    if isinstance(value, list) and len(value) > 2 * ROWS_AT_EITHER_END:
        return value[:ROWS_AT_EITHER_END] + value[-ROWS_AT_EITHER_END:]
    return value


def _fail_on_first(validator, value, what):
    if validator.is_valid(value):
        return
    error = _deepest(next(validator.iter_errors(value)))
    place = "".join(f"[{part!r}]" for part in error.absolute_path)
    raise NotAsDocumented(f"{what}{place}: {ascii(error.message)[:500]}")


def _deepest(error):
    """Of a choice, what keeps the value from the branch that it nearly fits."""
    while error.context:
        branches = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        # A wrong constant (status, type) says that the branch is not meant.
        meant = [errors for errors in branches.values() if all(inner.validator != "const" for inner in errors)]
        error = max((meant or list(branches.values()))[0], key=lambda inner: len(inner.absolute_path))
    return error


def _with_fewer_fields(tree):
    """The document for requests that name the columns they want."""
    tree = copy.deepcopy(tree)
    for schema in tree["components"]["schemas"].values():
        if "x-fewer-fields-with" in schema:
            del schema["required"]
            schema["minProperties"] = 1
    return tree


def _resolved(tree):
    """Every reference replaced by what it refers to, the same object each time. The document has no circles."""
    done = {}

    def resolve(node):
        if isinstance(node, list):
            return [resolve(part) for part in node]
        if not isinstance(node, dict):
            return node
        if "$ref" not in node:
            # A discriminator says nothing that validates, and names its schemas as texts.
            return {name: resolve(part) for name, part in node.items() if name != "discriminator"}
        reference = node["$ref"]
        if reference not in done:
            target = tree
            for part in reference.removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            done[reference] = resolve(target)
        return done[reference]

    return resolve(tree)


_document = None


def check(method, target, answer, body=b""):
    """Raises NotAsDocumented when the answer is not what the document promises."""
    global _document
    if _document is None:
        _document = Document()
    _document.check(method, target, answer, body)
