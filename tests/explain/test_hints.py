"""
Tests for `ingress.explain.hints` and `ingress.explain.certificate`, and the words of explanations: what
somebody reads at night who did not expect an answer.

`REQUESTS` go to ``tests/fixtures/explain/words.yaml``; ``words.txt`` has what `txingress explain` says.
With ``INGRESS_GOLDEN=write`` in the environment a run writes it anew: read the difference as somebody
who is in a hurry before you commit it.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.explain.asked import ask
from ingress.explain.explanation import explain
from ingress.kube.objects import ConfigMap, Metadata
from tests.support.certs import CertificateAuthority
from tests.support.command import run
from tests.support.objects import FILES, built, ingress, secret, served

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "explain"
IS_WRITING = os.environ.get("INGRESS_GOLDEN") == "write"
REQUESTS = (
    # 404: another case, a segment that is longer, below an Exact path, nothing like it, other hosts.
    ("http://api.example/nothing",),
    ("http://shop.example/catalog", "-H", "X-Forwarded-Proto: https", "--client", "10.0.0.9"),
    ("https://shop.example/catalog",),
    ("https://shop.example/cart2",),
    ("https://shop.example/Catalog/1",),
    ("https://shp.example/",),
    ("https://foreign.example/",),
    # A canary that no rule has been made for.
    ("http://alone.example/",),
    # Rules that were left out, of a host that has others, and a class that is not served there.
    ("http://left.example/bucket",),
    ("http://left.example/other",),
    # 503: no Service, no pod, no port, and a path that is closed.
    ("https://shop.example/gone",),
    ("https://shop.example/cart",),
    ("https://shop.example/badport",),
    ("https://shop.example/admin",),
    # Redirects without end.
    ("http://secure.example/", "-H", "X-Forwarded-Proto: https"),
    ("http://loop.example/",),
    ("http://secure.example/",),
    # A path that the regular expressions of a neighbour take.
    ("http://api.example/v1/cart",),
    ("http://api.example/v1beta/x",),
)


class WordsTests(SynchronousTestCase):
    maxDiff = None

    def test_words(self) -> None:
        """Each answer is told in words that have been read."""
        manifests = FOLDER / "words.yaml"
        texts = []
        for arguments in REQUESTS:
            status, text, remark = run("explain", *arguments, "--", str(manifests))
            self.assertEqual((status, remark), (0, ""))
            texts.append(f"$ txingress explain {shlex.join(arguments)} -- words.yaml\n{text}")
        found = "\n".join(texts).replace(str(manifests), "words.yaml")
        found = re.sub(r"X-Request-ID: \w+", "X-Request-ID: (at random)", found)
        file = FOLDER / "words.txt"
        if IS_WRITING:
            file.write_text(found)
        self.assertEqual(found.splitlines(), file.read_text().splitlines())


class CertificateTests(SynchronousTestCase):
    """What clients say to certificates."""

    def hints(self, *names: str, host: str = "a.example", ends: bool = False) -> list[str]:
        authority, moment = CertificateAuthority(), datetime.now(UTC)
        issued = authority.issue(*names) if names else None
        objects = [] if issued is None else [secret("pair", issued.chain_pem, issued.key_pem)]
        result = built(
            ingress("a.example", {"/": "web:80"}, tls={"pair": ["a.example"]}), served("web"),
            *objects, now=moment,
        )  # fmt: skip
        moment += timedelta(days=20_000 if ends else 0)
        return list(explain(result, ask(f"https://{host}/"), now=moment).hints)

    def test_good(self) -> None:
        """Nothing is said of one that clients accept."""
        self.assertEqual(self.hints("a.example"), [])

    def test_other_name(self) -> None:
        """A certificate for another host names its Secret and the tls entry."""
        told, *because = self.hints("b.example")
        self.assertIn("Ingress default/web has no usable one", told)
        self.assertIn("TLS002 ", because[0])
        self.assertIn("default/pair", because[0])

    def test_missing(self) -> None:
        """So does one that is not there; a host that no entry has is told."""
        self.assertIn("does not exist", self.hints()[1])
        told = self.hints("a.example", host="b.example")
        self.assertIn("no tls entry has this host, so the self-signed one is served", told[-2])

    def test_ended(self) -> None:
        """One that has ended is told, with the day."""
        told, change = self.hints("a.example", ends=True)
        self.assertRegex(told, r"it ended on \d{4}-\d\d-\d\d")
        self.assertEqual(change, "to change: the certificate in Secret default/pair")


class ClosedTests(SynchronousTestCase):
    def test_config_map(self) -> None:
        """What closes every path is told for each: a key, or that nothing can be read."""
        name = ("nginx", "controller")
        config = replace(FILES, config_map=name)
        metadata = Metadata(namespace=name[0], name=name[1])
        for item, words in (
            (ConfigMap(metadata=metadata, unreadable=("",)), "no entry can be read"),
            (
                ConfigMap(metadata=metadata, data={"block-cidrs": "x", "gzip-level": "x"}),
                "data[block-cidrs]",
            ),
        ):
            result = built(
                ingress("a.example", {"/": "web:80"}), served("web"), item, config=config
            )
            because, change = explain(result, ask("http://a.example/"), now=datetime.now(UTC)).hints
            self.assertIn(words, because)
            self.assertEqual(change, "to change: the key of the ConfigMap to what is accepted")
