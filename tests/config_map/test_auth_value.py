"""Tests of the values of the keys for external authentication."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ingress.config.section import NotAccepted
from ingress.config_map import auth_value
from ingress.config_map.reading import read_data

GOOD = {
    "global-auth-url": "http://auth.sso.svc.cluster.local/check?x=$request_uri",
    "global-auth-method": "POST",
    "global-auth-signin": "https://b.example/",
    "global-auth-signin-redirect-param": "next",
    "global-auth-response-headers": "X-User, X-Groups",
    "global-auth-request-redirect": "https://$host/",
    "global-auth-cache-key": "$cookie_x",
    "global-auth-cache-duration": "200 1m, 401 5s",
    "global-auth-always-set-cookie": "true",
    "no-auth-locations": "/open,/.well-known/acme-challenge",
}


class AuthValueTests(SynchronousTestCase):
    def test_good(self) -> None:
        """All keys work, and close nothing."""
        read = read_data(GOOD, {})
        self.assertEqual((read.faults, read.closed_by), ((), ()))
        self.assertEqual(len(read.values), len(GOOD))

    def test_bad(self) -> None:
        """A bad value is refused, so that everything is closed."""
        cases: tuple[tuple[Callable[[str], object], str], ...] = (
            (auth_value.url, "http://$http_x/"),
            (auth_value.url, "http://auth.$namespace.svc/"),
            (auth_value.method, "CONNECT"),
            (auth_value.sign_in, "ftp://x"),
            (auth_value.parameter, "a&b"),
            (auth_value.copied, "X A"),
            (auth_value.text, "$connection"),
            (auth_value.durations, "soon"),
        )
        for accept, written in cases:
            self.assertRaises(NotAccepted, accept, written)
        for name in ("url", "method", "signin", "cache-duration"):
            key = f"global-auth-{name}"
            self.assertEqual(read_data({**GOOD, key: "a b c"}, {}).closed_by, (key,))

    def test_last_good(self) -> None:
        """A value that turns bad leaves the last good one."""
        before = read_data(GOOD, {})
        read = read_data({**GOOD, "global-auth-url": "nonsense"}, before.values)
        self.assertEqual(read.closed_by, ())
        self.assertEqual(read.values["global-auth-url"], GOOD["global-auth-url"])
