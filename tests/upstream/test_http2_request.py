"""Tests of `ingress.upstream.http2_request`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.encoded_fields import EncodedFields
from ingress.http2.hpack_decoder import HPACKDecoder
from ingress.message import Request, UpstreamRequest
from ingress.upstream.http2_request import MAX_ALL_HEADS, MAX_HEADS, MAX_KEPT, encode_request

FORWARDED = b"X-Real-IP: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"


def make_request(
    fields: EncodedFields,
    target: bytes = b"/shop.Cart/Add",
    authority: bytes = b"shop.example",
    method: bytes = b"POST",
    *,
    identity: bytes = b"0123456789abcdef",
    takes_trailers: bool = False,
    forwarded: bytes = FORWARDED,
) -> UpstreamRequest:
    request = Request(
        method, target, target, authority, authority, (), None, takes_trailers=takes_trailers
    )
    return UpstreamRequest(request, target, authority, fields, identity, forwarded)


def sent(request: UpstreamRequest, *, is_secure: bool = False) -> list[tuple[bytes, bytes]]:
    return HPACKDecoder().decode(encode_request(request, is_secure=is_secure))


class EncodeRequestTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.fields = EncodedFields([(b"Content-Type", b"application/grpc"), (b"X-Tag", b"1")])

    def test_whole(self) -> None:
        """Pseudo-fields, fields, the request's id, and the forwarded fields, in lower case."""
        self.assertEqual(
            sent(make_request(self.fields, takes_trailers=True), is_secure=True),
            [
                (b":method", b"POST"),
                (b":scheme", b"https"),
                (b":authority", b"shop.example"),
                (b":path", b"/shop.Cart/Add"),
                (b"content-type", b"application/grpc"),
                (b"x-tag", b"1"),
                (b"te", b"trailers"),
                (b"x-request-id", b"0123456789abcdef"),
                (b"x-real-ip", b"192.0.2.1"),
                (b"x-forwarded-proto", b"http"),
            ],
        )

    def test_without_id(self) -> None:
        """Edits may have taken the request's id out."""
        names = [name for name, _ in sent(make_request(self.fields, identity=b""))]
        self.assertNotIn(b"x-request-id", names)
        self.assertEqual(names[-1], b"x-forwarded-proto")

    def test_what_is_kept_is_of_the_same_head(self) -> None:
        """Requests with the same fields may differ in everything else, and get what is theirs."""
        variants = [
            (make_request(self.fields), False),
            (make_request(self.fields, b"/shop.Cart/Remove"), False),
            (make_request(self.fields, authority=b"other.example"), False),
            (make_request(self.fields, method=b"PUT"), False),
            (make_request(self.fields, takes_trailers=True), False),
            (make_request(self.fields, identity=b"f" * 128), False),
            (make_request(self.fields, forwarded=b"X-Real-IP: 192.0.2.2\r\n"), False),
            (make_request(self.fields), True),
        ]
        first = [sent(request, is_secure=is_secure) for request, is_secure in variants]
        self.assertEqual(len({tuple(each) for each in first}), len(variants))
        again = [sent(request, is_secure=is_secure) for request, is_secure in variants]
        self.assertEqual(again, first)

    def test_bounds(self) -> None:
        """Clients that invent targets have few heads kept, and no long ones."""
        for number in range(100):
            target = b"/%d" % number
            self.assertIn((b":path", target), sent(make_request(self.fields, target)))
        heads = self.fields.heads
        assert heads is not None
        self.assertLessEqual(len(heads), MAX_HEADS)
        target = b"/" + b"a" * 2 * MAX_KEPT
        self.assertIn((b":path", target), sent(make_request(self.fields, target)))
        self.assertNotIn(target, heads)

    def test_bound_of_all(self) -> None:
        """However many sets of fields there are, their heads are few; the last ones are kept."""
        every = []
        for number in range(3 * MAX_ALL_HEADS):
            fields = EncodedFields([(b"x-number", b"%d" % number)])
            self.assertIn((b"x-number", b"%d" % number), sent(make_request(fields)))
            every.append(fields)
        self.assertLessEqual(sum(len(each.heads or {}) for each in every), 2 * MAX_ALL_HEADS)
        self.assertEqual(len(every[-1].heads or {}), 1)
        # A set that was emptied is as good as new.
        self.assertIn((b"x-number", b"0"), sent(make_request(every[0])))
        self.assertEqual(len(every[0].heads or {}), 1)
