"""
Tests for `ingress.command.migrate_command` and what it reads and writes.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.config_file import load_config
from ingress.migration.helm import objects_of
from tests.support.command import run
from tests.support.manifest import ingress_manifest, service_manifest
from tests.support.process import CHECKOUT

FIXTURE = CHECKOUT / "tests" / "fixtures" / "migration"
MANIFESTS = tuple(
    str(FIXTURE / name) for name in ("ingress-nginx.yaml", "ingresses.yaml", "secrets.yaml")
)
VALUES = str(FIXTURE / "values.yaml")


class MigrateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(parents=True)
        self.out = self.folder / "out"

    def file(self, *documents: Any, name: str = "a.yaml") -> str:
        path = self.folder / name
        path.write_text(yaml.safe_dump_all(documents))
        return str(path)

    def report(self, *arguments: str, status: int = 0) -> Any:
        """:return: the reports as data."""
        found, text, remark = run("migrate", *arguments, "--format", "json")
        self.assertEqual((found, remark), (status, ""))
        return json.loads(text)

    def rows(self, *arguments: str, status: int = 0) -> dict[str, str]:
        """:return: the verdicts of one installation by part and name."""
        [report] = self.report(*arguments, status=status)
        return {f"{row['part']} {row['name']}": row["verdict"] for row in report["rows"]}

    def written(self) -> dict[str, str]:
        return {
            str(file.relative_to(self.out)): file.read_text()
            for file in self.out.rglob("*")
            if file.is_file()
        }


class FilesTests(MigrateTests):
    """From files."""

    def test_fixture(self) -> None:
        """Each flag, key, value and Ingress has a verdict; what is written is read again."""
        rows = self.rows(*MANIFESTS, "--values", VALUES, "--output", str(self.out))
        self.assertEqual(sum(name.startswith("Ingress ") for name in rows), 14)
        self.assertEqual(rows["ConfigMap key use-gzip"], "same")
        self.assertEqual(rows["flag --validating-webhook"], "differs")
        self.assertEqual(rows["Helm value controller.extraModules"], "ignored")
        self.assertNotIn("closed", rows.values())
        config = load_config(self.out / "ingress.yaml")
        self.assertEqual(config.config_map, ("ingress-nginx", "ingress-nginx-controller"))
        self.assertEqual([path.exists() for path in config.source.paths], [True] * 3)
        files = self.written()
        for name in ("report.md", "report.html", "report.json", "instead/kustomization.yaml"):
            self.assertIn(name, files)

    def test_no_secret(self) -> None:
        """Nothing of a Secret, of a license or of a credential in a ConfigMap is written or shown."""
        given = objects_of({"controller": {"config": {"ssl-session-ticket-key": "hidden1"}}})
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s"},
            "stringData": {"password": "hidden2"},
        }
        fields = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "fields",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hidden4"},
            },
            "data": {"Authorization": "hidden3", "X-Plain": "shown"},
        }
        documents = [*(each.value for each in given), secret, fields, service_manifest("web")]
        stdin, sys.stdin = (
            sys.stdin,
            io.TextIOWrapper(io.BytesIO(yaml.safe_dump_all(documents).encode())),
        )
        try:
            status, text, _ = run("migrate", "-", "--values", VALUES, "--output", str(self.out))
        finally:
            sys.stdin = stdin
        self.assertEqual(status, 0)
        files = self.written()
        self.assertIn("shown", files["objects/copied.yaml"])
        everything = text + repr(files)
        for word in ("hidden", "nobody-may-see"):
            self.assertNotIn(word, everything)
        self.assertEqual(run("check", "--config", str(self.out / "ingress.yaml"))[2], "")

    def test_closed(self) -> None:
        """What closes is told first, by the team that decides, and is the exit status."""
        ingress = ingress_manifest(
            "shop", "a.example", {"/": "web"}, annotations={"auth-type": "digest"}
        )
        file = self.file(ingress, service_manifest("web"))
        arguments = (file, "--values", self.file({}, name="values.yaml"))
        self.assertEqual(self.rows(*arguments)["flag --validating-webhook"], "differs")
        ingress["spec"]["ingressClassName"] = "nginx"  # type: ignore[index]
        file = self.file(ingress, service_manifest("web"))
        [report] = self.report(*arguments, status=1)
        first = report["rows"][0]
        self.assertEqual((first["name"], first["verdict"]), ("default/shop", "closed"))
        self.assertEqual(first["owner"], "the team of namespace default")
        self.assertIn("ANN002", first["codes"])
        self.assertIn("Do not switch yet", report["verdict"])
        self.assertEqual(self.report(*arguments, "--fail-on", "none")[0], report)
        status, text, _ = run("migrate", *arguments)
        self.assertEqual(status, 1)
        self.assertIn("What will stop working", text)

    def test_other_classes(self) -> None:
        """Ingresses of another class are told, and have no verdict."""
        ingress = ingress_manifest("other", "a.example", {"/": "web"})
        ingress["spec"]["ingressClassName"] = "traefik"  # type: ignore[index]
        rows = self.rows(self.file(ingress), MANIFESTS[0])
        self.assertNotIn("Ingress default/other", rows)
        self.assertIn("object Ingress default/other", rows)

    def test_several(self) -> None:
        """Each installation has a folder, a report and names of its own."""
        second = objects_of({"controller": {"ingressClass": "inner"}}, "inner", "inner")
        file = self.file(*(each.value for each in second if each.kind != "IngressClass"))
        reports = self.report(MANIFESTS[0], file, "--output", str(self.out))
        self.assertEqual({report["class"] for report in reports}, {"nginx", "inner"})
        files = self.written()
        for name in ("txingress-nginx", "txingress-inner"):
            self.assertIn(f"{name}/ingress.yaml", files)
            self.assertIn(f"name: {name}\n", files[f"{name}/base/deployment.yaml"])
            self.assertIn(f"lease: {name}-leader", files[f"{name}/instead/config-map.yaml"])

    def test_nothing_overwritten(self) -> None:
        """A file that is there stays, and nothing else is written, unless it is forced."""
        self.out.mkdir()
        there = self.out / "report.md"
        there.write_text("mine")
        status, _, remark = run("migrate", *MANIFESTS, "--output", str(self.out))
        self.assertEqual(status, 2)
        self.assertIn("report.md exists; --force", remark)
        self.assertEqual(self.written(), {"report.md": "mine"})
        self.assertEqual(run("migrate", *MANIFESTS, "--output", str(self.out), "--force")[0], 0)
        self.assertNotEqual(there.read_text(), "mine")

    def test_values_of_helm(self) -> None:
        """The line above what `helm get values` prints is no value, and there may be no values."""
        shown = Path(self.mktemp()).with_suffix(".yaml")
        shown.parent.mkdir(parents=True, exist_ok=True)
        for text in (
            "USER-SUPPLIED VALUES:\ncontroller:\n  replicaCount: 1\n",
            "null\n",
        ):
            shown.write_text(text)
            rows = self.rows(
                *MANIFESTS, "--values", str(shown), "--output", str(self.out), "--force"
            )
            self.assertEqual([name for name in rows if "VALUES" in name], [], text)

    def test_values(self) -> None:
        """Several files of values are merged as by Helm; null removes a value."""
        first = self.file({"controller": {"replicaCount": 2, "kind": "DaemonSet"}}, name="1.yaml")
        second = self.file({"controller": {"replicaCount": 4, "kind": None}}, name="2.yaml")
        rows = self.rows("--values", first, "--values", second, "--output", str(self.out))
        self.assertIn("Helm value controller.replicaCount", rows)
        self.assertNotIn("Helm value controller.kind", rows)
        self.assertIn("replicas: 4", self.written()["base/deployment.yaml"])

    def test_odd_characters(self) -> None:
        """Names with half a surrogate pair, or what steers a terminal, end no report."""
        [deployment] = self.installation("Deployment")
        odd = {
            "kind": "ConfigMap",
            "metadata": {"name": "ingress-nginx-controller", "namespace": "ingress-nginx"},
            "data": {"a\ud800": "b\x1b[2J"},
        }
        path = self.folder / "odd.json"
        path.write_text(json.dumps({"kind": "List", "items": [deployment, odd]}))
        for form in ("text", "json", "markdown", "html"):
            options = ("--format", form, "--output", str(self.out), "--force", "--fail-on", "none")
            status, text, remark = run("migrate", str(path), *options)
            self.assertEqual((status, remark), (0, ""))
            self.assertIn("a\\ud800", text)
        self.assertIn("a\\ud800", self.written()["report.md"])

    def test_places(self) -> None:
        """Values, and the keys and flags that only they tell of, have their lines of the files."""
        first = self.folder / "1.yaml"
        first.write_text("controller:\n  config:\n    use-gzip: true\n    gzip-level: 5\n")
        second = self.folder / "2.yaml"
        second.write_text(
            "# more\ncontroller:\n  extraArgs: {v: 3}\n  config: {gzip-level: 6}\ntcp:\n  22: a/b:1\n"
        )
        [report] = self.report("--values", str(first), "--values", str(second))
        found = {
            f"{row['part']} {row['name']}": (row["file"], row["line"]) for row in report["rows"]
        }
        for name, place in {
            "Helm value controller.config.use-gzip": (str(first), 3),
            "Helm value controller.config.gzip-level": (str(second), 4),
            "Helm value tcp.22": (str(second), 6),
            "ConfigMap key use-gzip": (str(first), 3),
            "ConfigMap key tcp 22": (str(second), 6),
            "flag --v": (str(second), 3),
        }.items():
            self.assertEqual(found[name], place, name)

    def test_fail_on(self) -> None:
        """The exit status is 1 for the verdicts that are named, with blanks or without."""
        for failing, status in (
            ("closed", 0),
            ("closed,differs", 1),
            ("ignored , closed", 1),
            ("none", 0),
        ):
            self.assertEqual(run("migrate", *MANIFESTS, "--fail-on", failing)[0], status, failing)

    def test_forms(self) -> None:
        """The report is printed in each form."""
        for form, begin in (("text", "Deployment"), ("markdown", "# From"), ("html", "<!doctype")):
            status, text, _ = run("migrate", *MANIFESTS, "--format", form)
            self.assertEqual((status, text[: len(begin)]), (0, begin))

    def test_unable(self) -> None:
        """What cannot run says why, and what is accepted."""
        web = self.file(service_manifest("web"), name="web.yaml")
        for arguments, words in (
            ((), "name files or folders"),
            (("/nowhere",), "no such file"),
            ((web,), "no Deployment or DaemonSet of ingress-nginx"),
            (("--values", "/nowhere"), "No such file"),
            (("--values", self.file([1])), "Helm values are a mapping"),
            (("--values", self.file({}, {"a": 1}, name="two.yaml")), "line 3: a second document"),
            ((*MANIFESTS, "--fail-on", ""), "--fail-on ''"),
            ((*MANIFESTS, "--fail-on", "error"), "closed, differs, ignored, same"),
            ((*MANIFESTS, "--kubeconfig", "/x"), "or a cluster"),
            ((*MANIFESTS, "--output", web), "is a file"),
            ((*MANIFESTS, "--output", ""), "--output is empty"),
            ((*MANIFESTS, "--image", "a b"), "NAME:TAG"),
        ):
            status, _, remark = run("migrate", *arguments)
            self.assertEqual(status, 2, arguments)
            self.assertIn(words, remark)

    def test_missing(self) -> None:
        """What is not among the files is told under its own name, and never judged as good."""
        ingress = ingress_manifest("shop", "a.example", {"/": "web"})
        ingress["spec"]["ingressClassName"] = "nginx"  # type: ignore[index]
        ingress["spec"]["tls"] = [{"secretName": "cert"}]  # type: ignore[index]
        file = self.file(ingress, service_manifest("web"))
        values = self.file({"controller": {"replicaCount": 1}}, name="values.yaml")
        [report] = self.report(file, "--values", values)
        [row] = [row for row in report["rows"] if row["name"] == "Secrets with certificates"]
        self.assertEqual(row["verdict"], "differs")
        self.assertIn("default/cert", row["follows"])
        deployment = self.file(*self.installation("Deployment"), name="deployment.yaml")
        [report] = self.report(deployment)
        self.assertNotIn("txingress-", json.dumps(report["rows"]))
        named = [row["name"] for row in report["rows"] if row["verdict"] == "differs"]
        self.assertIn("ConfigMap ingress-nginx/ingress-nginx-controller", named)

    def installation(self, *kinds: str) -> list[Any]:
        """:return: the objects of these kinds of the fixture's ingress-nginx."""
        documents = yaml.safe_load_all(Path(MANIFESTS[0]).read_text())
        return [each for each in documents if each["kind"] in kinds]

    def test_unreadable_keys(self) -> None:
        """A key whose value is no text has a row: it closes if it decides access."""
        installation = self.installation("Deployment", "ConfigMap")
        for each in installation:
            if each["metadata"]["name"] == "ingress-nginx-controller" and "data" in each:
                each["data"] |= {"block-cidrs": 10, "proxy-read-timeout": 60}
        rows = self.rows(self.file(*installation), status=1)
        self.assertEqual(rows["ConfigMap key block-cidrs"], "closed")
        self.assertEqual(rows["ConfigMap key proxy-read-timeout"], "differs")

    def test_broken_files(self) -> None:
        """A file that cannot be read is told, because nobody knows what is in it."""
        broken = self.folder / "broken.yaml"
        broken.write_text("a: [")
        rows = self.rows(*MANIFESTS, str(broken), status=1)
        self.assertEqual(rows[f"object {broken}"], "closed")
