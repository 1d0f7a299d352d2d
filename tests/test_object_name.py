"""
Tests for `ingress.object_name`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.object_name import parse_object_name


class ParseObjectNameTests(SynchronousTestCase):
    def test_with_namespace(self) -> None:
        """A namespace that is written takes precedence over the default."""
        self.assertEqual(parse_object_name("shop/users.v1"), ("shop", "users.v1"))
        self.assertEqual(parse_object_name("shop/users", "default"), ("shop", "users"))

    def test_without_namespace(self) -> None:
        """A name alone is of the default namespace, and nothing without one."""
        self.assertEqual(parse_object_name("users", "default"), ("default", "users"))
        self.assertEqual(parse_object_name("users", ""), ("", "users"))
        self.assertIsNone(parse_object_name("users"))

    def test_refused(self) -> None:
        """What cannot be the name of an object is none."""
        for written in (
            "",
            "/",
            "shop/",
            "/users",
            "a/b/c",
            "Shop/users",
            "shop/users\n",
            "shop/users.",
            "shop/a..b",
            "sh.op/users",
            "-shop/users",
            f"{'n' * 64}/users",
            f"shop/{'.'.join(['n' * 63] * 4)}",
            "$namespace/users",
        ):
            with self.subTest(written):
                self.assertIsNone(parse_object_name(written, "default"))
