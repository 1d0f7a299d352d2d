"""
Fields on their way out.
"""

from __future__ import annotations

from collections.abc import Sequence

FieldLines = list[tuple[bytes, bytes]]
"""``(name, value)``, in order and number."""


class EncodedFields(list[tuple[bytes, bytes]]):
    """
    Fields on their way out that are sent more than once: a codec encodes them once.

    They must not be changed. In a module that is not compiled, because a list is no base for
    a compiled class.
    """

    __slots__ = ("http1",)

    def __init__(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        super().__init__(fields)
        self.http1: bytes | None = None
