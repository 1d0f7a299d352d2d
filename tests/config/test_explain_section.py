"""
Tests for `ingress.config.explain_section`, and for `ingress.config.explain`.
"""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config.explain import ExplainSettings
from ingress.config.explain_section import read_explain
from ingress.config.section import Mistakes, Section
from ingress.document import load_documents

TOKEN = b"0123456789abcdef"


class ReadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def read(self, **section: object) -> tuple[ExplainSettings, list[str]]:
        """The settings of a section, and the mistakes in it."""
        mistakes = Mistakes("file")
        (document,) = load_documents(json.dumps({"explain": section}))
        assert isinstance(document.value, dict)
        settings = read_explain(Section(document, mistakes, (), document.value), self.folder)
        return settings, [str(each) for each in mistakes.in_order()]

    def test_off(self) -> None:
        """Without a file nothing is explained."""
        self.assertEqual(self.read(), (ExplainSettings(), []))
        self.assertEqual(self.read(**{"token-file": None}), (ExplainSettings(), []))

    def test_on(self) -> None:
        """The token is the content of the file, and is shown nowhere."""
        (self.folder / "token").write_bytes(b"\n" + TOKEN + b"\r\n")
        settings, mistakes = self.read(**{"token-file": "token"})
        self.assertEqual((settings, mistakes), (ExplainSettings(TOKEN), []))
        self.assertNotIn("abcdef", repr(settings))

    def test_refused(self) -> None:
        """A token that anybody could guess, or that no field can have, is refused unseen."""
        for content in (b"", b"short", b"x" * 257, b"two words of 16 bytes", b"\xff" * 20):
            (self.folder / "token").write_bytes(content)
            settings, (mistake,) = self.read(**{"token-file": "token"})
            self.assertEqual(settings, ExplainSettings())
            self.assertIn("a file with a token of 16 to 256 printable", mistake)
            self.assertNotIn("words of", mistake)
        _, (mistake,) = self.read(**{"token-file": "missing"})
        self.assertIn("token-file", mistake)
