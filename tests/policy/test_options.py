"""Tests of `ingress.policy.options`, by way of `ingress.testing.configure`."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.testing import configure
from tests.support.own_policies import Plain, Stamp, Strange, Unreadable


class OptionTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """An option that is not given has the default of its field."""
        self.assertEqual(configure(Stamp, {"value": "x"}), (Stamp("x"), []))
        self.assertEqual(configure(Plain), (Plain(), []))

    def test_every_type(self) -> None:
        """Each option is read as its field is annotated."""
        options = {
            "value": "x",
            "count": 2,
            "share": 1,
            "is-on": False,
            "raw": "ü",
            "file": "sub/file",
            "mode": "b",
            "names": ["a", "b"],
            "weights": {"a": 1},
            "secret": "s",
        }
        policy, mistakes = configure(Stamp, options, Path("/etc/x"))
        self.assertEqual(mistakes, [])
        file = Path("/etc/x/sub/file")
        expected = Stamp(
            "x", 2, 1.0, False, "ü".encode(), file, "b", ("a", "b"), {"a": 1}, secret="s"
        )
        self.assertEqual(policy, expected)

    def test_short_forms(self) -> None:
        """One item is a list of one, and null is None."""
        policy, mistakes = configure(Stamp, {"value": "x", "names": "a", "file": None})
        self.assertEqual((policy, mistakes), (Stamp("x", names=("a",)), []))

    def test_mistakes(self) -> None:
        """All mistakes are noted together, each with what is accepted."""
        policy, mistakes = configure(
            Stamp,
            {
                "value": 1,
                "count": True,
                "share": "half",
                "is-on": 1,
                "mode": "c",
                "names": [1],
                "weights": {"a": "b"},
                "file": 3,
                "valeu": "x",
            },
        )
        self.assertIsNone(policy)
        self.assertEqual(
            sorted(mistakes),
            [
                "count: true: a whole number",
                "file: 3: a path; or null",
                "is-on: 1: true or false",
                'mode: "c": a or b',
                "names: [1]: a list, each item of which is text (in quotes, if YAML would read it "
                "as something else)",
                'share: "half": a number',
                'valeu: "x": unknown key; did you mean value?',
                "value: 1: text (in quotes, if YAML would read it as something else)",
                'weights: {"a": "b"}: a mapping, each value of which is a whole number',
            ],
        )

    def test_missing(self) -> None:
        """An option without a default has to be given."""
        self.assertEqual(configure(Stamp)[1], ["value: is missing: the class needs this option"])

    def test_refused(self) -> None:
        """A class refuses an option by its name, or all of them with any other exception."""
        self.assertEqual(
            configure(Stamp, {"value": "x", "count": 10})[1], ["count: 10: a number up to 9"]
        )
        (mistake,) = configure(Stamp, {"value": "x", "share": 13})[1]
        self.assertIn("the class refuses its options: OSError: no luck", mistake)

    def test_secret(self) -> None:
        """The value of a field that is not shown is in no message."""
        for secret in (987654321, "bad"):
            (mistake,) = configure(Stamp, {"value": "x", "secret": secret})[1]
            self.assertNotIn(str(secret), mistake.replace("a path", ""))
            self.assertTrue(mistake.startswith("secret: "), mistake)

    def test_unreadable(self) -> None:
        """Annotations that only a type checker can read are a mistake of the class."""
        (mistake,) = configure(Unreadable, {"file": "x"})[1]
        self.assertIn("cannot be read: NameError: name 'Missing' is not defined", mistake)

    def test_strange_type(self) -> None:
        """A field of a type that no YAML has keeps its default, and cannot be given."""
        self.assertEqual(configure(Strange), (Strange(), []))
        (mistake,) = configure(Strange, {"clock": 1})[1]
        self.assertIn("complex", mistake)
