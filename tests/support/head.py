"""
Feeds heads as the codecs do.
"""

from __future__ import annotations

from collections.abc import Callable

from ingress.config import Limits
from ingress.http1.head import DEFAULT_LIMITS, HEAD_END


def feed(
    data: bytes,
    step: int,
    check: Callable[[bytes, Limits, int], None],
    parse: Callable[[bytes], object],
) -> None:
    """Feed a head as the codecs do: check it while it is incomplete, parse it when it is whole."""
    for end in range(step, len(data) + step, step):
        so_far = data[:end]
        if HEAD_END in so_far:
            parse(so_far[: so_far.index(HEAD_END) + len(HEAD_END)])
            return
        check(so_far, DEFAULT_LIMITS, end - step)
    raise AssertionError("neither refused nor finished")
