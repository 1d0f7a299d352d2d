"""
Tests for `ingress.document.json_value`.
"""

from __future__ import annotations

import json
from collections.abc import Generator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.document.json_value import build_json, looks_like_json
from ingress.document.line_index import Spans
from ingress.document.yaml_value import ValueRefused


def run(steps: Generator[None, None, tuple[object, Spans]]) -> tuple[object, Spans]:
    """The result of all steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: tuple[object, Spans] = end.value
            return result


def value(text: str) -> object:
    """The value of a JSON text."""
    return run(build_json(text))[0]


_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class BuildJSONTests(SynchronousTestCase):
    """JSON becomes dict, list and scalars."""

    @settings(derandomize=True, deadline=None)
    @given(
        st.lists(_ANYTHING) | st.dictionaries(st.text(), _ANYTHING),
        st.sampled_from([None, "\t", 2]),
    )
    def test_round_trip(self, data: object, indent: str | int | None) -> None:
        """What Python writes is read as what it was, however it is indented."""
        self.assertEqual(value(json.dumps(data, indent=indent)), data)

    def test_refused(self) -> None:
        """What is no JSON is refused, so that it may be tried as YAML."""
        for text in (
            '{"a": 1,}', "[1,]", '{"a" 1}', "{a: 1}", '{"a": 1} x', '{"a": 1}{"b": 2}', "[", "{", '{"a"', '{"a":',
            "[1 2]", '{"a": NaN}', "[Infinity]", '{"a": [1, {]}', "[01]", '{"a": "\n"}', "{1: 2}", "[,]",
        ):  # fmt: skip
            self.assertRaises(ValueError, value, text)

    def test_duplicates(self) -> None:
        """A key that appears twice is refused at every depth, on its line where it is known."""
        for text in (
            '{"a": 1,\n"a": 2}',
            '{"x": 0,\n"b": {"a": 1, "a": 2}}',
            '{"items": [\n{"a": 1, "a": 2}]}',
        ):
            self.assertEqual(self.assertRaises(ValueRefused, value, text).line, 1)

    def test_depth(self) -> None:
        """Deep nesting is refused, wherever it is."""
        for text in (
            "[" * 200 + "]" * 200,
            '{"a":' * 200 + "1" + "}" * 200,
            '{"a":[' * 100_000,
            "[" * 500_000,
        ):
            self.assertRaises(ValueRefused, value, text)

    def test_spans(self) -> None:
        """Each item of a list below the root can be cut out of the text."""
        text = '{"a": [1], "items": [\n{"b": [2]},\n\n{"c": 3}]}'
        spans = run(build_json(text))[1]
        self.assertEqual(spans["items", 1].line, 3)
        self.assertEqual(spans["items", 1].cut(text), '{"c": 3}')
        self.assertEqual(spans["items", 0].cut(text), '{"b": [2]}')

    def test_slices(self) -> None:
        """A long list is read in many steps."""
        self.assertEqual(len(list(build_json(json.dumps({"items": [{"a": 1}] * 500})))), 500)

    def test_looks_like_json(self) -> None:
        """Only what starts with a bracket is tried as JSON."""
        self.assertTrue(looks_like_json('\n {"a": 1}'))
        self.assertTrue(looks_like_json("[]"))
        self.assertFalse(looks_like_json("a: {}"))
