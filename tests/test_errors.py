"""Tests of `ingress.errors`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

from twisted.trial.unittest import SynchronousTestCase

from ingress import errors
from tests.support.process import CHECKOUT


def kinds_of(error: type[errors.PeerError]) -> Iterator[type[errors.PeerError]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds_of(kind)


class OutcomeTests(SynchronousTestCase):
    def test_documented(self) -> None:
        """docs/observing.md says what each outcome means."""
        text = (CHECKOUT / "docs" / "observing.md").read_text()
        table = text.partition("| outcome | status |")[2].partition("\n\n")[0]
        documented = set(re.findall(r"`([a-z_]+)`", table))
        self.assertEqual(documented, {outcome.value for outcome in errors.Outcome})


class PeerErrorTests(SynchronousTestCase):
    def test_statuses(self) -> None:
        """Each error knows its status and its outcome."""
        expected = {
            errors.PeerError: (500, "internal_error"),
            errors.InternalError: (500, "internal_error"),
            errors.RequestError: (400, "bad_request"),
            errors.TargetTooLong: (414, "target_too_long"),
            errors.HeadTooLarge: (431, "head_too_large"),
            errors.BodyTooLarge: (413, "body_too_large"),
            errors.MethodUnknown: (501, "method_unknown"),
            errors.RequestTimeout: (408, "client_timeout"),
            errors.LoopDetected: (508, "loop_detected"),
            errors.ResponseError: (502, "endpoint_broke"),
            errors.EndpointTimeout: (504, "endpoint_timeout"),
            errors.EndpointClosed: (502, "endpoint_broke"),
            errors.StreamReset: (502, "endpoint_broke"),
            errors.StaleConnection: (502, "endpoint_broke"),
            errors.StreamRefused: (502, "endpoint_broke"),
            errors.DialFailed: (502, "dial_failed"),
            errors.NoDescriptor: (502, "dial_failed"),
            errors.DialTimeout: (504, "dial_failed"),
        }
        found = {kind: (kind.status, str(kind.outcome)) for kind in kinds_of(errors.PeerError)}
        self.assertEqual(found, expected)

    def test_phrases(self) -> None:
        """Every status of an error has a phrase."""
        for kind in kinds_of(errors.PeerError):
            self.assertTrue(HTTPStatus(kind.status).phrase)
