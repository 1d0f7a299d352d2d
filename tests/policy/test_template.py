"""Tests of texts with groups in them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.template import Template


class TemplateTests(SynchronousTestCase):
    def expanded(self, written: str, *captures: bytes | None) -> bytes:
        template = Template.read(written)
        assert template is not None
        return template.expand(captures)

    def test_groups(self) -> None:
        """Groups are inserted; one that does not exist or has no part in the match is empty."""
        self.assertEqual(self.expanded("/a/$1$1/$9x", b"b"), b"/a/bb/x")
        self.assertEqual(self.expanded("$2$1", None, b"c"), b"c")
        self.assertEqual(self.expanded("/a"), b"/a")

    def test_digits(self) -> None:
        """A group is one digit, as in nginx."""
        self.assertEqual(self.expanded("/$10", b"b"), b"/b0")

    def test_once(self) -> None:
        """What is inserted is not read again."""
        self.assertEqual(self.expanded("/$1", b"$2"), b"/$2")

    def test_constant(self) -> None:
        """A text without groups is known beforehand."""
        for written, constant in (("/a", b"/a"), ("/$1", None)):
            template = Template.read(written)
            assert template is not None
            self.assertEqual(template.constant, constant)

    def test_refused(self) -> None:
        """Other characters and other variables are none of it."""
        for written in ("", "/ ", "$0", "$", "$a", "/?", "/a\n", "é", "a" * 2001):
            self.assertIsNone(Template.read(written), written)
