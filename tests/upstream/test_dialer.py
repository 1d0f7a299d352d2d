"""Tests of `ingress.upstream.dialer`."""

from __future__ import annotations

import errno

from twisted.internet.error import (
    ConnectError,
    ConnectionLost,
    TimeoutError,
    getConnectError,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import Outcome
from ingress.transports.connector import HandshakeFailed
from ingress.upstream.dialer import dial_error


class DialErrorTests(SynchronousTestCase):
    def test_reasons(self) -> None:
        """Each reason why there is no connection has its own text for client and log."""
        for reason, status, said in (
            (getConnectError((errno.ECONNREFUSED, "refused")), 502, "refused"),
            (getConnectError((errno.EHOSTUNREACH, "no route")), 502, "unreachable"),
            (getConnectError((errno.ENETUNREACH, "no network")), 502, "unreachable"),
            (getConnectError((errno.ETIMEDOUT, "late")), 504, "in time"),
            (getConnectError((errno.ECONNRESET, "reset")), 502, "reset"),
            (TimeoutError(), 504, "in time"),
            (ConnectionLost(), 502, "reset"),
            (HandshakeFailed(string="secret of a peer"), 502, "TLS handshake"),
            (ConnectError(), 502, "can be made"),
        ):
            with self.subTest(reason=repr(reason)):
                error = dial_error(Failure(reason))
                self.assertEqual((error.status, error.outcome), (status, Outcome.DIAL_FAILED))
                self.assertIn(said, str(error))
                self.assertNotIn("secret", str(error))
