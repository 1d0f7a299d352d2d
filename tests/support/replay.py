"""
Recorded exchanges with a real API server, and a server in memory that replays them.

``tests/fixtures/kubernetes-api`` has the exchanges.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.test.iosim import FakeTransport, IOPump, connect
from zope.interface import implementer

RECORDED = Path(__file__).resolve().parents[1] / "fixtures" / "kubernetes-api"


@dataclass(frozen=True)
class Request:
    """A client's request."""

    method: str
    target: str
    headers: dict[str, str]
    """By names in lower case."""

    body: bytes


@dataclass(frozen=True)
class Exchange:
    """A request, and the pieces of its answer in the order in which they were sent."""

    name: str
    method: str
    target: str
    headers: dict[str, str]
    """By names in lower case."""

    body: Any
    """The JSON of the body; None if there is no body."""

    status: int
    answer: Any
    """The JSON of the answer, or the joined bytes of a chunked answer."""

    writes: tuple[bytes, ...]


def recorded(file: str) -> dict[str, Exchange]:
    """Read the exchanges of a file, by name."""
    lines = (RECORDED / f"{file}.jsonl").read_text().splitlines()
    return {each.name: each for each in map(_exchange, lines)}


def _exchange(line: str) -> Exchange:
    found = json.loads(line)
    request, response = found["request"], found["response"]
    fields = dict(response["headers"])
    if "body" in response:
        # The recording has a placeholder in place of the key.
        fields["Content-Length"] = str(len(response["body"].encode()))
    lines = [response["status_line"], *(f"{name}: {value}" for name, value in fields.items())]
    writes = ["\r\n".join([*lines, "\r\n"]).encode()]
    if "chunks" in response:
        parts = [chunk["chunk"].encode() for chunk in response["chunks"]]
        writes += [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        writes.append(b"0\r\n\r\n")
        answer = b"".join(parts)
    else:
        answer = response["body"].encode()
        writes.append(answer)
    return Exchange(
        name=found["name"],
        method=request["method"],
        target=request["path"],
        headers={name.lower(): value for name, value in request["headers"].items()},
        body=request.get("body"),
        status=int(response["status_line"].split()[1]),
        answer=answer,
        writes=tuple(writes),
    )


def respond(
    status: str, body: bytes = b"", *fields: str, content_type: str = "application/json"
) -> bytes:
    """Encode an answer with a Content-Length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    if content_type:
        head.append(f"Content-Type: {content_type}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class ServerProtocol(Protocol):
    """
    One connection: parses requests, and writes the scripted answers.

    :param answer: returns the pieces to write for a request, each as a write of its own;
        pieces after a None are written when the test says so.
    """

    def __init__(self, answer: Callable[[Request], Sequence[bytes | None]]) -> None:
        self._answer = answer
        self._data = b""
        self.due: list[bytes | None] = []
        self.is_lost = False

    def dataReceived(self, data: bytes) -> None:
        """Receive part of a request (`IProtocol`)."""
        self._data += data
        while (request := self._take_request()) is not None:
            self.due += self._answer(request)
        self.data_received()

    def data_received(self) -> None:
        """React to new data; due pieces may be written."""

    def _take_request(self) -> Request | None:
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return None
        self._data = rest[size:]
        return Request(method, target, headers, rest[:size])

    def write_next(self) -> bool:
        """Write the next piece; return whether one was due."""
        if self.is_lost or not self.due or self.due[0] is None:
            return False
        self.write(self.due[0])
        del self.due[0]
        return True

    def write(self, data: bytes) -> None:
        """Send data now."""
        assert self.transport is not None
        self.transport.write(data)

    def close(self) -> None:
        """End the connection, even if pieces are due."""
        self.due.clear()
        if self.transport is not None and not self.is_lost:
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:
        """Note that the connection is gone (`IProtocol`)."""
        self.is_lost = True


@implementer(IStreamClientEndpoint)
class MemoryServer:
    """
    A server behind connections without sockets.

    :param answer: as for `ServerProtocol`.
    :ivar refusal: the failure of attempts to connect.
    """

    def __init__(self, answer: Callable[[Request], Sequence[bytes | None]]) -> None:
        self.requests: list[Request] = []
        self.connections: list[ServerProtocol] = []
        self.refusal: Exception | None = None
        self._answer = answer
        self._pumps: list[IOPump] = []

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect at once (`IStreamClientEndpoint`)."""
        if self.refusal is not None:
            return fail(self.refusal)
        client: Any = protocolFactory.buildProtocol(None)  # type: ignore[arg-type]
        server = ServerProtocol(self._note)
        pump = connect(
            server,
            FakeTransport(server, isServer=True),
            client,
            FakeTransport(client, isServer=False),
        )
        self.connections.append(server)
        self._pumps.append(pump)
        return succeed(client)

    def pump(self) -> None:
        """Write due pieces one by one, until nothing moves or the test has to continue."""
        moves = True
        while moves:
            moves = sum(pump.pump() for pump in self._pumps) > 0
            for connection in self.connections:
                moves = connection.write_next() or moves

    def go_on(self) -> None:
        """Write the pieces after a None."""
        for connection in self.connections:
            if connection.due and connection.due[0] is None:
                del connection.due[0]
        self.pump()

    def break_connections(self) -> None:
        """Close all connections as they are."""
        for connection in self.connections:
            connection.close()
        self.pump()

    def _note(self, request: Request) -> Sequence[bytes | None]:
        self.requests.append(request)
        return self._answer(request)
