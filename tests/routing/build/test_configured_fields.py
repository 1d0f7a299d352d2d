"""
Tests for `ingress.routing.build.configured_fields`, within whole builds.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.build import Built
from tests.routing.build.test_config_map import built, config_map, messages, route_of

ADDED = ("nginx", "added")
NAMES = {"add-headers": "nginx/added"}


def added(result: Built) -> list[tuple[bytes, bytes]]:
    """The fields that responses get."""
    edits = route_of(result).response_edits
    return list(edits.http.replace) if edits is not None else []


class ConfiguredFieldsTests(SynchronousTestCase):
    """ConfigMaps that the ConfigMap names have fields."""

    def test_fields(self) -> None:
        """They are set in all responses, and follow changes."""
        result = built(config_map(NAMES), config_map({"X-A": "1"}, ADDED))
        self.assertEqual((added(result), messages(result)), ([(b"X-A", b"1")], {}))
        result = built(config_map(NAMES), config_map({"X-A": "2"}, ADDED), before=result)
        self.assertEqual(added(result), [(b"X-A", b"2")])

    def test_missing(self) -> None:
        """One that does not exist is a Problem; one that is gone keeps its last fields."""
        result = built(config_map(NAMES))
        self.assertIn("no field is set", messages(result)["data[add-headers]"])
        result = built(config_map(NAMES), config_map({"X-A": "1"}, ADDED), before=result)
        self.assertEqual((added(result), messages(result)), ([(b"X-A", b"1")], {}))
        result = built(config_map(NAMES), before=result)
        self.assertEqual(added(result), [(b"X-A", b"1")])
        self.assertIn("its last fields are still set", messages(result)["data[add-headers]"])

    def test_refused(self) -> None:
        """A field that would end or frame the head is a Problem, and the others are set."""
        data = {"X-A": "1\r\n2", "Content-Length": "0", "X-B": "2"}
        result = built(config_map(NAMES), config_map(data, ADDED))
        self.assertEqual(added(result), [(b"X-B", b"2")])
        self.assertEqual(len(list(result.all_problems())), 2)

    def test_variables(self) -> None:
        """Fields of requests may have variables, if there are any of these names."""
        data = {"X-A": "$host", "X-B": "$nothing"}
        names = {"proxy-set-headers": "nginx/added"}
        result = built(config_map(names), config_map(data, ADDED))
        self.assertIn("there is no variable $nothing", messages(result)["data[proxy-set-headers]"])
        self.assertEqual(result.snapshot.config.nginx.headers.set_upstream, (("X-A", "$host"),))

    def test_unchanged(self) -> None:
        """Other ConfigMaps change nothing."""
        first = built(config_map(NAMES), config_map({"X-A": "1"}, ADDED))
        other = config_map({"X-A": "1"}, ("nginx", "other"))
        second = built(config_map(NAMES), config_map({"X-A": "1"}, ADDED), other, before=first)
        self.assertIs(second.snapshot.config, first.snapshot.config)
