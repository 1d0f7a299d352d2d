"""``python -m tests.fuzz.responses --seconds 60``: the bytes of an endpoint's connection."""

from __future__ import annotations

from tests.fuzz.runner import instrumented, run

with instrumented():
    from tests.fuzz.invariants import check_answer, check_response
    from tests.support.corpus import BAD_RESPONSES, FRAMING_TRAILERS
    from tests.support.wire import CHUNKED_OK, OK, response

_METHODS = (b"GET", b"HEAD", b"POST")


def check(data: bytes, places: list[int]) -> None:
    """Both ways: what is read, and what becomes of it."""
    kind = sum(places)
    method, is_end = _METHODS[kind % 3], bool(kind % 2)
    check_response(data, places, method, is_end=is_end)
    check_answer(data, places, method, is_end=is_end)


if __name__ == "__main__":
    chunked = CHUNKED_OK + b"2\r\nok\r\n0\r\n\r\n"
    trailers = [CHUNKED_OK + data for data in FRAMING_TRAILERS.values()]
    seeds = [OK, chunked, response(103) + OK, response(200) + b"ok", *trailers]
    run(check, [*seeds, *BAD_RESPONSES.values()])
