"""
The pages of ``docs`` that teach: each file on them, and each command, as it stands there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr
from dataclasses import fields
from io import StringIO
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.command.main import make_parser, parse_words
from ingress.command.offline import load
from ingress.config import Limits
from ingress.config_file import load_config
from ingress.policy.support import Verdict, support_of_all
from ingress.problem_code import Code
from tests.e2e.test_migration import logged
from tests.support.client import HTTPClient
from tests.support.command import run
from tests.support.endpoints import EchoEndpoint, RawEndpoint, answering
from tests.support.fake_api import FakeAPIProcess
from tests.support.kubectl import find_kubectl
from tests.support.process import CHECKOUT, PATIENCE, TWISTD, replace_file, wait_until
from tests.support.program import environment, run_trial, serve_configuration

DOCS = CHECKOUT / "docs"

_FILE = re.compile(r"Create `([^`]+)`:\n\n```\w+\n(.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
_COMMAND = re.compile(r"\$ (.*)\n((?:(?!\$ ).*\n)*)")
_TXINGRESS = re.compile(
    r"^(?:    |\$ )(?:.* \| )?(?:kubectl )?(?:\S*/)?txingress ([a-z][^\n]*)$", re.MULTILINE
)
_YAML = re.compile(r"^ *```yaml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_NOT_AS_WRITTEN = {
    Code.FILE_NOT_PARSED,
    Code.OBJECT_INVALID,
    Code.ANNOTATION_VALUE,
    Code.ANNOTATION_UNSUPPORTED,
    Code.ANNOTATION_UNKNOWN,
    Code.ANNOTATION_WITHOUT_EFFECT,
}
_PORTS = ("8080", "10254", "3000")
_DEFAULTS = {"http": "8080", "admin": "10254"}
"""Listeners of a configuration that says nothing of them."""


class PageCase(SynchronousTestCase):
    """A folder with the files of a page; ports that may be taken are replaced by free ones."""

    page: str

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.web = EchoEndpoint("web")
        self.addCleanup(self.web.stop)
        held = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
        self.ports = {
            old: str(new.getsockname()[1]) for old, new in zip(_PORTS, held, strict=True)
        } | {"3000": str(self.web.port)}
        for each in held:
            each.close()
        self.text = (DOCS / self.page).read_text()
        for name, content in _FILE.findall(self.text):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.with_ports(content))

    def with_ports(self, text: str) -> str:
        return re.sub(rf"\b(?:{'|'.join(_PORTS)})\b", lambda match: self.ports[match[0]], text)

    def start(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment(self.folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # What a shell starts in the background ignores ^C, and so would what that starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def status(self, path: str) -> int:
        """What a client gets; 0 while nobody listens."""
        try:
            with HTTPClient(int(self.ports["8080"])) as client:
                return client.request(path).status
        except OSError:
            return 0


class QuickStartPageTests(PageCase):
    page = "quick-start.md"

    def test_followed(self) -> None:
        """Each command prints what stands there, and the log has the lines of the page."""
        if shutil.which("curl") is None:
            self.skipTest("curl is not here")
        listen = {name: f"127.0.0.1:{self.ports[port]}" for name, port in _DEFAULTS.items()}
        config = self.folder / "ingress.yaml"
        with config.open("a") as written:
            written.write(yaml.safe_dump({"listen": {**listen, "https": None}}))
        process = serve_configuration(config, self.folder / "beside", self.folder)
        self.addCleanup(process.stop)
        consoles = [each for each in _CONSOLE.findall(self.text) if "txingress" in each]
        commands = [found for each in consoles for found in _COMMAND.findall(each)]
        self.assertEqual(len(commands), 4)
        for command, printed in commands:
            expected = self.with_ports(self.in_folder(printed))
            self.assertEqual(self.shell(command), expected, command)
        (block,) = re.findall(r"```\n(OBJ001 .*?)```", self.text, re.DOTALL)
        *told, other = self.in_folder(block.replace("\n  ", " ")).splitlines()
        manifest = self.folder / "k8s" / "web.yaml"
        good = manifest.read_text()
        changed = (good.replace("Prefix", "Prefx"), good, good.replace("name: web,", "name: api,"))
        for text, line in zip(changed, (*told, other), strict=True):
            replace_file(manifest, text)
            parts = re.split(r"\d{4}-\d\d-\d\d [\d:]{8}", line)
            process.wait_for_line(r"[-\d: ]{19}".join(map(re.escape, parts)) + "$")

    def shell(self, command: str) -> str:
        """:return: what a command of the page prints, on both outputs."""
        program = f"{shlex.quote(sys.executable)} -m ingress"
        done = subprocess.run(
            self.with_ports(command).replace("txingress", program),
            shell=True,
            cwd=self.folder,
            env=environment(self.folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    def in_folder(self, text: str) -> str:
        return text.replace("/srv/shop", str(self.folder.resolve()))


class RewritePageTests(SynchronousTestCase):
    """docs/rewrite.md: what `txingress explain` says of the manifest on it."""

    def setUp(self) -> None:
        self.text = (DOCS / "rewrite.md").read_text()
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(CHECKOUT / "examples" / "ingress-nginx" / "rewrite")

    def test_explained(self) -> None:
        """The command on the page prints what stands there."""
        (console,) = _CONSOLE.findall(self.text)
        ((command, printed),) = _COMMAND.findall(console)
        words = shlex.split(command.removesuffix(" | head -6"))
        status, output, _ = run(*words[1:])
        self.assertEqual((status, "".join(output.splitlines(True)[:6])), (0, printed))

    def test_rows(self) -> None:
        """Each path of the table becomes what stands beside it."""
        rows = re.findall(r"^\| `(/.*?)` \| (?:`(/.*?)`|nothing)", self.text, re.MULTILINE)
        self.assertEqual(len(rows), 5)
        for asked, sent in rows:
            url = f"http://rewrite.bar.com{asked}"
            _, output, _ = run("explain", url, "--", "manifests.yaml")
            told = f"an endpoint would get: GET {sent}\n" if sent else "404 no_route"
            self.assertIn(told, output, asked)


class PolicyPageTests(PageCase):
    page = "policies.md"

    def serve(self) -> None:
        """Serve the configuration of the page."""
        process = serve_configuration(
            self.folder / "ingress.yaml", self.folder / "beside", self.folder
        )
        self.addCleanup(process.stop)
        self.process = process

    def configure(self, **changes: object) -> None:
        """Change keys of the configuration."""
        file = self.folder / "ingress.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}))

    def test_tested(self) -> None:
        """The test on the page passes."""
        output = run_trial("test_shop_policies", self.folder)
        self.assertIn("PASSED (successes=3)", output)

    def test_commands(self) -> None:
        """The commands on the page print what stands there."""
        if shutil.which("curl") is None:
            self.skipTest("curl is not here")
        self.serve()
        (console,) = _CONSOLE.findall(self.text)
        commands = _COMMAND.findall(console)
        self.assertEqual(len(commands), 3)
        for command, printed in commands:
            done = subprocess.run(
                self.with_ports(command), shell=True, capture_output=True, text=True
            )
            self.assertEqual(done.stdout, printed, command)

    def test_waiting(self) -> None:
        """All ways to wait work in a worker."""
        server = RawEndpoint(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes")
        )
        self.addCleanup(server.stop)
        (self.folder / "file").write_text("read\n")
        waiting = {
            "class": "waiting_policies.Waiting",
            "for-all": True,
            "url": f"http://127.0.0.1:{server.port}/",
            "file": "file",
        }
        for workers in (1, 2):
            self.configure(
                policies={"maintenance": "shop_policies.Maintenance", "w": waiting}, workers=workers
            )
            self.serve()
            with HTTPClient(self.process.port("http")) as client:
                reply = client.request("/", "blog.example")
            fields = [reply.field(name) for name in ("X-Server", "X-File", "X-Later")]
            self.assertEqual((reply.status, fields), (200, ["yes", "read", "yes"]))
            self.process.stop()


class ConfigurationPageTests(SynchronousTestCase):
    """The example of docs/configuration.md."""

    def test_example(self) -> None:
        """It has no mistake, if the files that it names exist."""
        folder = Path(self.mktemp())
        for each in ("k8s", "more", "secrets"):
            (folder / each).mkdir(parents=True)
        (folder / "more" / "ingress.yaml").touch()
        text = (DOCS / "configuration.md").read_text()
        [config] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
        (folder / "ingress.yaml").write_text(config)
        self.assertEqual(load_config(folder / "ingress.yaml").limits.body_size, 8 << 20)


class EmbeddingPageTests(PageCase):
    page = "embedding.md"

    def test_tac(self) -> None:
        """The .tac serves, beside a service of its own, and ends well."""
        process = self.start(*TWISTD, "-n", "--pidfile=", "-y", "proxy.tac")
        wait_until(lambda: self.status("/") == 200 or process.poll() is not None, "the proxy")
        self.assertEqual(self.status("/"), 200)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertIn("still here", output)
        self.assertNotIn("Traceback", output)
        self.assertEqual(process.returncode, 0)

    def test_plain(self) -> None:
        """The plain program serves its manifests, and ends with ^C."""
        process = self.start(sys.executable, "plain.py")
        wait_until(lambda: self.status("/app") == 200 or process.poll() is not None, "the proxy")
        self.assertEqual(self.status("/app"), 200)
        self.assertEqual(self.status("/other"), 404)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
        self.assertIn("listening on", output)


_FAKED = """#!/bin/sh
# What the API server of the tests cannot do, and what needs pods, only says that it was asked for.
for word; do
  case "$word" in
    logs) exec cat {log} ;;
    rollout|scale|patch|validatingwebhookconfiguration) echo "$@"; exit 0 ;;
    apply) validate=--validate=false ;;
  esac
done
exec {kubectl} --kubeconfig {folder}/kubeconfig --cache-dir {folder}/cache "$@" $validate
"""


class MigrationPageTests(SynchronousTestCase):
    """
    Each command of docs/migration.md, in its order: with ``TXINGRESS_TEST_MIGRATION=1`` (``make
    migration``) against an API server, with the real kubectl; else those that read files.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        fixture = CHECKOUT / "tests" / "fixtures" / "migration"
        for file in fixture.glob("*.yaml"):
            shutil.copy(file, self.folder)
        self.line = logged("api.shop.example", "/v1/orders", "shop-api-80", 200)
        self.commands = [
            found[0]
            for block in _CONSOLE.findall((DOCS / "migration.md").read_text())
            for found in _COMMAND.findall(block)
        ]
        self.assertGreater(len(self.commands), 12)

    def serve_api(self) -> None:
        """Start an API server, and put programs of the names on the page into the path."""
        self.api = FakeAPIProcess(self.folder / "api.log")
        self.addCleanup(self.api.close)
        (self.folder / "kubeconfig").write_text(self.api.kubeconfig())
        self.fill()
        faked = self.folder / "bin" / "kubectl"
        faked.parent.mkdir()
        log = self.folder / "pod.log"
        log.write_text(self.line)
        faked.write_text(_FAKED.format(log=log, kubectl=find_kubectl(), folder=self.folder))
        own = faked.with_name("txingress")
        own.write_text(f'#!/bin/sh\nexec {sys.executable} -m ingress "$@"\n')
        for file in (faked, own):
            file.chmod(0o755)

    def fill(self) -> None:
        """Put the objects of the fixture into the API server, as far as it knows their kinds."""
        unknown = ("PodDisruptionBudget", "ValidatingWebhookConfiguration")
        documents = [
            each
            for name in ("ingress-nginx.yaml", "ingresses.yaml", "secrets.yaml")
            for each in yaml.safe_load_all((self.folder / name).read_text())
            if each["kind"] not in unknown
        ]
        names = {each["metadata"].get("namespace") for each in documents} - {None}
        spaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names
        ]
        self.api.put(*spaces, *documents)

    def shell(self, command: str) -> str:
        """:return: what a command prints."""
        found = environment()
        path = f"{self.folder / 'bin'}:{found['PATH']}"
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env={**found, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * PATIENCE,
        )
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}")
        return done.stdout

    def selector(self) -> str:
        service = self.api.get("v1", "Service", "ingress-nginx-controller", "ingress-nginx")
        assert service is not None
        name: str = service["spec"]["selector"]["app.kubernetes.io/name"]
        self.assertEqual(len(service["spec"]["selector"]), 3)
        return name

    def test_files(self) -> None:
        """The commands that read files work in the order of the page."""
        (self.folder / "access.log").write_text(self.line)
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.folder)
        outputs = []
        for command in self.commands:
            program, *words = shlex.split(command)
            if program == "txingress" and "--kubeconfig" not in words:
                status, output, remarks = run(*words)
                self.assertEqual((status, remarks), (0, ""), command)
                outputs.append(output)
        migrated, checked, simulated = outputs
        readme = (CHECKOUT / "README.md").read_text()
        [shown] = re.findall(r"\$ txingress migrate .*\n(.*)\n", readme)
        # The numbers may be those of another installation.
        self.assertRegex(migrated, re.sub(r"\d+", r"\\d+", re.escape(shown)))
        self.assertIn("14 Ingresses", checked)
        self.assertIn("1 same, 0 different", simulated)

    def test_commands(self) -> None:
        """The commands work in the order of the page, and the Service follows."""
        if not os.environ.get("TXINGRESS_TEST_MIGRATION"):
            self.skipTest("TXINGRESS_TEST_MIGRATION is not set; make migration does that")
        self.serve_api()
        selectors = []
        for command in self.commands:
            output = self.shell(command)
            selectors.append(self.selector())
            if "migrate" in command:
                self.assertIn("Nothing stops working", output)
            elif "simulate" in command or "shadow" in command:
                self.assertIn("1 same, 0 different", output)
        changes = [name for name, before in zip(selectors[1:], selectors, strict=False)
                   if name != before]  # fmt: skip
        self.assertEqual(changes, ["txingress", "ingress-nginx"])
        deployment = self.api.get("apps/v1", "Deployment", "txingress", "ingress-nginx")
        self.assertIsNotNone(deployment)
        settings = self.api.get("v1", "ConfigMap", "txingress", "ingress-nginx")
        assert settings is not None
        self.assertIn("status:", settings["data"]["ingress.yaml"])


class ManifestTests(SynchronousTestCase):
    """The manifests and configurations on all pages."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.blocks = [
            (page.name, block, [each for each in yaml.safe_load_all(block) if each is not None])
            for page in sorted(DOCS.glob("*.md"))
            for block in _YAML.findall(page.read_text())
        ]

    def test_manifests(self) -> None:
        """What has a kind is what the API server accepts, and is carried out as it is written."""
        count = 0
        for page, block, documents in self.blocks:
            if all(isinstance(each, dict) and "kind" in each for each in documents):
                file = self.folder / "manifests.yaml"
                file.write_text(block)
                found = [str(each) for each in load(None, [str(file)]).problems
                         if each.code in _NOT_AS_WRITTEN]  # fmt: skip
                self.assertEqual(found, [], page)
                count += 1
        self.assertGreater(count, 5)

    def test_class(self) -> None:
        """An Ingress for a cluster has the class of the proxy, or the page says to add it."""
        included = [page for page in DOCS.glob("*.md") if "{literalinclude}" in page.read_text()]
        self.assertGreater(len(included), 4)
        for page in (*included, CHECKOUT / "examples" / "ingress-nginx" / "README.md"):
            self.assertIn("add the class of the proxy to ", page.read_text(), page.name)
        unnamed = {
            page
            for page, _, documents in self.blocks
            for each in documents
            if isinstance(each, dict) and each.get("kind") == "Ingress"
            if "ingressClassName" not in each["spec"]
            if "kubernetes.io/ingress.class" not in each["metadata"].get("annotations", {})
        }
        # They need no cluster.
        self.assertEqual(unnamed, {"quick-start.md", "embedding.md", "policies.md"})

    def test_examples(self) -> None:
        """The configuration for an example by hand serves it."""
        text = (CHECKOUT / "examples" / "ingress-nginx" / "README.md").read_text()
        file = self.folder / "ingress.yaml"
        config = yaml.safe_load(_YAML.findall(text)[0])
        config["source"]["files"] = [str(CHECKOUT / each) for each in config["source"]["files"]]
        file.write_text(yaml.safe_dump(config))
        (url,) = re.findall(r"-H 'Host: (\S+)' http://localhost:8080/$", text, re.MULTILINE)
        output = run("explain", f"http://{url}/app1", "--config", str(file))[1]
        self.assertIn("-> the endpoint 127.0.0.1:3000 of default/app-root:80 answers", output)

    def test_configurations(self) -> None:
        """What has keys of the configuration is one."""
        keys = yaml.safe_load((CHECKOUT / "etc" / "ingress.yaml").read_text()).keys()
        count = 0
        for page, _, documents in self.blocks:
            if page == "policies.md" or len(documents) != 1 or not isinstance(documents[0], dict):
                continue
            written = {"source": {"files": "k8s"}, **documents[0]}
            if not written.keys() <= keys:
                continue
            text = yaml.safe_dump(written).replace("/home/me/.kube/config", "kubeconfig")
            for name in ("kubeconfig", "k8s", "more/ingress.yaml"):
                (self.folder / name).parent.mkdir(exist_ok=True)
                (self.folder / name).touch()
            (self.folder / "ingress.yaml").write_text(text)
            with self.subTest(page=page):
                load_config(self.folder / "ingress.yaml")
                count += 1
        self.assertGreater(count, 5)


class TableTests(SynchronousTestCase):
    """The tables that come from the code."""

    def test_true(self) -> None:
        """README.md and docs have the tables that ``make docs`` writes."""
        done = subprocess.run(
            [sys.executable, ".ci/tables.py", "--check"],
            cwd=CHECKOUT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)


class FileTests(SynchronousTestCase):
    """The files of the documentation."""

    def test_explained(self) -> None:
        """What README.md says that `txingress explain` prints is what it prints."""
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(CHECKOUT)
        shown = re.findall(
            r"^\$ txingress (explain [^\n]*)\n(.*?)^```", Path("README.md").read_text(), re.M | re.S
        )
        self.assertTrue(shown)
        for command, output in shown:
            self.assertEqual(run(*shlex.split(command)), (0, output, ""), command)

    def test_commands(self) -> None:
        """Each `txingress` on a page has arguments that it takes."""
        pages = [CHECKOUT / "README.md", *DOCS.rglob("*.md"), *CHECKOUT.glob("examples/**/*.md")]
        pages.remove(DOCS / "command-line.md")
        found = [
            (page, match)
            for page in pages
            for match in _TXINGRESS.findall(page.read_text().replace("\\\n", " "))
        ]
        self.assertGreater(len(found), 30)
        for page, command in found:
            # Behind it are other programs, and comments.
            words = shlex.split(re.split(r" \| | > |  +", command)[0])
            said = StringIO()
            with redirect_stderr(said), self.subTest(page=page.name, command=command):
                try:
                    parse_words(make_parser(words[0]), words[0], words)
                except SystemExit:
                    self.fail(said.getvalue())

    def test_links(self) -> None:
        """Each link to a file of the checkout leads to one."""
        for page in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("[bde]*/**/*.md")):
            if CHECKOUT / "build" in page.parents:
                # Packages and copies.
                continue
            for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
                if "://" not in link:
                    with self.subTest(page=page.name, link=link):
                        self.assertTrue((page.parent / link).exists())

    def test_link_texts(self) -> None:
        """The links of the site say what is behind them, and not the name of a file."""
        found = []
        for page in (*DOCS.glob("*.md"), *DOCS.glob("findings/*.md")):
            texts = re.findall(r"\[(?:docs/)?[a-z-]+\.md\]\(", page.read_text())
            found += [(page.name, text) for text in texts]
        self.assertEqual(found, [])

    def test_decisions(self) -> None:
        """Each decision has a number of its own, by which its file and its title begin."""
        numbers = []
        for page in sorted((CHECKOUT / "docs" / "adr").glob("*.md")):
            number = int(page.name.partition("-")[0])
            self.assertRegex(page.read_text(), rf"\A# {number}\. [^\n]+\n\nStatus: ")
            numbers.append(number)
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_bounds(self) -> None:
        """docs/http2.md has each key of HTTP/2's limits, and each kind of glitch in the code."""
        text = (DOCS / "http2.md").read_text()
        keys = [each.name.replace("_", "-") for each in fields(Limits) if "http2" in each.name]
        kinds: set[str] = set()
        for module in (CHECKOUT / "ingress" / "http2").glob("*.py"):
            code = module.read_text()
            kinds |= set(re.findall(r'(?:kinds\[|glitch\()"([a-z_]+)"[\],]', code))
            kinds |= {f"too_many_{name}" for name in re.findall(r'_fail\("([a-z_]+)"', code)}
        self.assertGreater(len(keys), 6)
        self.assertGreater(len(kinds), 8)
        self.assertEqual([name for name in (*keys, *kinds) if f"`{name}`" not in text], [])

    def test_annotations(self) -> None:
        """README.md says how many annotations of ingress-nginx are not supported."""
        missing = {Verdict.REFUSED, Verdict.IGNORED}
        count = sum(each.verdict in missing for each in support_of_all())
        readme = (CHECKOUT / "README.md").read_text()
        self.assertIn(f"all but {count} of ingress-nginx's", readme)

    def test_named(self) -> None:
        """README.md names the command that runs the tests, and that of continuous integration."""
        readme = (CHECKOUT / "README.md").read_text()
        self.assertIn("    make test ", readme)
        self.assertIn("`.ci/run`", readme)
        self.assertLess(len(readme.splitlines()), 180)
