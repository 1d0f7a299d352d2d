"""
Tests for `ingress.policy.custom_headers`.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.nginx_settings import AnnotationSafety, HeaderDefaults, NginxSettings
from ingress.field_edits import FieldEdits
from ingress.policy.annotation import PREFIX, Annotations, Closing, Extent, Subject
from ingress.policy.custom_headers import CustomHeaders
from ingress.testing import Reading, read_annotations

CLOSED = Closing(Extent.RULES, Subject.ACCESS)
MAPS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("default", "fields"): {"X-One": " 1 ", "X-Two": "2"},
    ("default", "empty"): {},
    ("default", "other"): {"X-Three": "3"},
    ("default", "hostile"): {"X-One": "1\r\nX-Two: 2"},
    ("default", "framing"): {"Content-Length": "0"},
    ("default", "many"): {f"X-{number}": "" for number in range(101)},
    ("apart", "fields"): {"X-One": "1"},
}


def read(value: str, *, may_cross: bool = False) -> tuple[CustomHeaders | None, Reading]:
    allowed = frozenset({"x-one", "x-two", "content-length"})
    settings = NginxSettings(
        headers=HeaderDefaults(allowed_custom=allowed),
        annotations=AnnotationSafety(allow_cross_namespace=may_cross),
    )
    reading = read_annotations(
        CustomHeaders, {"custom-headers": value}, config=Config(nginx=settings), config_maps=MAPS
    )
    assert reading.feature is None or isinstance(reading.feature, CustomHeaders)
    return reading.feature, reading


class CustomHeadersTests(SynchronousTestCase):
    """A ConfigMap has the fields of responses."""

    def test_fields(self) -> None:
        """Its data are fields, which replace those of the endpoint."""
        for value in ("fields", "default/fields"):
            policy, reading = read(value)
            assert policy is not None
            self.assertEqual(
                policy.response_edits, FieldEdits(replace=((b"X-One", b"1"), (b"X-Two", b"2")))
            )
            self.assertEqual((reading.faults, reading.closing), ({}, None))

    def test_nothing(self) -> None:
        """No name, and no fields, ask for nothing."""
        for value in ("", "empty"):
            policy, reading = read(value)
            self.assertEqual((policy, reading.closing), (None, None))

    def test_closed(self) -> None:
        """A ConfigMap that is missing or elsewhere, and a field that may not be set, close."""
        for value, why in (
            ("missing", "does not exist"),
            ("apart/fields", "the Ingress's own namespace"),
            ("other", "does not allow X-Three"),
            ("hostile", "has a control character"),
            ("framing", "belongs to the connection"),
            ("many", "of which 100 are accepted"),
            ("a/b/c", "NAMESPACE/NAME"),
            ("a b", "NAMESPACE/NAME"),
        ):
            policy, reading = read(value)
            self.assertEqual((policy, reading.closing), (None, CLOSED), value)
            self.assertIn(why, reading.faults["custom-headers"])

    def test_cross(self) -> None:
        """The operator may allow other namespaces."""
        policy, _ = read("apart/fields", may_cross=True)
        self.assertIsNotNone(policy)

    def test_references(self) -> None:
        """The ConfigMap is announced, wherever it is."""
        for value, found in (
            ("fields", [("ConfigMap", "default", "fields")]),
            ("apart/fields", [("ConfigMap", "apart", "fields")]),
            ("a b", []),
        ):
            annotations = Annotations({f"{PREFIX}custom-headers": value})
            self.assertEqual(list(CustomHeaders.references(annotations, "default")), found)
