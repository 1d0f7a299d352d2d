"""
The annotations for nginx's buffers. We have no such buffers: both bodies are streamed.

Values that match streaming, or that tune a buffer we do not have, are accepted
silently. A value that relies on a buffer is a fault.

Source of the rules: docs/compatibility.md, section 2.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from ingress.byte_size import BYTE_SIZE, byte_size
from ingress.policy.annotation import Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

_NUMBER = re.compile(r"[0-9]{1,9}")
_SIZE = "a size such as 8k or 1m"

_TUNING = ("client-body-buffer-size", "proxy-busy-buffers-size", "proxy-max-temp-file-size")
"""Sizes that affect nothing but the machine's memory and disk."""


class Buffering(RouteFeature):
    """Reports buffers that somebody relies on; there is nothing to set."""

    __slots__ = ()

    annotations: ClassVar[tuple[str, ...]] = (
        *_TUNING,
        "proxy-buffering",
        "proxy-request-buffering",
        "proxy-http-version",
        "proxy-buffers-number",
        "proxy-buffer-size",
    )
    differences: ClassVar[Mapping[str, str]] = dict.fromkeys(
        annotations, "both bodies are streamed; a value that relies on a buffer is reported"
    )

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "buffering"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> None:
        """Feature."""
        head_size = context.config.limits.head_size
        _check_words(annotations)
        for name in _TUNING:
            _check_size(annotations, name)
        annotations.text("proxy-buffers-number", _NUMBER, "a whole number")
        size = _check_size(annotations, "proxy-buffer-size")
        if size > head_size:
            annotations.fault(
                "proxy-buffer-size",
                f"the head of a response may have {head_size} bytes, as limits.head-size has it",
            )


def _check_words(annotations: Annotations) -> None:
    # The first choice of each is what streaming does.
    if annotations.choice("proxy-buffering", ("off", "on")) == "on":
        annotations.fault(
            "proxy-buffering",
            "responses are streamed, not buffered: a slow client keeps its endpoint busy",
        )
    if annotations.choice("proxy-request-buffering", ("off", "on")) == "on":
        annotations.fault(
            "proxy-request-buffering",
            "requests are streamed, not buffered: a slow upload keeps its endpoint busy",
        )
    if annotations.choice("proxy-http-version", ("1.1", "1.0")) == "1.0":
        annotations.fault("proxy-http-version", "endpoints are always spoken to in HTTP/1.1")


def _check_size(annotations: Annotations, name: str) -> int:
    """:return: the size in bytes; 0 if it is absent or invalid."""
    text = annotations.text(name, BYTE_SIZE, _SIZE)
    return byte_size(text) if text else 0
