"""Tests of `ingress.http1.body`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import RequestError, ResponseError
from ingress.http1.body import (
    LAST_CHUNK,
    MAX_CHUNK_LINE,
    MAX_TRAILERS,
    BodyDecoder,
    ChunkedBody,
    LengthBody,
    UntilCloseBody,
    encode_chunk,
)
from tests.support.corpus import BAD_CHUNKED_BODIES, FRAMING_TRAILERS
from tests.support.wire import feed_three_ways


def decode(make: Callable[[], BodyDecoder], pieces: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Feed the pieces until the body is whole; return it and what follows it."""
    decoder = make()
    body = b""
    rest = b""
    for piece in pieces:
        if decoder.is_complete:
            rest += piece
        else:
            more, rest = decoder.feed(piece)
            body += more
    if not decoder.is_complete:
        raise AssertionError("the body has no end")
    return body, rest


def chunked() -> ChunkedBody:
    return ChunkedBody(RequestError)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` in pieces, cut at these places."""
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


class NoBodyTests(SynchronousTestCase):
    def test_everything_follows_it(self) -> None:
        """No body takes no bytes."""
        self.assertEqual(BodyDecoder().feed(b"GET"), (b"", b"GET"))
        self.assertTrue(BodyDecoder().close())


class LengthBodyTests(SynchronousTestCase):
    def test_ends_at_its_length(self) -> None:
        """The body is as long as said, however it is fed, and what follows is not in it."""
        whole, bytewise, trailing = feed_three_ways(
            lambda pieces: decode(lambda: LengthBody(5), pieces), b"hello"
        )
        self.assertEqual(whole, (b"hello", b""))
        self.assertEqual(bytewise, whole)
        self.assertEqual(trailing, (b"hello", b"TRAILING"))

    def test_cut_short(self) -> None:
        """A connection that ends before the length is reached is no end of the body."""
        body = LengthBody(5)
        body.feed(b"hell")
        self.assertFalse(body.close())
        body.feed(b"o")
        self.assertTrue(body.close())

    def test_length_of_zero_is_complete(self) -> None:
        """A body of no bytes waits for none."""
        self.assertTrue(LengthBody(0).is_complete)


class UntilCloseBodyTests(SynchronousTestCase):
    def test_ends_with_the_connection(self) -> None:
        """Every byte belongs to the body until the connection ends."""
        body = UntilCloseBody()
        self.assertEqual(body.feed(b"hello"), (b"hello", b""))
        self.assertFalse(body.is_complete)
        self.assertTrue(body.close())
        self.assertTrue(body.is_complete)


class ChunkedBodyTests(SynchronousTestCase):
    def check(self, data: bytes, expected: bytes) -> None:
        """`data` is a body of these bytes, fed in three ways."""
        whole, bytewise, trailing = feed_three_ways(lambda pieces: decode(chunked, pieces), data)
        self.assertEqual(whole, (expected, b""))
        self.assertEqual(bytewise, (expected, b""))
        self.assertEqual(trailing, (expected, b"TRAILING"))

    def test_chunks(self) -> None:
        """The body is its chunks without their framing."""
        self.check(b"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", b"hello, world")

    def test_empty(self) -> None:
        """The last chunk alone is an empty body."""
        self.check(b"0\r\n\r\n", b"")

    def test_size_in_either_case_with_leading_zeros(self) -> None:
        """Sizes are hexadecimal, in either case, and zeros before them change nothing."""
        self.check(
            b"00A\r\n0123456789\r\nb\r\n0123456789a\r\n000\r\n\r\n", b"01234567890123456789a"
        )

    def test_chunk_that_looks_like_framing(self) -> None:
        """The data of a chunk is never taken for its framing."""
        self.check(b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n\r\n")

    def test_extensions_are_skipped(self) -> None:
        """Extensions, quoted or not, are no part of the body."""
        self.check(b'3;a=b;c="d e"\r\nabc\r\n0;e\r\n\r\n', b"abc")

    def test_longest_line(self) -> None:
        """A line may be as long as the limit, in pieces as well."""
        extension = b";" + b"a" * (MAX_CHUNK_LINE - 2)
        self.check(b"3" + extension + b"\r\nabc\r\n0\r\n\r\n", b"abc")

    def test_trailers_are_skipped(self) -> None:
        """Trailers are checked, and are no part of the body."""
        self.check(b"1\r\na\r\n0\r\nX-Sum: 1\r\nX-Length: 5\r\n\r\n", b"a")

    def test_longest_trailer(self) -> None:
        """Trailers may be as long as the limit, in pieces as well."""
        self.check(b"0\r\na:" + b"b" * (MAX_TRAILERS - 2) + b"\r\n\r\n", b"")

    def test_cut_short(self) -> None:
        """A connection that ends before the last chunk is no end of the body."""
        body = chunked()
        body.feed(b"3\r\nabc\r\n0\r\n")
        self.assertFalse(body.close())
        body.feed(b"\r\n")
        self.assertTrue(body.close())

    def test_refused(self) -> None:
        """A body that two parsers might read differently is refused, however it is fed."""
        passed = []
        for name, data in (BAD_CHUNKED_BODIES | FRAMING_TRAILERS).items():
            for pieces in ([data], [data[i : i + 1] for i in range(len(data))], [data + b"X"]):
                try:
                    decode(chunked, pieces)
                except RequestError:
                    continue
                except AssertionError:
                    pass
                passed.append(name)
        self.assertEqual(passed, [])

    def test_framing_trailers_of_responses(self) -> None:
        """Trailers of a response that would frame a message are dropped; the others are kept."""
        for name in (b"Content-Length", b"TRANSFER-encoding"):
            body = ChunkedBody(ResponseError)
            data = b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n%b: 5\r\nX-End: 2\r\n\r\n" % name
            self.assertEqual(body.feed(data), (b"abc", b""))
            self.assertTrue(body.is_complete)
            self.assertEqual(body.trailers, [(b"X-Sum", b"1"), (b"X-End", b"2")])

    def test_reasons(self) -> None:
        """A refusal says which rule is broken, and by whom."""
        for data, fault in (
            (b"xyz\r\n", "a chunk with a malformed size or extension"),
            (b"3;\r\n", "a chunk with a malformed size or extension"),
            (b"8000000000000000\r\n", "a chunk that is too large"),
            (b"3\r\nabcd\r\n", "a chunk that is longer than its size"),
            (b"3\nabc", "a line with a bare CR or LF"),
            (b"3;" + b"a" * MAX_CHUNK_LINE, "a line that is too long"),
            (b"3;" + b"a" * MAX_CHUNK_LINE + b"\r\n", "a line that is too long"),
            (b"0\r\nabc\r\n", "a malformed trailer"),
            (b"0\r\n" + b"a: b\r\n" * 5000, "trailers that are too large"),
        ):
            for error, message in ((RequestError, "request"), (ResponseError, "response")):
                caught = self.assertRaises(error, ChunkedBody(error).feed, data)
                self.assertEqual(str(caught), f"The chunked body of the {message} has {fault}.")

    def test_fault_of_the_endpoint(self) -> None:
        """A broken body of a response is the endpoint's fault."""
        self.assertRaises(ResponseError, ChunkedBody(ResponseError).feed, b"x\r\n")

    def test_bare_cr_is_not_waited_for(self) -> None:
        """A CR that something else than LF follows is refused at once, in every line."""
        for data in (b"3\rX", b"3;a\rX", b"0\r\na\rX", b"0\r\n\rX", b"0\r\na: b\rX"):
            self.assertRaises(RequestError, chunked().feed, data)

    def test_unfinished_line_is_bounded(self) -> None:
        """What is kept of a line that never ends is bounded."""
        body = chunked()
        with self.assertRaises(RequestError):
            for _ in range(MAX_CHUNK_LINE + 2):
                body.feed(b"0")

    @settings(deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(0, 400)))
    def test_every_split(self, chunks: list[bytes], places: list[int]) -> None:
        """However the bytes of a body are cut, the same body comes out."""
        data = b"".join(map(encode_chunk, chunks)) + LAST_CHUNK
        self.assertEqual(decode(chunked, cut(data + b"GET", places)), (b"".join(chunks), b"GET"))

    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                [b"3", b"0", b"\r\n", b"\r", b"\n", b"abc", b";", b"x: y", b"F" * 16, b"+", b" "]
            ),
            max_size=12,
        ),
        st.lists(st.integers(0, 60)),
    )
    def test_every_split_of_anything(self, tokens: list[bytes], places: list[int]) -> None:
        """Whether bytes are a body does not depend on how they are cut."""
        data = b"".join(tokens)

        def outcome(pieces: Sequence[bytes]) -> object:
            try:
                return decode(chunked, pieces)
            except RequestError:
                return "refused"
            except AssertionError:
                return "unfinished"

        whole, split = outcome([data]), outcome(cut(data, places))
        self.assertEqual(whole, split)


class EncodeChunkTests(SynchronousTestCase):
    def test_size_in_hexadecimal(self) -> None:
        """A chunk says its size in hexadecimal."""
        self.assertEqual(encode_chunk(b"a" * 26), b"1a\r\n" + b"a" * 26 + b"\r\n")
