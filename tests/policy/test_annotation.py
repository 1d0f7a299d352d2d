"""Tests of reading annotation values."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.annotation import PREFIX, AnnotationFault, Annotations
from ingress.problem_code import Code


def found(**values: str) -> Annotations:
    """:param values: names with ``_`` for ``-``."""
    return Annotations({PREFIX + name.replace("_", "-"): value for name, value in values.items()})


class AnnotationsTests(SynchronousTestCase):
    def test_prefix(self) -> None:
        """Only annotations under the prefix count."""
        only = Annotations({"example.com/a": "1", f"{PREFIX}b": "2", "kubernetes.io/c": "3"})
        self.assertEqual(list(only), ["b"])
        self.assertFalse(Annotations({"example.com/a": "1"}))

    def test_boolean(self) -> None:
        """A boolean is what Go's ParseBool takes."""
        for value, expected in (
            *((value, True) for value in ("1", "t", "T", "TRUE", "true", "True", " true ")),
            *((value, False) for value in ("0", "f", "F", "FALSE", "false", "False")),
        ):
            with self.subTest(value=value):
                read = found(x=value)
                self.assertEqual(read.boolean("x", not expected), expected)
                self.assertEqual(read.faults, [])

    def test_bad_boolean(self) -> None:
        """Anything else is a fault, and the default is taken."""
        for value in ("yes", "on", "tRUE", "2"):
            for default in (True, False):
                read = found(x=value)
                self.assertEqual(read.boolean("x", default), default)
                self.assertEqual([fault.value for fault in read.faults], [value])

    def test_several_readers(self) -> None:
        """A bad value that several features read is reported once."""
        read = found(x="yes")
        read.boolean("x", True)
        read.boolean("x", False)
        self.assertEqual([fault.value for fault in read.faults], ["yes"])

    def test_absent(self) -> None:
        """What is absent, or empty, has the default and no fault."""
        read = found(empty="")
        self.assertTrue(read.boolean("x", True))
        self.assertTrue(read.boolean("empty", True))
        self.assertIsNone(read.integer("x"))
        self.assertEqual(read.text("x"), "")
        self.assertEqual(read.choice("x", ("a", "b")), "a")
        self.assertEqual(read.faults, [])

    def test_integer(self) -> None:
        """A number is what Go's Atoi takes."""
        for value, expected in (("10", 10), ("-1", -1), ("+5", 5), ("007", 7)):
            self.assertEqual(found(x=value).integer("x"), expected)
        for value in ("48h", "1_000", "1.5", "٣", "9" * 30):
            read = found(x=value)
            self.assertIsNone(read.integer("x"))
            self.assertEqual(len(read.faults), 1)

    def test_choice(self) -> None:
        """A choice is read in any case, and one that there is not is a fault."""
        self.assertEqual(found(x="LAX").choice("x", ("", "Strict", "Lax")), "Lax")
        read = found(x="other")
        self.assertEqual(read.choice("x", ("", "Strict", "Lax")), "")
        self.assertIn("Strict or Lax is accepted", read.faults[0].message)

    def test_pattern(self) -> None:
        """A text that does not match as a whole is a fault."""
        read = found(x="a;b")
        self.assertEqual(read.text("x", re.compile("[a-z]+"), "a word"), "")
        self.assertEqual(len(read.faults), 1)

    def test_unknown(self) -> None:
        """What no feature reads is not implemented, unless it has been reported already."""
        read = found(known="1", canary="2")
        read.fault_unknown({"known"})
        read.fault_unknown({"known"})
        expected = AnnotationFault(
            f"{PREFIX}canary",
            "2",
            "not implemented; the annotation is ignored",
            Code.ANNOTATION_UNSUPPORTED,
        )
        self.assertEqual(read.faults, [expected])

    def test_hidden(self) -> None:
        """A value that may be a secret is not in its fault, and not in a repr."""
        read = found(auth="hunter2")
        read.fault("auth", "closed", is_shown=False)
        self.assertEqual(read.faults[0].value, "")
        self.assertNotIn("hunter2", repr(read))
