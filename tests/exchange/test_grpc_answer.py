"""
Tests for `ingress.exchange.grpc_answer`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.exchange.grpc_answer import grpc_answer
from ingress.message import Request


def request(media_type: bytes, *, is_http_2: bool = True) -> Request:
    fields = [(b"content-type", b"content-type", media_type)]
    return Request(b"POST", b"/a.B/C", b"/a.B/C", b"a", b"a", fields, None, is_http_2=is_http_2)


class GRPCAnswerTests(SynchronousTestCase):
    def test_statuses(self) -> None:
        """Each status has the one of gRPC that clients act on; a limit is a lack of resources."""
        for status, outcome, expected in (
            (404, Outcome.NO_ROUTE, b"12"),
            (503, Outcome.NO_ENDPOINT, b"14"),
            (502, Outcome.DIAL_FAILED, b"14"),
            (504, Outcome.ENDPOINT_TIMEOUT, b"14"),
            (403, Outcome.ACCESS_REFUSED, b"7"),
            (401, Outcome.ACCESS_REFUSED, b"16"),
            (413, Outcome.BODY_TOO_LARGE, b"8"),
            (503, Outcome.LIMITED, b"8"),
            (400, Outcome.BAD_REQUEST, b"13"),
            (431, Outcome.HEAD_TOO_LARGE, b"13"),
            (408, Outcome.CLIENT_TIMEOUT, b"14"),
            (500, Outcome.INTERNAL_ERROR, b"2"),
        ):
            answer = grpc_answer(Answer(status, outcome, "50 % é."), request(b"application/grpc"))
            fields = dict(answer.fields)
            self.assertEqual(answer.status, 200)
            self.assertEqual(fields[b"grpc-status"], expected, status)
            self.assertEqual(fields[b"grpc-message"], b"50 %25 %C3%A9.")
            self.assertFalse(answer.has_body)
            answer.check()

    def test_redirect(self) -> None:
        """A redirect says where, because no gRPC client follows it."""
        answer = Answer(308, Outcome.REDIRECTED, "Elsewhere.", ((b"Location", b"https://a/"),))
        fields = dict(grpc_answer(answer, request(b"application/grpc+proto")).fields)
        self.assertEqual(fields[b"grpc-status"], b"2")
        self.assertEqual(fields[b"grpc-message"], b"Elsewhere. It is at https://a/")
        self.assertNotIn(b"Location", fields)

    def test_others(self) -> None:
        """Other media types, other versions and 421 get the answer as it is."""
        answer = Answer(404, Outcome.NO_ROUTE, "None.")
        for media_type in (b"application/grpc-web", b"application/json", b"application/grpcx"):
            self.assertIs(grpc_answer(answer, request(media_type)), answer)
        grpc = b"application/grpc"
        self.assertIs(grpc_answer(answer, request(grpc, is_http_2=False)), answer)
        misdirected = Answer(421, Outcome.ACCESS_REFUSED, "Elsewhere.")
        self.assertIs(grpc_answer(misdirected, request(grpc)), misdirected)
