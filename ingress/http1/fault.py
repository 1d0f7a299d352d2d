"""
Descriptions of what is wrong with a refused head.

They name a line and a rule, never the bytes that were sent, so they can be shown to the other peer
and written to the log.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.errors import RequestError, ResponseError

MESSAGES: Final = {RequestError: "request", ResponseError: "response"}
"""The kind of message, by the error that is raised for it."""

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_STATUS: Final = re.compile(rb" [1-9][0-9][0-9](?: |\Z)")


def status_line_fault(head: bytes) -> str:
    """Describe the fault of the first line of a response; empty if it has none."""
    line = head.partition(b"\r\n")[0]
    if not line.startswith((b"HTTP/1.1", b"HTTP/1.0")):
        return "it does not begin with HTTP/1.1 or HTTP/1.0"
    if _has_bare_line_end(line):
        return "line 1 has a bare CR or LF"
    if _STATUS.match(line, 8) is None:
        return "its status is not a number of three digits between single spaces"
    return "line 1 has a control character" if _CONTROL.search(line) else ""


def field_lines_fault(lines: bytes) -> str:
    """
    Describe the fault of the first malformed field line.

    :param lines: the lines after the first one of a head, with or without the end of the head.
    :return: the number of the line and its fault; empty if no line has one.
    """
    for number, line in enumerate(lines.split(b"\r\n"), 2):
        fault = _field_line_fault(line) if line else ""
        if fault:
            return f"line {number} {fault}"
    return ""


def _field_line_fault(line: bytes) -> str:
    if _has_bare_line_end(line):
        return "has a bare CR or LF"
    if line[:1] in (b" ", b"\t"):
        return "begins with a blank (line folding is obsolete)"
    name, colon, value = line.partition(b":")
    if not colon:
        return "has no colon"
    if not name:
        return "has no field name"
    if name[-1:] in (b" ", b"\t"):
        return "has a blank before its colon"
    if _TOKEN.fullmatch(name) is None:
        return "has a field name with a character that is not allowed"
    return "has a control character" if _CONTROL.search(value) else ""


def _has_bare_line_end(line: bytes) -> bool:
    # A CR at the very end of what has come may be half of a CRLF.
    return b"\n" in line or b"\r" in line[:-1]
