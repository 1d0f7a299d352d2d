"""
A gRPC server of the official library, as a process: ``python -m tests.support.grpc_service``.

It prints its port, and ends with its standard input. With a certificate and key as arguments it
speaks TLS. Messages are plain bytes; ``/t.T/Echo`` and its relatives answer with what they get.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc


def unary(message: bytes, context: Any) -> bytes:
    """Answer with the message; fail where it says so."""
    context.set_trailing_metadata((("x-trailing", "yes"),))
    if message == b"fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "nothing here: ä")
    if message == b"slow":
        while context.is_active():
            context.add_callback(lambda: None)
            futures.wait((), 0.01)
    return message


def many(message: bytes, context: Any) -> Iterator[bytes]:
    """Answer with each byte as a message of its own."""
    for index in range(len(message)):
        yield message[index : index + 1]


def joined(messages: Iterator[bytes], context: Any) -> bytes:
    """Answer once with all messages."""
    return b",".join(messages)


def each(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
    """Answer each message as it comes."""
    for message in messages:
        yield b"re:" + message


def large(message: bytes, context: Any) -> Iterator[bytes]:
    """Answer with 4 MiB in messages of 64 KiB."""
    for _ in range(64):
        yield bytes(1 << 16)


ENDED: list[bytes] = []
"""An entry for each call of `endless` that has ended."""


def endless(message: bytes, context: Any) -> Iterator[bytes]:
    """Answer until the client is gone."""
    try:
        while context.is_active():
            yield b"more"
    finally:
        ENDED.append(message)


def ended(message: bytes, context: Any) -> bytes:
    """Answer with the number of calls of `endless` that have ended."""
    return b"%d" % len(ENDED)


def ticks(messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
    """Answer the first message for a while, whatever else the client does."""
    message = next(messages)
    for _ in range(TICKS):
        yield message
        time.sleep(TICK)


TICKS = 8
TICK = 0.4
"""Seconds between two messages of `ticks`."""


HANDLERS = {
    "/t.T/Echo": grpc.unary_unary_rpc_method_handler(unary),
    "/t.T/Many": grpc.unary_stream_rpc_method_handler(many),
    "/t.T/Large": grpc.unary_stream_rpc_method_handler(large),
    "/t.T/Endless": grpc.unary_stream_rpc_method_handler(endless),
    "/t.T/Ended": grpc.unary_unary_rpc_method_handler(ended),
    "/t.T/Joined": grpc.stream_unary_rpc_method_handler(joined),
    "/t.T/Ticks": grpc.stream_stream_rpc_method_handler(ticks),
    "/t.T/Each": grpc.stream_stream_rpc_method_handler(each),
}


class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # It has no types.
    """Finds the methods."""

    def service(self, details: Any) -> Any:
        """GenericRpcHandler."""
        return HANDLERS.get(details.method)


def main() -> None:
    options = [("grpc.max_receive_message_length", 64 << 20)]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=options)
    server.add_generic_rpc_handlers((Handler(),))
    if len(sys.argv) > 2:
        pair = tuple(Path(name).read_bytes() for name in (sys.argv[2], sys.argv[1]))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
