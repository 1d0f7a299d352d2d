"""
Tests for `ingress.migration.report`, `ingress.migration.report_html` and the rows in them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.document import load_documents
from ingress.migration import config_maps
from ingress.migration.config_maps import judge_key, judge_keys, judge_others
from ingress.migration.configuration import judge_flag, judge_flags
from ingress.migration.controller import find_installations
from ingress.migration.raw import read_raw
from ingress.migration.report import Report
from ingress.migration.report_html import write_html
from ingress.migration.report_text import write_markdown, write_text
from ingress.migration.verdict import Part, Row, Verdict, plain
from tests.migration.test_controller import fixture

EVIL = '<script>alert("1")</script>|[a](http://x)`\n# b'
ROWS = (
    Row(Part.KEY, "use-gzip", Verdict.SAME, "compression", value="true"),
    Row(Part.INGRESS, EVIL, Verdict.CLOSED, EVIL, EVIL, EVIL, f"the team of {EVIL}", ("ANN002",)),
    Row(Part.FLAG, "--validating-webhook", Verdict.DIFFERS, "no webhook", "Delete it."),
)


def report(*rows: Row) -> Report:
    """A report with these rows."""
    return Report("Deployment a/b", "nginx", "2026-11-30", rows)


class PlainTests(SynchronousTestCase):
    def test_links(self) -> None:
        """A link within a sentence is its words; one behind it, in parentheses, is left out."""
        text = "as `a` ([the page](a.md)); with [the table](b.md#c) (or `d`)"
        self.assertEqual(plain(text), "as a; with the table (or d)")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


class ReportTests(SynchronousTestCase):
    """The forms of a report."""

    def test_sentence(self) -> None:
        """The first sentence says whether to switch."""
        self.assertEqual(
            report(*ROWS).verdict_sentence(),
            "Do not switch yet: one thing will stop working until somebody decides. Of 1 rules for "
            "addresses, 1 will stop working. Of 2 settings and other things, 1 will be different.",
        )
        self.assertIn("Nothing stops working.", report(*ROWS[::2]).verdict_sentence())
        self.assertIn("Everything works as before", report(ROWS[0]).verdict_sentence())
        several = report(*ROWS, replace(ROWS[2], verdict=Verdict.IGNORED)).verdict_sentence()
        self.assertIn("1 will be different and 1 will have no effect any more.", several)
        snippet = judge_key("http-snippet", "deny all;")
        self.assertIn(
            "1 of what has no effect any more may have kept", report(snippet).verdict_sentence()
        )

    def test_numbers(self) -> None:
        """Each number stands below its verdict, in each form."""
        lines = list(write_text(report(*ROWS)))
        heads = next(line for line in lines if "differs" in line and "closed" in line)
        row = next(line for line in lines if "Ingresses (" in line)
        self.assertEqual(row[heads.index("closed") : heads.index("closed") + 6].strip(), "1")
        markdown = "\n".join(write_markdown(report(*ROWS)))
        self.assertIn("| flags of the command line | 0 | 1 | 0 | 0 |", markdown)
        html = "".join(write_html(report(*ROWS)))
        cells = '<td class="number">0</td><td class="number">1</td><td class="number">0</td>'
        self.assertIn(f"flags of the command line</th>{cells}", html)

    def test_html(self) -> None:
        """The page is whole, needs nothing else, has places to sign, and no value is markup."""
        parser = _Tags()
        text = "\n".join(write_html(report(*ROWS)))
        parser.feed(text)
        self.assertEqual(parser.open, [])
        self.assertFalse({"script", "a", "img", "link"} & set(parser.tags))
        self.assertNotIn("<script", text)
        self.assertIn("signature", text)

    def test_markdown(self) -> None:
        """No value is a link, markup or a line of its own."""
        text = "\n".join(write_markdown(report(*ROWS)))
        self.assertNotIn("<script", text)
        self.assertNotIn("[a](", text)
        self.assertNotIn("\n# b", text)

    def test_readable(self) -> None:
        """
        Whoever signs finds addresses, how one would notice, what somebody has to do, the way back,
        and the words that the report uses.
        """
        shop = Row(
            Part.INGRESS,
            "shop/cart",
            Verdict.CLOSED,
            "it cannot be honoured",
            "Decide before the switch.",
            owner="the team of namespace shop",
            file="cart.yaml",
            line=7,
            addresses=tuple(f"https://shop.example/{n}" for n in range(99)),
        )
        same = [
            Row(
                Part.INGRESS,
                f"bank/{n}",
                Verdict.SAME,
                owner="the team of namespace bank",
                addresses=(f"https://bank.example/{n}",),
            )
            for n in range(999)
        ]
        whole = report(shop, replace(shop, name="shop/other"), *same, ROWS[0])
        for text in ("\n".join(write_markdown(whole)), "\n".join(write_html(whole))):
            for words in (
                "https://shop.example/9",
                "and 89 more",
                "503 (Service Unavailable)",
                "cart.yaml, line 7",
                "one command leads everything back",
                "https://bank.example/9",
                "and 799 more",
                "1 settings and other things",
                "a setting of one Ingress",
                "the team of namespace shop",
                "whoever decides on the switch",
                "I have read what concerns me",
            ):
                self.assertIn(words, text)
        [(task, rows)] = whole.tasks().items()
        self.assertEqual((task[1], len(rows)), ("the team of namespace shop", 2))
        self.assertIn("Nothing.", "\n".join(write_markdown(report(*same))))

    def test_json(self) -> None:
        """The same as data: closed first, with the owner of what has to be decided."""
        found = json.loads(json.dumps(report(*ROWS).as_json()))
        self.assertEqual([row["verdict"] for row in found["rows"]], ["closed", "differs", "same"])
        self.assertEqual(found["summary"]["Ingress"]["closed"], 1)
        self.assertIsNone(found["rows"][2]["owner"])


class LineTests(SynchronousTestCase):
    """A row names the very line of a flag, or of a key."""

    TEXT = """\
# a list
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: c, namespace: n}
  data:
    use-gzip: "true"
    gzip-level: many
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: d, namespace: n}
  spec:
    template:
      spec:
        containers:
        - name: sidecar
          image: x
        - image: ingress-nginx/controller
          command:
          - /usr/bin/dumb-init
          - /nginx-ingress-controller
          - --v=2
          args:
          - --configmap
          - n/c
          - --no-such-flag
          - --metrics-per-host=false
---
apiVersion: v1
kind: ConfigMap
metadata: {name: e, namespace: n}
data:
  "5432": a/b:1
"""

    def lines(self, text: str) -> dict[str, int]:
        objects = [each for one in load_documents(text) for each in read_raw(one, "f")]
        [found] = find_installations(objects)
        assert found.config_map is not None
        rows = [*judge_flags(found), *judge_keys(found.config_map)]
        rows += config_maps._ports("tcp", next(each for each in objects if each.name == "e"))
        return {row.name: row.line for row in rows}

    def test_lines(self) -> None:
        """In a list, in a document of its own, and for a flag whose value is another word."""
        expected = {
            "--v": 24,
            "--configmap": 26,
            "command line": 28,
            "--metrics-per-host": 29,
            "use-gzip": 9,
            "gzip-level": 10,
            "tcp 5432": 35,
        }
        self.assertEqual(self.lines(self.TEXT), expected)
        documents = yaml.safe_load_all(self.TEXT)
        flat = "---\n".join(json.dumps(each, indent=1) + "\n" for each in documents)
        found = self.lines(flat)
        self.assertIn("--no-such-flag", flat.splitlines()[found["command line"] - 1])
        self.assertIn("gzip-level", flat.splitlines()[found["gzip-level"] - 1])


class RowTests(SynchronousTestCase):
    """What becomes of keys and flags."""

    def test_keys(self) -> None:
        """Each verdict has its keys, and no value of one that decides access is shown."""
        for name, value, verdict in (
            ("use-gzip", "true", Verdict.SAME),
            ("proxy-body-size", "many", Verdict.DIFFERS),
            ("enable-modsecurity", "true", Verdict.IGNORED),
            ("enable-modsecurity", "false", Verdict.SAME),
            ("worker-processes", "4", Verdict.SAME),
            ("whitelist-source-range", "nonsense", Verdict.CLOSED),
            ("global-auth-nonsense", "hidden", Verdict.CLOSED),
        ):
            row = judge_key(name, value)
            self.assertEqual(row.verdict, verdict, row)
            self.assertNotIn("hidden", repr(row))
            if verdict in (Verdict.CLOSED, Verdict.DIFFERS):
                self.assertTrue(row.action and row.follows, row)

    def test_flags(self) -> None:
        """Each verdict has its flags; a value that is the default is the same."""
        for name, value, verdict in (
            ("publish-service", "a/b", Verdict.SAME),
            ("validating-webhook", ":8443", Verdict.DIFFERS),
            ("metrics-per-host", "false", Verdict.IGNORED),
            ("metrics-per-host", "true", Verdict.SAME),
            ("watch-namespace-selector", "a=b", Verdict.CLOSED),
            ("no-such-flag", "1", Verdict.CLOSED),
        ):
            self.assertEqual(judge_flag(name, value).verdict, verdict, name)
        self.assertNotIn("hidden", repr(judge_flag("maxmind-license-key", "hidden")))

    def test_fixture(self) -> None:
        """Each key has a row, and each TCP port; a ConfigMap that is missing is told."""
        installation = fixture()
        assert installation.config_map is not None
        rows = list(judge_keys(installation.config_map))
        self.assertEqual(len(rows), len(installation.config_map.at("data")))
        names = {row.name: row.verdict for row in judge_others(installation)}
        self.assertEqual(names, {"tcp 5432": Verdict.SAME})

    def test_missing(self) -> None:
        """What flags name and nobody gave is told, because nothing of it was judged."""
        installation = replace(fixture(), config_maps={})
        rows = {row.name: row.verdict for row in judge_others(installation)}
        self.assertEqual(
            rows,
            {
                "ConfigMap ingress-nginx/ingress-nginx-controller": Verdict.DIFFERS,
                "ConfigMap ingress-nginx/ingress-nginx-tcp": Verdict.DIFFERS,
            },
        )
