"""
Tests for `ingress.command.diff_command` and what it finds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.certs import CertificateAuthority
from tests.support.command import run
from tests.support.manifest import ingress_manifest, secret_manifest, service_manifest

RANGES = {"whitelist-source-range": "10.0.0.0/8"}
HOST = "shop.example"


class DiffTests(SynchronousTestCase):
    """What is said of two sets of manifests."""

    def file(self, *manifests: Any) -> str:
        path = Path(self.mktemp()).with_suffix(".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            yaml.safe_dump_all([*manifests, service_manifest("web"), service_manifest("api")])
        )
        return str(path)

    def ingress(self, paths: dict[str, str], **arguments: Any) -> Any:
        return ingress_manifest("shop", HOST, paths, **arguments)

    def diff(self, old: str, new: str, *options: str) -> tuple[int, list[str]]:
        """:return: the status, and the lines."""
        status, text, remarks = run("diff", old, new, *options)
        self.assertEqual(remarks, "")
        return status, text.splitlines()

    def differences(self, old: str, new: str) -> dict[str, list[str]]:
        """:return: the changes by subject."""
        _, text, _ = run("diff", old, new, "--format", "json")
        return {found["subject"]: found["changes"] for found in json.loads(text)["differences"]}

    def test_same(self) -> None:
        """Files that are written otherwise, but mean the same, do not differ."""
        old = self.file(self.ingress({"/": "web", "/api": "api"}))
        new = self.file(
            ingress_manifest("other", HOST, {"/api": "api"}),
            ingress_manifest("shop", HOST, {"/": "web"}, annotations={"ssl-redirect": "true"}),
        )
        self.assertEqual(self.diff(old, new), (0, ["Nothing changes for clients."]))

    def test_target(self) -> None:
        """Another Service for a path, and no Service."""
        old, new = (
            self.file(self.ingress({"/api": "api"})),
            self.file(self.ingress({"/api": "web"})),
        )
        changes = {"shop.example/api/*": ["default/api:80 -> default/web:80"]}
        self.assertEqual(self.differences(old, new), changes)
        self.assertEqual(self.diff(old, new)[0], 1)
        gone = {"shop.example/api/*": ["default/api:80 -> 404"]}
        self.assertEqual(self.differences(old, self.file()), gone)

    def test_falls_to_another_rule(self) -> None:
        """URLs of a rule that is gone, or new, are those of another rule."""
        old = self.file(self.ingress({"/": "web", "/api": "api"}))
        new = self.file(self.ingress({"/": "web"}))
        subject = "shop.example/api/*"
        self.assertEqual(
            self.differences(old, new), {subject: ["default/api:80 -> default/web:80"]}
        )
        self.assertEqual(
            self.differences(new, old), {subject: ["default/web:80 -> default/api:80"]}
        )
        same = self.file(self.ingress({"/": "web", "/api": "web"}))
        self.assertEqual(self.differences(same, new), {})

    def test_access(self) -> None:
        """What may open access comes first, is marked, and can be all that fails."""
        closed = self.file(
            self.ingress({"/": "web"}),
            ingress_manifest("z", "z.example", {"/": "web"}, annotations=RANGES),
        )
        opened = self.file(
            self.ingress({"/": "api"}), ingress_manifest("z", "z.example", {"/": "web"})
        )
        status, lines = self.diff(closed, opened, "--fail-on", "access")
        self.assertEqual(status, 1)
        self.assertTrue(lines[0].startswith("! z.example/*: - source-ranges: Only clients"), lines)
        self.assertEqual(lines[1], "  shop.example/*: default/web:80 -> default/api:80")
        self.assertEqual(lines[-1], "Differences: 2, of which 1 may open access.")
        self.assertEqual(self.diff(opened, closed, "--fail-on", "access")[0], 0)
        self.assertEqual(self.diff(opened, closed, "--fail-on", "none")[0], 0)

    def test_wider(self) -> None:
        """Access that is decided otherwise may be wider; so may paths that were closed."""
        narrow = self.file(self.ingress({"/": "web"}, annotations=RANGES))
        wide = self.file(
            self.ingress(
                {"/": "web"}, annotations={**RANGES, "denylist-source-range": "10.1.0.0/16"}
            )
        )
        bad = self.file(self.ingress({"/": "web"}, annotations={"whitelist-source-range": "here"}))
        for old, new in ((narrow, wide), (bad, narrow), (narrow, bad)):
            status, lines = self.diff(old, new, "--fail-on", "access")
            self.assertEqual((status, lines[0][0]), (1, "!"), lines)

    def test_policies_of_one_class(self) -> None:
        """Of two policies of the same class, neither hides that the other is gone."""
        config = Path(self.mktemp()).with_suffix(".yaml")
        config.parent.mkdir(parents=True, exist_ok=True)
        policies = {}
        for name in ("staff", "admin"):
            tokens = config.with_name(f"{name}.txt").absolute()
            tokens.write_text(f"token-of-{name}\n")
            policies[name] = {
                "class": "examples.policies.token_file.TokenFile",
                "file": str(tokens),
            }
        config.write_text(yaml.safe_dump({"source": {"files": ["."]}, "policies": policies}))
        both, *one = (
            self.file(self.ingress({"/": "web"}, annotations={"txingress.dev/policies": names}))
            for names in ("staff, admin", "staff", "admin")
        )
        for new in one:
            status, lines = self.diff(both, new, "--config", str(config), "--fail-on", "access")
            self.assertEqual((status, lines[0][:16]), (1, "! shop.example/*"), lines)
            self.assertEqual(
                self.diff(new, both, "--config", str(config), "--fail-on", "access")[0], 0
            )

    def test_rule_without_guard(self) -> None:
        """A rule that takes URLs from a guarded one opens them."""
        old = self.file(self.ingress({"/": "web"}, annotations=RANGES))
        new = self.file(
            self.ingress({"/": "web"}, annotations=RANGES),
            ingress_manifest("b", HOST, {"/open": "web"}),
        )
        status, lines = self.diff(old, new, "--fail-on", "access")
        self.assertEqual(status, 1)
        self.assertIn("! shop.example/open/*: - source-ranges", lines[0])

    def test_expression(self) -> None:
        """A regular expression is compared with itself: it is for no path that could be looked up."""
        annotations = {"use-regex": "true", "rewrite-target": "/$1"}
        path = {"~/api/(.*)": "api"}
        old = self.file(self.ingress(path, annotations=annotations))
        new = self.file(
            self.ingress(
                path, annotations={**annotations, "rewrite-target": "/v2/$1"},)
        )  # fmt: skip
        (change,) = self.differences(old, new)[f"{HOST}/api/(.*)"]
        self.assertTrue(change.startswith("~ rewrite"), change)
        self.assertIn("/v2/", change)
        self.assertEqual(
            self.differences(old, self.file())[f"{HOST}/api/(.*)"], ["default/api:80 -> 404"]
        )

    def test_certificate(self) -> None:
        """Another certificate for a host."""
        authority = CertificateAuthority()
        sets = [
            self.file(
                self.ingress({"/": "web"}, tls={name: [HOST]}),
                secret_manifest(name, authority.issue(HOST)),
            )
            for name in ("old", "new")
        ]
        (change,) = self.differences(*sets)[f"certificate of {HOST}"]
        self.assertRegex(change, r"^default/old \(to \d{4}-\d\d-\d\d\) -> default/new \(to ")
        self.assertEqual(self.differences(sets[0], sets[0]), {})

    def test_other_hosts(self) -> None:
        """Rules and defaults without a host, and wildcards, are classes of URLs, too."""
        old = self.file(
            ingress_manifest("any", "", {"/": "web"}),
            ingress_manifest("w", "*.a.example", {"/": "web"}),
        )
        new = self.file(ingress_manifest("any", "", {"/": "api"}))
        self.assertEqual(
            self.differences(old, new),
            {
                "(all other hosts)/*": ["default/web:80 -> default/api:80"],
                "*.a.example/*": ["default/web:80 -> default/api:80"],
            },
        )

    def test_markdown(self) -> None:
        """A table, in which nothing of a manifest becomes HTML."""
        old = self.file()
        new = self.file(self.ingress({"~/<b>": "web"}))
        _, lines = self.diff(old, new, "--format", "markdown")
        self.assertEqual(lines[2:4], ["| what | change |", "| --- | --- |"])
        self.assertNotIn("<b>", "".join(lines))

    def test_unable(self) -> None:
        """Standard input can be read once."""
        status, _, remark = run("diff", "-", "-")
        self.assertEqual(status, 2)
        self.assertIn("only one", remark)
