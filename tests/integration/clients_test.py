"""Public JavaScript tools take the service for what its OpenAPI document says: a linter reads the document, a generator
makes a client of it, and that client and a plain script do the main job. tests/clients has them.

Installing them asks npm's registry, once for each change of their lock file. Linting and generating run without any
network."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import openapi_check
from service_case import ServiceCase, main
from test_files import EICAR
from web_front import ROOT

HERE = os.path.join(ROOT, "tests", "clients")
PACKAGES = os.path.join(HERE, "node_modules")
SECONDS = 300
LINTERS = ("redocly", "spectral", "swagger-parser")


def run(command, **how):
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=SECONDS, **how)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def run_offline(command):
    return run(["unshare", "--net", *command])


def install_packages():
    """What the lock file says, unless it is there already."""
    with open(os.path.join(HERE, "package-lock.json"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    mark = os.path.join(PACKAGES, ".lock-sha256")
    if os.path.exists(mark):
        with open(mark, encoding="ascii") as file:
            if file.read() == wanted:
                return
    run(["npm", "ci"])
    with open(mark, "w", encoding="ascii") as file:
        file.write(wanted)


def lint(document, linter):
    """What is wrong with it, a line each."""
    done = subprocess.run(["unshare", "--net", "node", "lint.mjs", linter, document], cwd=HERE, capture_output=True,
                          text=True, timeout=SECONDS)
    if done.stderr or done.returncode not in (0, 1):
        raise AssertionError(f"the linter broke: {done.stderr}")
    return done.stdout.splitlines()


class TheDocument(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install_packages()
        with open(openapi_check.DOCUMENT, encoding="utf-8") as file:
            cls.text = file.read()

    def test_no_linter_finds_anything(self):
        for linter in LINTERS:
            with self.subTest(linter):
                self.assertEqual(lint(openapi_check.DOCUMENT, linter), [])

    def test_each_linter_finds_what_is_wrong(self):
        relative = ("  - url: /\n", "  - url: '/cpsess{session}'\n    variables: {session: {default: '0'}}\n")
        for right, wrong, rules in (
                ("operationId: executeStartScan\n", "operationId: startScan\n",
                 {"redocly": "operation-operationId-unique", "spectral": "operation-operationId-unique"}),
                ("schemas/ScanStatus'", "schemas/Nothing'",
                 {"redocly": "no-unresolved-refs", "spectral": "invalid-ref", "swagger-parser": "Nothing"}),
                ("tags: [Live envelope]", "tags: [Other]",
                 {"redocly": "operation-tag-defined", "spectral": "operation-tag-defined"}),
                ("minimum: 0", "minimum: none",
                 {"redocly": "struct", "spectral": "oas3-schema"}),
                ("      in: query\n", "      in: nowhere\n",
                 {"redocly": "struct", "spectral": "oas3-schema", "swagger-parser": "validation failed"}),
                (*relative, {"spectral": "oas3-server-variables"})):
            self.assertIn(right, self.text)
            for linter, rule in rules.items():
                with self.subTest(rule, linter=linter), \
                        tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
                    file.write(self.text.replace(right, wrong))
                    file.flush()
                    found = lint(file.name, linter)
                    self.assertTrue(any(rule in line for line in found), found)

    def test_a_generator_of_types_takes_it(self):
        with tempfile.TemporaryDirectory() as directory:
            types = os.path.join(directory, "types.ts")
            run_offline(["node", "node_modules/openapi-typescript/bin/cli.js", openapi_check.DOCUMENT, "--output",
                         types])
            run_offline(["node", "node_modules/typescript/bin/tsc", "--strict", "--noEmit", "--skipLibCheck", types])


class PublicClients(ServiceCase):
    @classmethod
    def setUpClass(cls):
        install_packages()
        directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        run_offline(["node", "generate.mjs", openapi_check.DOCUMENT, os.path.join(directory, "generated")])
        for name in ("generated_client.ts", "tsconfig.json"):
            shutil.copy(os.path.join(HERE, name), directory)
        run_offline(["node", "node_modules/typescript/bin/tsc", "--project", directory])
        cls.plain = os.path.join(HERE, "plain_client.mjs")
        cls.generated = os.path.join(directory, "built", "generated_client.js")
        super().setUpClass()

    def do(self, client, job, account, **order):
        order = {"base": f"http://127.0.0.1:{self.service.front.port}", "user": account.name,
                 "password": account.password, **order}
        # Bytes of names that are no UTF-8 are lone surrogates here and there, and escapes on the way.
        return json.loads(run(["node", "run.mjs", client, job], input=json.dumps(order)))

    def do_the_main_job(self, client):
        account, _ = self.new_account()
        account.write("public_html/index.html", "<p>fine</p>")
        doomed, moved, kept = (account.write(name, EICAR) for name in ("public_html/a b&c=d+é.php", "mail/new/x", "k"))
        odd = account.write("odd\udcff\udc80name", EICAR)
        actions = {doomed: "delete", moved: "quarantine", kept: "ignore", odd: "delete"}

        seen = self.do(client, "mainJob", account, actions=actions)

        self.assertEqual(set(seen["status"]["infected_files"]), set(actions))
        self.assertEqual((seen["status"]["scanned_file_count"], seen["status"]["total_file_count"]), (5, 5))
        self.assertEqual({row["file"] for row in seen["listed"]}, set(actions))
        self.assertRegex(seen["queued"]["task_id"], "^[0-9a-f]{8}/[0-9a-f]{14}$")
        self.assertEqual([record["id"] for record in seen["records"]], [1, 2, 3, 4, 5])
        self.assertEqual({record["file"]: record["state"] for record in seen["records"][:-1]},
                         {doomed: "deleted", moved: "quarantined", kept: "no-action", odd: "deleted"})
        self.assertEqual((seen["records"][-1]["type"], seen["records"][-1]["state"]), ("done", "info"))
        self.assertEqual([os.path.lexists(path) for path in (doomed, moved, kept, odd)], [False, False, True, False])

    def see_pages(self, client):
        account, _ = self.new_account()
        wanted = [account.write(f"wanted-{letter}", EICAR) for letter in "bca"]
        account.write("other", EICAR)
        pages = self.do(client, "pages", account, containing="/WANTED-", size=2)
        files = [[row["file"] for row in page["rows"]] for page in pages]
        downwards = sorted(wanted, reverse=True)
        self.assertEqual(files, [downwards[:2], downwards[2:]])
        for number, page in enumerate(pages, 1):
            self.assertEqual(page["metadata"]["paginate"],
                             {"current_page": number, "results_per_page": 2, "start_result": 2 * number - 1,
                              "total_pages": 2, "total_results": 3})
            self.assertEqual(page["metadata"]["filter"], {"records_before_filter": 4})

    def see_refusals(self, client):
        account, _ = self.new_account()
        seen = self.do(client, "refusals", account)
        for answer, argument in ((seen["scanType"], "scan_type"), (seen["actions"], "actions")):
            self.assertEqual((answer["http"], answer["status"], answer["data"]), (200, 0, None))
            self.assertEqual(len(answer["errors"]), 1)
            self.assertIn(f'"{argument}"', answer["errors"][0])
        denied = self.do(client, "refusals", account, password="wrong")["scanType"]
        self.assertEqual((denied["http"], denied["status"], denied["data"]), (401, 0, None))
        self.assertEqual(len(denied["errors"]), 1)

    def test_a_plain_script_does_the_main_job(self):
        self.do_the_main_job(self.plain)

    def test_a_generated_client_does_the_main_job(self):
        self.do_the_main_job(self.generated)

    def test_a_plain_script_sends_actions_as_pages_do(self):
        account, _ = self.new_account()
        files = [account.write(name, EICAR) for name in ("a b[1]+&=é.php", "c", "d\udcff")]
        seen = self.do(self.plain, "waysToSend", account, files=files)
        self.assertEqual(list(seen.values()), [[[path, "deleted"]] for path in files])

    def test_a_plain_script_filters_sorts_and_pages(self):
        self.see_pages(self.plain)

    def test_a_generated_client_filters_sorts_and_pages(self):
        self.see_pages(self.generated)

    def test_a_plain_script_sees_refusals(self):
        self.see_refusals(self.plain)

    def test_a_generated_client_sees_refusals(self):
        self.see_refusals(self.generated)

    def test_the_document_is_served_without_a_login(self):
        stranger = self.service.client(user="nobody", password="")
        answer = stranger.send("GET", openapi_check.SERVED_AT, authorization=None)
        self.assertEqual(answer.status, 200, answer.body[:500])
        openapi_check.check("GET", openapi_check.SERVED_AT, answer)


if __name__ == "__main__":
    main()
