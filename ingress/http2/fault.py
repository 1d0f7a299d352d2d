"""
The error codes of HTTP/2, and the exceptions that end a connection or a stream.

This module is not compiled, because a compiled class cannot be an exception with attributes of its
own that is as cheap as this one.
"""

from __future__ import annotations

from typing import Final

from ingress.errors import IngressError

# RFC 9113 section 7.
NO_ERROR: Final = 0x0
PROTOCOL_ERROR: Final = 0x1
INTERNAL_ERROR: Final = 0x2
FLOW_CONTROL_ERROR: Final = 0x3
SETTINGS_TIMEOUT: Final = 0x4
STREAM_CLOSED: Final = 0x5
FRAME_SIZE_ERROR: Final = 0x6
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8
COMPRESSION_ERROR: Final = 0x9
CONNECT_ERROR: Final = 0xA
ENHANCE_YOUR_CALM: Final = 0xB
INADEQUATE_SECURITY: Final = 0xC
HTTP_1_1_REQUIRED: Final = 0xD


class HTTP2Fault(IngressError):
    """
    A peer broke a rule of HTTP/2.

    :param code: the error code.
    :param detail: one sentence without anything that the peer sent.
    """

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ConnectionFault(HTTP2Fault):
    """The connection ends with GOAWAY (RFC 9113 section 5.4.1)."""


class StreamFault(HTTP2Fault):
    """The stream ends with RST_STREAM (RFC 9113 section 5.4.2)."""


class CompressionFault(ConnectionFault):
    """A field block cannot be decoded (RFC 9113 section 4.3)."""

    def __init__(self, detail: str) -> None:
        super().__init__(COMPRESSION_ERROR, detail)
