"""``python -m tests.fuzz.bodies --seconds 60``: the bytes of a chunked body."""

from __future__ import annotations

from tests.fuzz.runner import instrumented, run

with instrumented():
    from tests.fuzz.invariants import check_chunks, check_forwarding
    from tests.support.corpus import BAD_CHUNKED_BODIES, FRAMING_TRAILERS
    from tests.support.wire import request

_HEAD = request(b"POST", b"Transfer-Encoding: chunked")


def check(data: bytes, places: list[int]) -> None:
    """Both ways: what is read, and what becomes of it."""
    check_chunks(data, places)
    check_forwarding(_HEAD + data, places)


if __name__ == "__main__":
    run(
        check,
        [
            b"5\r\nhello\r\n0\r\n\r\n",
            b"0;a=b\r\nX: y\r\n\r\n",
            *(BAD_CHUNKED_BODIES | FRAMING_TRAILERS).values(),
        ],
    )
