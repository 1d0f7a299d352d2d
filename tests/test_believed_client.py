"""Tests of `ingress.believed_client`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.believed_client import BelievedClient


class HostTests(SynchronousTestCase):
    def test_host(self) -> None:
        """The host is the authority in lower case, without port and trailing dot."""
        for authority, host in (
            (b"a.example", b"a.example"),
            (b"A.Example.:8080", b"a.example"),
            (b"a.example:", b"a.example"),
            (b"[2001:DB8::1]", b"[2001:db8::1]"),
            (b"[2001:DB8::1]:8443", b"[2001:db8::1]"),
            (b"", b""),
        ):
            client = BelievedClient(b"", authority, b"", is_secure=False, is_trusted=False)
            self.assertEqual(client.host, host, authority)
