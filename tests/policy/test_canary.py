"""Tests of `ingress.policy.canary`."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.linear_pattern import LinearPattern
from ingress.policy.canary import Canary
from ingress.testing import read_annotations

YES = {"canary": "true"}


def read(**annotations: str) -> tuple[Any, dict[str, str]]:
    """The canary, and the faults by annotation."""
    found = read_annotations(
        Canary, YES | {name.replace("_", "-"): value for name, value in annotations.items()}
    )
    return found.feature, found.faults


class CanaryTests(SynchronousTestCase):
    def test_none(self) -> None:
        """An Ingress without canary: true is none, and its other annotations are reported."""
        for value in ("", "false", "yes"):
            found = read_annotations(Canary, {"canary": value, "canary-weight": "5"})
            self.assertIsNone(found.feature)
            self.assertEqual(
                found.faults["canary-weight"], 'has an effect only beside canary: "true"'
            )

    def test_all(self) -> None:
        """Names are compared without case, as in nginx."""
        canary, faults = read(
            canary_by_header="X-Canary",
            canary_by_header_value="Yes",
            canary_by_cookie="Canary",
            canary_weight="5",
            canary_weight_total="1000",
            affinity_canary_behavior="legacy",
        )
        expected = Canary(
            header=b"x-canary",
            header_value=b"Yes",
            cookie=b"canary",
            weight=5,
            total=1000,
            keeps_own_affinity=True,
        )
        self.assertEqual((canary, faults), (expected, {}))

    def test_total(self) -> None:
        """A total below 100 is 100, as in ingress-nginx, and is reported."""
        for written, total in (("100", 100), ("101", 101), ("99", 100), ("0", 100), ("x", 100)):
            canary, faults = read(canary_weight="50", canary_weight_total=written)
            self.assertEqual((canary.weight, canary.total), (50, total))
            self.assertEqual("canary-weight-total" in faults, written not in ("100", "101"))

    def test_weight(self) -> None:
        """A weight is at least 0 and at most its total."""
        for written, weight in (("0", 0), ("100", 100), ("101", 100), ("-1", 0), ("5%", 0)):
            canary, faults = read(canary_weight=written, canary_by_cookie="c")
            self.assertEqual(canary.weight, weight)
            self.assertEqual("canary-weight" in faults, written not in ("0", "100"))

    def test_nobody(self) -> None:
        """A canary that no request can go to is reported."""
        for written in ({}, {"canary_weight": ""}, {"canary_weight_total": "200"}):
            _, faults = read(**written)
            self.assertIn("no request goes to this canary", faults["canary"])

    def test_not_yet(self) -> None:
        """A weight of 0 is what a canary begins with, and no fault."""
        self.assertEqual(read(canary_weight="0")[1], {})

    def test_pattern(self) -> None:
        """The expression is one in linear time; one that is none rules the canary out."""
        canary, faults = read(canary_by_header="a", canary_by_header_pattern="b+")
        self.assertEqual((canary.header_pattern, faults), (LinearPattern(b"b+"), {}))
        canary, faults = read(canary_by_header="a", canary_by_header_pattern="(?!b)")
        self.assertTrue(canary.header_decides_never)
        self.assertIn("no request with the field", faults["canary-by-header-pattern"])

    def test_pattern_without_effect(self) -> None:
        """It has none without a header or beside a value; neither has a value without a header."""
        canary, faults = read(
            canary_by_header="a", canary_by_header_value="v", canary_by_header_pattern="("
        )
        self.assertEqual((canary.header_value, canary.header_decides_never), (b"v", False))
        self.assertEqual(
            faults["canary-by-header-pattern"], "has no effect beside canary-by-header-value"
        )
        canary, faults = read(
            canary_weight="1", canary_by_header_value="v", canary_by_header_pattern="p"
        )
        self.assertEqual((canary.header_value, canary.header_pattern), (b"", None))
        for name in ("canary-by-header-value", "canary-by-header-pattern"):
            self.assertEqual(faults[name], "has no effect without canary-by-header")

    def test_names(self) -> None:
        """What is no name of a field or cookie is reported and ignored."""
        canary, faults = read(canary_by_header="a b", canary_by_cookie="a;b", canary_weight="1")
        self.assertEqual((canary.header, canary.cookie), (b"", b""))
        self.assertEqual(faults.keys(), {"canary-by-header", "canary-by-cookie"})
        canary, faults = read(canary_by_header="X-Explain", canary_weight="1")
        self.assertEqual((canary.header, faults.keys()), (b"", {"canary-by-header"}))

    def test_told(self) -> None:
        """People are told which requests it gets."""
        canary, _ = read(
            canary_by_header="X-A",
            canary_by_header_value="v",
            canary_by_cookie="c",
            canary_weight="7",
        )
        self.assertEqual(
            canary.explain(),
            "those with x-a: v, those with the cookie c=always, 7 of 100 of the others",
        )
        self.assertEqual(
            canary.shown(),
            {"header": "x-a", "headerValue": "v", "cookie": "c", "weight": 7, "weightTotal": 100},
        )
        canary, _ = read(canary_by_header="X-A", canary_by_header_pattern="v.")
        self.assertEqual(canary.explain(), "those whose x-a matches v.")
        self.assertEqual(canary.shown()["headerPattern"], "v.")
