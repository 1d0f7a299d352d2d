"""
Answers of the API server, of which few fields matter.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ingress.kube.api.errors import APIUnreachable
from ingress.kube.conversion import drop_nulls

T = TypeVar("T")


def decode_answer(answer: bytes, type_: type[T]) -> T:
    """
    :param type_: what it should be; null in it means absent.
    :raises APIUnreachable: if it is something else.
    """
    try:
        raw = msgspec.json.decode(answer)
        drop_nulls(raw)
        return msgspec.convert(raw, type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise APIUnreachable(f"the answer is no {type_.__name__}: {error}") from None
