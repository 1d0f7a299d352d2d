"""``python -m tests.fuzz.heads --seconds 60``: the bytes of a client's connection."""

from __future__ import annotations

from tests.fuzz.runner import instrumented, run

with instrumented():
    from tests.fuzz.invariants import check_forwarding, check_requests
    from tests.support.corpus import BAD_REQUESTS
    from tests.support.wire import GET, post


def check(data: bytes, places: list[int]) -> None:
    """Both ways: what is read, and what becomes of it."""
    check_requests(data, places)
    check_forwarding(data, places)


if __name__ == "__main__":
    run(check, [GET, GET + GET, post(5) + b"hello" + GET, *BAD_REQUESTS.values()])
