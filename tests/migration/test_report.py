"""
Tests for `ingress.migration.report`, `ingress.migration.report_html` and the rows in them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

from twisted.trial.unittest import SynchronousTestCase

from ingress.migration.config_maps import judge_key, judge_keys, judge_others
from ingress.migration.configuration import judge_flag
from ingress.migration.report import Report, write_markdown, write_text
from ingress.migration.report_html import write_html
from ingress.migration.verdict import Part, Row, Verdict
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
        self.assertIn("Do not switch yet: of 3 things, 1", report(*ROWS).verdict_sentence())
        self.assertIn("Nothing stops working", report(*ROWS[::2]).verdict_sentence())
        self.assertEqual(report(ROWS[0]).verdict_sentence(), "All 1 things work as before.")
        snippet = judge_key("http-snippet", "deny all;")
        self.assertIn("1 of them may have kept", report(snippet).verdict_sentence())

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

    def test_json(self) -> None:
        """The same as data: closed first, with the owner of what has to be decided."""
        found = json.loads(json.dumps(report(*ROWS).as_json()))
        self.assertEqual([row["verdict"] for row in found["rows"]], ["closed", "differs", "same"])
        self.assertEqual(found["summary"]["Ingress"]["closed"], 1)
        self.assertIsNone(found["rows"][2]["owner"])


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
