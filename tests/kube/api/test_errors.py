"""
Tests for `ingress.kube.api.errors`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import MAX_MESSAGE, api_error


class APIErrorTests(SynchronousTestCase):
    """An answer without success becomes an error."""

    def test_status(self) -> None:
        """A Status says what is wrong."""
        body = {
            "kind": "Status",
            "message": "the object has been modified",
            "reason": "Conflict",
            "code": 409,
            "details": {"name": "web", "retryAfterSeconds": 2},
        }
        error = api_error(409, json.dumps(body).encode())
        self.assertEqual(
            (error.code, error.reason, error.message, error.retry_after),
            (409, "Conflict", "the object has been modified", 2.0),
        )
        self.assertEqual(str(error), "409 Conflict: the object has been modified")

    def test_retry_after(self) -> None:
        """The head's word on when to come back counts more than the Status's."""
        body = b'{"kind":"Status","details":{"retryAfterSeconds":2}}'
        self.assertEqual(api_error(429, body, 7.0).retry_after, 7.0)

    def test_no_status(self) -> None:
        """The text of a proxy in the API's place is not repeated."""
        for body in (
            b"<html>secret</html>",
            b"",
            b"{",
            b"[]",
            b'"text"',
            b'{"kind":"Other","message":"secret"}',
            b'{"kind":"Status","message":5}',
            b'{"kind":"Status","code":"secret"}',
            b'\xff{"kind":"Status"}',
            b"[" * 100_000,
            b'{"kind":"Status","metadata":' + b"[" * 100_000,
        ):
            error = api_error(502, body)
            self.assertEqual((error.code, error.reason), (502, ""))
            self.assertEqual(
                str(error), "502 Bad Gateway: the answer is not a Status of the Kubernetes API"
            )
        self.assertIn("799 unknown status", str(api_error(799, b"")))

    def test_one_line(self) -> None:
        """A message is one line of the log, and not a long one."""
        body = {"kind": "Status", "message": "a\n\x1b[31mb" + "c" * 5000, "reason": "A\nB"}
        error = api_error(500, json.dumps(body).encode())
        self.assertTrue(str(error).isprintable())
        self.assertLess(len(error.message), MAX_MESSAGE + 20)
