"""
Fields in the form in which codecs take them.
"""

from __future__ import annotations

from collections.abc import Sequence

FieldLines = list[tuple[bytes, bytes]]
"""``(name, value)``, in order and number."""


class EncodedFields(list[tuple[bytes, bytes]]):
    """
    Fields that are sent more than once, with their encoded form, which a codec makes once.

    They must not be changed. This module is not compiled, because a compiled class cannot have
    `list` as its base.

    :ivar http1: the fields as HTTP/1.1 writes them; None until they are needed.
    :ivar http1_head: the whole head of the response whose fields they are, as HTTP/1.1 writes it.
    :ivar http2: the same as `http1` for HTTP/2, as a part of a field block.
    :ivar heads: whole heads of requests to endpoints with these fields in HTTP/2, by target.
    :ivar trailing: of the trailers of an endpoint, those that a client gets.
    """

    __slots__ = ("heads", "http1", "http1_head", "http2", "trailing")

    def __init__(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        super().__init__(fields)
        self.http1: bytes | None = None
        self.http1_head: bytes | None = None
        self.http2: bytes | None = None
        self.heads: dict[bytes, object] | None = None
        self.trailing: EncodedFields | None = None
