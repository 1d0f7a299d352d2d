"""Tests of `ingress.http1.decoder`: what was seen before is decoded as it was the first time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.errors import HeadTooLarge, PeerError, TargetTooLong
from ingress.http1 import request_head
from ingress.http1.decoder import RequestDecoder
from ingress.http1.head import MAX_KEPT, find_head_end
from ingress.http1.known_requests import KNOWN
from ingress.message import Request

LIMITS = Limits()
HEAD = b"GET /a?b HTTP/1.1\r\nHost: A.example:80\r\nX-A: 1\r\n\r\n"
PIECES = (
    b"GET ",
    b"POST ",
    b"/",
    b"/a/../b",
    b"/%zz",
    b" HTTP/1.1\r\n",
    b" HTTP/1.0\r\n",
    b"Host: a\r\n",
    b"Host: b:1\r\n",
    b"X-A: 1\r\n",
    b"Content-Length: 3\r\n",
    b"Connection: close\r\n",
    b"\r\n",
    b"abc",
    b"\n",
)


NAMES = (
    *("method", "target", "path", "authority", "host", "fields", "body_length"),
    *("connection_options", "is_http_10", "is_http_2", "keep_alive", "wants_websocket"),
    *("takes_trailers", "length"),
)


def told(request: Request) -> tuple[object, ...]:
    """Everything that a request says."""
    return tuple(getattr(request, name) for name in NAMES)


def decode(pieces: list[bytes], limits: Limits = LIMITS) -> list[object]:
    """:return: the requests, the bodies and the error of a connection that gets these pieces."""
    decoder = RequestDecoder()
    found: list[object] = []
    try:
        for piece in pieces:
            decoder.waiting += piece
            while decoder.waiting:
                if decoder.is_in_body:
                    found.append(decoder.take_body())
                    if decoder.is_in_body:
                        break
                elif (request := decoder.take_head(limits)) is not None:
                    found.append(told(request))
                else:
                    break
    except PeerError as error:
        found.append(str(error))
    return [*found, decoder.waiting, decoder.is_in_head]


def forget() -> None:
    KNOWN.clear()
    request_head._KEPT.clear()


class RequestDecoderTests(SynchronousTestCase):
    def test_known(self) -> None:
        """A head that comes again, whole and alone, is the same request."""
        forget()
        first, second = RequestDecoder(), RequestDecoder()
        first.waiting = second.waiting = HEAD
        request = first.take_head(LIMITS)
        self.assertIs(second.take_head(LIMITS), request)
        self.assertEqual(
            (second.waiting, second.is_in_head, second.is_in_body), (b"", False, False)
        )

    def test_again(self) -> None:
        """A head that comes again on its connection is the same request, until it is forgotten."""
        forget()
        decoder = RequestDecoder()
        found = []
        for _ in range(2):
            decoder.waiting = HEAD
            found.append(decoder.take_head(LIMITS))
        decoder.waiting = HEAD.replace(b"X-A: 1", b"X-A: 2")
        other = decoder.take_head(LIMITS)
        KNOWN.clear()
        decoder.waiting = HEAD
        found.append(decoder.take_head(LIMITS))
        assert other is not None
        self.assertEqual(other.field(b"x-a"), b"2")
        self.assertIs(found[0], found[1])
        self.assertIsNot(found[0], found[2])
        self.assertEqual(len({str(told(each)) for each in found if each is not None}), 1)

    def test_limits_of_connection(self) -> None:
        """A head that was the last one of its connection is held to other limits."""
        decoder = RequestDecoder()
        for limits in (LIMITS, Limits(head_fields=1)):
            decoder.waiting = HEAD
            if limits is LIMITS:
                self.assertIsNotNone(decoder.take_head(limits))
            else:
                self.assertRaises(HeadTooLarge, decoder.take_head, limits)

    def test_limits(self) -> None:
        """A head that is known is held to other limits."""
        for limits, error in (
            (Limits(head_fields=1), HeadTooLarge),
            (Limits(head_size=len(HEAD) - 1), HeadTooLarge),
            (Limits(target_size=3), TargetTooLong),
        ):
            self.assertEqual(len(decode([HEAD])), 3)
            decoder = RequestDecoder()
            decoder.waiting = HEAD
            self.assertRaises(error, decoder.take_head, limits)

    def test_not_known(self) -> None:
        """Neither a long head nor one with a body is known."""
        forget()
        decode([HEAD.replace(b"X-A: 1", b"X-A: " + b"a" * MAX_KEPT)])
        decode([HEAD.replace(b"X-A: 1", b"Content-Length: 3"), b"abc"])
        decode([HEAD.replace(b"X-A: 1", b"Transfer-Encoding: chunked"), b"0\r\n\r\n"])
        self.assertEqual(len(KNOWN), 0)

    @settings(deadline=None, max_examples=300)
    @given(st.lists(st.sampled_from(PIECES), max_size=12), st.data())
    def test_anything(self, pieces: list[bytes], data: st.DataObject) -> None:
        """Whatever was decoded before, and wherever it is cut, bytes are decoded the same way."""
        whole = b"".join(pieces)
        forget()
        expected = decode([whole])
        self.assertEqual(decode([whole]), expected)
        cut = data.draw(st.integers(0, len(whole)))
        requests = [each for each in expected if isinstance(each, tuple)]
        again = decode([whole[:cut], whole[cut:]])
        self.assertEqual([each for each in again if isinstance(each, tuple)], requests)
        decode([HEAD])
        self.assertEqual(decode([whole]), expected)

    @given(st.lists(st.sampled_from((b"\r", b"\n", b"a", b"\r\n\r\n")), max_size=12))
    def test_end(self, pieces: list[bytes]) -> None:
        """The end of a head is found wherever it begins, with some of it checked before."""
        data = b"".join(pieces)
        expected = data.find(b"\r\n\r\n")
        expected += 4 if expected >= 0 else 0
        for checked in range(len(data) if expected < 0 else expected):
            self.assertEqual(find_head_end(data, checked), expected)
