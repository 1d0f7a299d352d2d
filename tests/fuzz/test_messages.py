"""
Messages right and nearly right, against both codecs and through the data plane.

``make test`` tries some hundred of each; ``python -m tests.fuzz.heads`` and its
siblings go on for as long as one likes, from bytes.
"""

from __future__ import annotations

import os
from itertools import product

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.grammar import (
    FIELD_LINES,
    PIPELINES,
    PLACES,
    RESPONSES,
    RIGHT_FRAMINGS,
    chunks,
    mutated,
)
from tests.fuzz.invariants import (
    check_answer,
    check_chunks,
    check_forwarding,
    check_requests,
    check_response,
)
from tests.support.corpus import (
    BAD_CHUNKED_BODIES,
    BAD_REQUESTS,
    BAD_RESPONSES,
    FRAMING_TRAILERS,
)
from tests.support.wire import CHUNKED_OK, GET, request

CHUNKED = request(b"POST", b"Transfer-Encoding: chunked")
METHODS = st.sampled_from([b"GET", b"HEAD", b"POST"])

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
"""Of each kind: enough for a second or so; the environment may ask for more."""

briefly = settings(
    deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow]
)


class RequestTests(SynchronousTestCase):
    @briefly
    @given(mutated(PIPELINES), PLACES)
    def test_read_alike(self, data: bytes, places: list[int]) -> None:
        """What we accept, h11, llhttp and http.server read alike, wherever it is cut."""
        check_requests(data, places)

    @briefly
    @given(mutated(PIPELINES), PLACES)
    def test_forwarded_alike(self, data: bytes, places: list[int]) -> None:
        """Endpoints see exactly what we accepted, and nothing of what we refused."""
        check_forwarding(data, places)

    def test_every_field_with_every_framing(self) -> None:
        """No field changes where a body ends, and none takes it away."""
        for framing, line in product(RIGHT_FRAMINGS, FIELD_LINES):
            head = b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + line + b"\r\n"
            body = b"hello" if b"5" in framing else b""
            data = head + (b"2\r\nok\r\n0\r\n\r\n" if b"chunked" in framing else body)
            self.assertEqual(len(check_requests(data, []).readings), 1, data)
            check_forwarding(data + GET, [])

    def test_corpus(self) -> None:
        """All this holds for what is known to have fooled others."""
        for data in BAD_REQUESTS.values():
            check_requests(data, [7])
            check_forwarding(data, [7])


class BodyTests(SynchronousTestCase):
    @briefly
    @given(mutated(chunks(), most=3), PLACES)
    def test_read_alike(self, data: bytes, places: list[int]) -> None:
        """A chunked body that we accept ends at the same byte for h11 and llhttp."""
        check_chunks(data, places)

    def test_corpus(self) -> None:
        """All this holds for what is known to have fooled others."""
        for data in (BAD_CHUNKED_BODIES | FRAMING_TRAILERS).values():
            check_chunks(data, [3])
            check_forwarding(CHUNKED + data + GET, [100])


class ResponseTests(SynchronousTestCase):
    @briefly
    @given(mutated(RESPONSES), PLACES, METHODS, st.booleans())
    @example(b"HTTP/1.1 200 OK\r\n\r\n\r\n0\r\nContent-Length: 5\r\n\r\n", [], b"GET", True)
    def test_read_alike(self, data: bytes, places: list[int], method: bytes, is_end: bool) -> None:
        """A response that we accept is the same for h11, wherever it is cut."""
        check_response(data, places, method, is_end=is_end)

    @briefly
    @given(mutated(RESPONSES), PLACES, METHODS, st.booleans())
    def test_forwarded_alike(
        self, data: bytes, places: list[int], method: bytes, is_end: bool
    ) -> None:
        """The client gets one answer or a visible cut, and the next client nothing of it."""
        check_answer(data, places, method, is_end=is_end)

    def test_corpus(self) -> None:
        """All this holds for what is known to have fooled others."""
        endings = (CHUNKED_OK + data for data in FRAMING_TRAILERS.values())
        for data in (*BAD_RESPONSES.values(), *endings):
            check_response(data, [7], b"GET", is_end=True)
            check_answer(data, [7], b"GET", is_end=True)
