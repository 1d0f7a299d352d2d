"""
Tests for `ingress.document.yaml_value`.
"""

from __future__ import annotations

import contextlib
import gc
import math
from typing import cast

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.document.yaml_event import EventSource, PythonEvents
from ingress.document.yaml_value import (
    MAX_ALIASED,
    MAX_DEPTH,
    ValueRefused,
    build_yaml,
    plain_value,
)


def value(text: str) -> object:
    """The value of a YAML text."""
    steps = build_yaml(text)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value[0]


class PlainTests(SynchronousTestCase):
    """Plain scalars have the types that Kubernetes' reader gives them."""

    def test_values(self) -> None:
        """Each spelling becomes what it stands for."""
        expected: dict[str, object] = {
            "": None, "~": None, "null": None, "NULL": None,
            "true": True, "Yes": True, "ON": True, "no": False, "off": False, "False": False,
            "0": 0, "-7": -7, "+7": 7, "1_000": 1000, "0777": 511, "0x1F": 31, "0b101": 5,
            "1.5": 1.5, ".5": 0.5, "1e3": 1000.0, "1.5e-3": 0.0015, "-.inf": -math.inf,
        }  # fmt: skip
        for text, result in expected.items():
            self.assertEqual((text, plain_value(text)), (text, result))
            self.assertIs(type(plain_value(text)), type(result), text)
        self.assertTrue(math.isnan(cast(float, plain_value(".NaN"))))

    def test_strings(self) -> None:
        """What only looks like another type stays the string that it is."""
        for text in (
            "y", "n", "nO", "tRUE", "08", "1.2.3", "10.0.0.1", "22:22", "12:30:45", "1e", "0x", "0b", "0b2",
            "2020-01-01", "2020-01-01T00:00:00Z", "=", "-", "+", ".", "..", "-a", "1k", "\u0661", "nullx", "0o17",
        ):  # fmt: skip
            self.assertEqual(plain_value(text), text)

    def test_long_numbers(self) -> None:
        """A number of any length is read, and quickly."""
        self.assertEqual(plain_value("9" * 39), int("9" * 39))
        self.assertEqual(plain_value("9" * 100_000), math.inf)
        self.assertEqual(plain_value("-" + "9" * 100_000), -math.inf)
        self.assertGreater(cast(int, plain_value("0x" + "f" * 10_000)), 0)


class BuildTests(SynchronousTestCase):
    """Events become dict, list and scalars."""

    def refusal(self, text: str) -> tuple[int, str]:
        error = self.assertRaises(ValueRefused, value, text)
        return error.line, error.message

    def test_quotes(self) -> None:
        """What is quoted, or in a block, is a string."""
        self.assertEqual(value("['1', \"yes\", '']"), ["1", "yes", ""])
        self.assertEqual(value("a: |\n  true\n"), {"a": "true\n"})

    def test_tags(self) -> None:
        """The tags of the plain types are followed, timestamps stay as written."""
        text = "[!!str 1, !!int '7', !!float '1', !!bool 'yes', !!null '', ! 1, !!timestamp 2020-01-01]"
        self.assertEqual(value(text), ["1", 7, 1, True, None, "1", "2020-01-01"])
        self.assertEqual(value("!!map {a: !!seq []}"), {"a": []})

    def test_other_tags(self) -> None:
        """Every other tag is refused, and one that does not fit its value."""
        for text in (
            "!!python/object/apply:os.system [ls]", "!!binary aGk=", "!!set {a}", "!a b", "!!int x",
            "!!seq {a: 1}", "a: !!omap [b: 1]",
        ):  # fmt: skip
            self.assertIn("tag", self.refusal(text)[1])

    def test_keys(self) -> None:
        """Keys become the strings that they are in JSON; others are refused."""
        self.assertEqual(value("{1: a, true: b, 1.5: c}"), {"1": "a", "true": "b", "1.5": "c"})
        for text in ("? [a]\n: b", "? {a: 1}\n: b", "~: b"):
            self.assertEqual(self.refusal(text)[1], "a key must be a string")

    def test_duplicates(self) -> None:
        """A key that appears twice is refused, also if only its JSON spelling is the same."""
        self.assertEqual(self.refusal("a:\n  b: 1\n  b: 2"), (2, "the key 'b' appears twice"))
        self.assertEqual(self.refusal("true: 1\non: 2")[1], "the key 'true' appears twice")
        self.assertEqual(self.refusal("{<<: {a: 1}, <<: {b: 1}}")[1], "the key << appears twice")

    def test_merge(self) -> None:
        """A merge key lends what is not there, the first mapping first; in quotes it is a key."""
        text = "- &a {x: 1, y: 2}\n- &b {y: 3, z: 4}\n- {<<: *a, y: 5}\n- {<<: [*b, *a], w: 0}\n- {'<<': 1}\n"
        found = cast("list[object]", value(text))
        self.assertEqual(found[2:], [{"x": 1, "y": 5}, {"x": 1, "y": 3, "z": 4, "w": 0}, {"<<": 1}])
        self.assertEqual(value("[<<, {a: <<}]"), ["<<", {"a": "<<"}])
        self.assertEqual(self.refusal("{<<: 5}")[1], "<< must be followed by mappings")

    def test_aliases(self) -> None:
        """An alias stands for what has its anchor, scalars and keys included."""
        self.assertEqual(value("[&a x, *a, &b [1], *b, {*a : 2}]"), ["x", "x", [1], [1], {"x": 2}])

    def test_unknown_alias(self) -> None:
        """An alias to nothing, or to what it is in itself, is refused."""
        for text in ("*a", "&a [*a]", "&a {b: *a}", "[*a, &a 1]"):
            self.assertIn("without an anchor", self.refusal(text)[1])

    def test_bombs(self) -> None:
        """Aliases that expand to very much are refused before they do."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
        self.assertEqual(
            self.refusal("\n".join(lines))[1], f"aliases expand to more than {MAX_ALIASED} values"
        )
        merges = ["a0: &a0 {x: 1}"]
        merges += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
        self.assertIn("aliases expand", self.refusal("\n".join(merges))[1])

    def test_depth(self) -> None:
        """Exactly as many levels as are accepted are accepted."""
        value("[" * MAX_DEPTH + "]" * MAX_DEPTH)
        self.assertIn("nesting", self.refusal("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))[1])

    def test_second_document(self) -> None:
        """One text is one document."""
        self.assertEqual(self.refusal("a: 1\n---\nb: 2\n"), (1, "a second document starts here"))

    def test_slices(self) -> None:
        """A long text is read in many steps."""
        self.assertGreater(len(list(build_yaml("- a\n" * 10_000))), 100)

    def test_no_cycle(self) -> None:
        """What was built is freed with its last reference: frozen objects keep cycles for ever."""
        for text in ("a: [1, {b: &x c}, *x]\n", "a: 1\n---\nb: 2\n", "a: [\n"):
            gc.collect()
            gc.disable()
            self.addCleanup(gc.enable)
            with contextlib.suppress(ValueRefused, yaml.YAMLError):
                value(text)
            self.assertEqual((text, gc.collect()), (text, 0))

    @settings(derandomize=True, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=20,
        )
    )
    def test_round_trip(self, data: object) -> None:
        """What PyYAML writes is read as what it was."""
        self.assertEqual(value(yaml.safe_dump(data)), data)


class PythonEventsTests(SynchronousTestCase):
    """Without libyaml, PyYAML's own parser gives the same events."""

    def test_events(self) -> None:
        """They are of the same types, at the same lines."""
        text = "a: &x [1, 'b']\nc:\n- *x\n"
        fast = yaml.parse(text, Loader=yaml.CSafeLoader)
        slow: EventSource = cast(EventSource, PythonEvents(text))
        for event in fast:
            other = slow.get_event()
            self.assertEqual((type(other), str(other)), (type(event), str(event)))
        self.assertIsNone(slow.get_event())
