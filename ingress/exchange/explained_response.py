"""
The field ``X-Explanation`` of the response to a request that asks for it with the right token.
"""

from __future__ import annotations

from collections.abc import Iterator
from hmac import compare_digest
from typing import Final
from urllib.parse import quote

from twisted.internet.interfaces import IReactorTime

from ingress.encoded_fields import FieldLines
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.message import Response
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from ingress.token_bucket import TokenBucket

EXPLANATION: Final = b"X-Explanation"

RATE: Final = 20
"""Explanations a second of a process, and at once; further requests are answered without."""

MAX_SIZE: Final = 1024
"""Bytes of the value."""

_MAX_PART: Final = 300
"""Bytes of one of its parts: the path of a rule may have many kilobytes."""

_SHOWN_TRIES: Final = 5
_SAFE: Final = "/:*@!$&()+~^[]{}|"
"""Characters that stay as they are, beside letters, digits and ``_.-``: none separates parts."""


class Explaining:
    """
    Decides which responses are explained.

    :param token: what a client must know.
    :param clock: for the rate.
    """

    def __init__(self, token: bytes, clock: IReactorTime) -> None:
        self.token = token
        self._clock = clock
        self._bucket = TokenBucket(RATE, RATE)

    def __repr__(self) -> str:
        return f"<Explaining {RATE} a second>"

    def writer(
        self, writer: ResponseWriter, token: bytes, snapshot: Snapshot | None
    ) -> ExplainedWriter | None:
        """
        :param writer: of the response.
        :param token: the token of the request.
        :param snapshot: the one that the request is served from.
        :return: a writer that adds the field; None if the token is wrong, or too many were right.
        """
        if not compare_digest(token, self.token) or self._bucket.take(self._clock.seconds()) > 0:
            return None
        return ExplainedWriter(writer, snapshot.generation if snapshot is not None else 0)


class ExplainedWriter(ResponseWriter):
    """
    Passes a response on, with the field.

    :param inner: the writer of the response.
    :param generation: the number of the Snapshot.
    """

    def __init__(self, inner: ResponseWriter, generation: int) -> None:
        self._inner = inner
        self._generation = generation
        self.record: ExchangeRecord | None = None
        """The record of the exchange; None before there is one."""

    def __repr__(self) -> str:
        return f"<ExplainedWriter to {self._inner}>"

    def _explained(self, fields: FieldLines) -> FieldLines:
        others = [field for field in fields if field[0].lower() != EXPLANATION.lower()]
        if self.record is None:
            return others
        return [*others, (EXPLANATION, explanation(self.record, self._generation))]

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        """ResponseWriter."""
        self._inner.send_head(status, reason, self._explained(fields), body_length)

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        """ResponseWriter."""
        self._inner.switch(self._explained(fields), tunnel)

    def send_interim(self, response: Response) -> None:
        """ResponseWriter."""
        self._inner.send_interim(response)

    def send_body(self, data: bytes) -> None:
        """ResponseWriter."""
        self._inner.send_body(data)

    def flush(self) -> None:
        """ResponseWriter."""
        self._inner.flush()

    def end(self, trailers: FieldLines) -> None:
        """ResponseWriter."""
        self._inner.end(trailers)

    def abort(self, code: int = 0) -> None:
        """ResponseWriter."""
        self._inner.abort(code)

    def pause_request(self) -> None:
        """ResponseWriter."""
        self._inner.pause_request()

    def resume_request(self) -> None:
        """ResponseWriter."""
        self._inner.resume_request()

    def send_raw(self, data: bytes) -> None:
        """ResponseWriter."""
        self._inner.send_raw(data)

    def end_raw(self) -> None:
        """ResponseWriter."""
        self._inner.end_raw()


def explanation(record: ExchangeRecord, generation: int) -> bytes:
    """
    :param record: the record when the head of the response is sent.
    :param generation: the number of the Snapshot.
    :return: ``snapshot=7; rule=shop.example/cart; ingress=...``, in printable ASCII; of what the
        author of a rule wrote, everything else is escaped as in a URL.
    """
    value = b"; ".join(_parts(record, generation))
    return value if len(value) <= MAX_SIZE else value[: MAX_SIZE - 3] + b"..."


def _parts(record: ExchangeRecord, generation: int) -> Iterator[bytes]:
    yield b"snapshot=%d" % generation
    route, tries = record.route, record.tries
    if route is None:
        yield b"rule=none"
    else:
        yield _part("rule", (route.host or "*") + route.path)
        yield _part("ingress", "/".join(route.ingress))
        if route.upstream is not None:
            yield _part("upstream", route.upstream.full_name)
    yield _part("outcome", str(record.outcome.value))
    if tries:
        yield _part("endpoint", str(tries[-1].endpoint))
        yield b"tries=%d" % len(tries)
    if len(tries) > 1:
        yield b"tried=" + b",".join(map(_tried, tries[:_SHOWN_TRIES]))


def _tried(attempt: AttemptRecord) -> bytes:
    return f"{attempt.endpoint}={attempt.status or '-'}".encode("ascii", "replace")


def _part(name: str, value: str) -> bytes:
    quoted = quote(value, safe=_SAFE, errors="backslashreplace")
    return f"{name}={quoted}".encode("ascii")[:_MAX_PART]
