"""
The endpoint for streams of gRPC: ``python -m benchmarks.comparison.message_stream PORT``.

It answers each call with `MESSAGES` messages, each of them in a DATA frame of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from benchmarks.comparison.site import MESSAGE_SIZE, MESSAGES, STREAM

MESSAGE = bytes(MESSAGE_SIZE)


def answer(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """The messages, whatever was asked."""
    for _ in range(MESSAGES):
        yield MESSAGE


def serve(port: int) -> None:
    """Until it is ended."""
    method = grpc.unary_stream_rpc_method_handler(answer)
    server = grpc.server(ThreadPoolExecutor(4))
    service = grpc.method_handlers_generic_handler(STREAM.strip("/"), {"Call": method})
    server.add_generic_rpc_handlers((service,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
