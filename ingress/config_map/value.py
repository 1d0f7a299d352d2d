"""
Conversions of the values of ingress-nginx's ConfigMap, all of which are text.

Each function takes the text without surrounding blanks and returns the value of a setting. It
raises `NotAccepted` with what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from ingress.address_ranges import parse_range
from ingress.byte_size import BYTE_SIZE, byte_size
from ingress.config.section import NotAccepted
from ingress.duration import parse_duration
from ingress.field_edits import check_field
from ingress.linear_pattern import LinearPattern, PatternRefused
from ingress.log_template import LogTemplate, TemplateRefused
from ingress.object_name import parse_object_name
from ingress.pattern_replacement import PatternReplacement, ReplacementRefused, read_pattern
from ingress.value_map import ValueMap, ValueRefused

RETRY_CONDITIONS: Final = frozenset(
    {"error", "timeout", "invalid_header", "non_idempotent", "off"}
    | {f"http_{status}" for status in (403, 404, 429, 500, 502, 503, 504)}
)
"""The members of ``proxy-next-upstream``."""

AcceptText = Callable[[str], Any]
"""Converts the text of a value; raises NotAccepted."""

MAX_LIST: Final = 20_000
"""Members of one list."""

MAX_FEW: Final = 200
"""Members of a list that is gone through for each Ingress, or each response."""

_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""The values that Go's ``strconv.ParseBool`` accepts."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
"""The name of a field (RFC 9110 section 5.6.2)."""

_PATH: Final = re.compile(r"/[!-~]{0,1023}")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+*-]+|\*")


def boolean(text: str) -> bool:
    """Accept what Go's ``ParseBool`` does."""
    if text not in _BOOLEANS:
        raise NotAccepted("true or false is accepted")
    return _BOOLEANS[text]


def integer(least: int, most: int) -> AcceptText:
    """Accept a whole number of a range."""

    def accept(text: str) -> int:
        if _INTEGER.fullmatch(text) is None or not least <= int(text) <= most:
            raise NotAccepted(f"a whole number from {least} to {most} is accepted")
        return int(text)

    return accept


def seconds(least: float, most: float) -> AcceptText:
    """Accept seconds, or a duration with units as nginx and Go write it: ``1m30s``."""

    def accept(text: str) -> float:
        value = parse_duration(text)
        if value is None or not least <= value <= most:
            raise NotAccepted(f"a number of seconds from {least:g} to {most:g} is accepted")
        return value

    return accept


def body_size(text: str) -> int | None:
    """Accept a size, or 0 for no limit, which is None."""
    if BYTE_SIZE.fullmatch(text) is None:
        raise NotAccepted("a size such as 512k, 8m or 1g is accepted, or 0 for no limit")
    return byte_size(text) or None


def buffers(text: str) -> int:
    """Accept ``NUMBER SIZE``, which is the size of all buffers together."""
    count, _, size = text.partition(" ")
    if not re.fullmatch(r"[0-9]{1,4}", count) or BYTE_SIZE.fullmatch(size.strip()) is None:
        raise NotAccepted("a number and a size are accepted, such as 4 8k")
    total = int(count) * byte_size(size.strip())
    if not 1 << 10 <= total <= 1 << 20:
        raise NotAccepted("buffers of 1k to 1m together are accepted")
    return total


def choice(*accepted: str) -> AcceptText:
    """Accept one of several words."""

    def accept(text: str) -> str:
        if text not in accepted:
            raise NotAccepted(f"{' or '.join(filter(None, accepted))} is accepted")
        return text

    return accept


def text(written: str) -> str:
    """Accept any text of one line."""
    if not written.isprintable():
        raise NotAccepted("text without line breaks and control characters is accepted")
    return written


def off_or(pattern: re.Pattern[str], accepted: str) -> AcceptText:
    """Accept ``off``, or a pattern, which `accepted` describes."""

    def accept(written: str) -> str:
        if written != "off" and pattern.fullmatch(written) is None:
            raise NotAccepted(f"off, or {accepted}, is accepted")
        return written

    return accept


def off_or_replaced(pattern: re.Pattern[str], accepted: str, *, with_text: bool) -> AcceptText:
    """
    Accept ``off``, a text, or a regular expression after ``~`` that replaces more than that.

    :param pattern: of a text, which `accepted` describes.
    :param with_text: whether what takes its place follows behind a blank.
    """

    def accept(written: str) -> str:
        if not written.startswith("~"):
            off_or(pattern, accepted)(written)
            return written
        try:
            if with_text:
                expression, _, replacement = written.partition(" ")
                PatternReplacement.read(expression, replacement.strip())
            else:
                read_pattern(written)
        except ReplacementRefused as error:
            raise NotAccepted(f"off, {accepted}, or a regular expression; {error}") from error
        return written

    return accept


def retry_conditions(written: str) -> str:
    """Accept the members of ``proxy-next-upstream`` with blanks between them."""
    if not RETRY_CONDITIONS.issuperset(written.split()):
        raise NotAccepted(f"some of {' '.join(sorted(RETRY_CONDITIONS))} are accepted")
    return written


def kibibytes(written: str) -> int | None:
    """Accept a number of KiB, which becomes bytes; 0 is no limit, which is None."""
    return integer(0, 1 << 30)(written) * 1024 or None


def kibibytes_or_none(written: str) -> int:
    """Accept the same; 0 stays 0."""
    return kibibytes(written) or 0


def redirect_code(written: str) -> int:
    """Accept the status of a redirect that ingress-nginx accepts."""
    if written not in ("301", "302", "307", "308"):
        raise NotAccepted("301, 302, 307 or 308 is accepted")
    return int(written)


def words(written: str) -> tuple[str, ...]:
    """Accept a list with commas between its members; empty members are dropped."""
    members = tuple(filter(None, (member.strip() for member in text(written).split(","))))
    if len(members) > MAX_LIST:
        raise NotAccepted(f"a list of at most {MAX_LIST} members is accepted")
    return members


def few_words(written: str) -> tuple[str, ...]:
    """Accept a short list, of which each member costs something for each Ingress."""
    members = words(written)
    if len(members) > MAX_FEW:
        raise NotAccepted(f"a list of at most {MAX_FEW} members is accepted")
    return members


def ranges(written: str) -> tuple[str, ...]:
    """Accept a list of IP addresses and CIDR ranges."""
    members = words(written)
    for position, member in enumerate(members, 1):
        try:
            parse_range(member)
        except ValueError:
            # What it is may be a secret that was put into the wrong key.
            raise NotAccepted(
                f"member {position} is none of the IP addresses and CIDR ranges that are accepted"
            ) from None
    return members


def networks(written: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Accept a list of IP addresses and CIDR ranges, of which there is at least one."""
    try:
        found = tuple(ip_network(member, strict=False) for member in words(written))
    except ValueError:
        found = ()
    if not found:
        raise NotAccepted("a list of IP addresses and CIDR ranges is accepted")
    return found


def value_map(written: str) -> tuple[str, ...]:
    """Accept a list of values, and of regular expressions after ``~`` or ``~*``."""
    members = words(written)
    try:
        ValueMap.of(members)
    except ValueRefused as error:
        raise NotAccepted(f"{error}; values, and patterns after ~ or ~*, are accepted") from None
    return members


def statuses(least: int, most: int) -> AcceptText:
    """Accept a list of status codes of a range."""

    def accept(written: str) -> frozenset[int]:
        members = words(written)
        wrong = [each for each in members if not re.fullmatch(r"[1-5][0-9]{2}", each)]
        found = frozenset(int(each) for each in members if each not in wrong)
        if wrong or not all(least <= status <= most for status in found):
            raise NotAccepted(f"a list of codes from {least} to {most} is accepted")
        return found

    return accept


def field_names(written: str) -> tuple[str, ...]:
    """Accept a list of names of fields."""
    members = few_words(written)
    if not all(_TOKEN.fullmatch(member) for member in members):
        raise NotAccepted("a list of names of header fields is accepted")
    return members


def field_name(written: str) -> bytes:
    """Accept one name of a field, which becomes octets in lower case."""
    names = field_names(written)
    if len(names) != 1:
        raise NotAccepted("one name of a header field is accepted")
    return names[0].lower().encode()


def editable_field_names(written: str) -> tuple[str, ...]:
    """Accept the same, without fields that frame a message."""
    names = field_names(written)
    for name in names:
        try:
            check_field(name.encode(), b"")
        except ValueError as error:
            raise NotAccepted(f"{error}; other names of header fields are accepted") from None
    return names


def lower_field_names(written: str) -> frozenset[str]:
    """Accept the same, as a set in lower case."""
    return frozenset(name.lower() for name in field_names(written))


def paths(written: str) -> tuple[str, ...]:
    """Accept a list of paths."""
    members = words(written)
    if not all(_PATH.fullmatch(member) for member in members):
        raise NotAccepted("a list of paths is accepted, each beginning with /")
    return members


def pattern(written: str) -> LinearPattern:
    """Accept a regular expression, which is matched without regard to case."""
    try:
        return LinearPattern.of(text(written), ignores_case=True)
    except PatternRefused as error:
        raise NotAccepted(f"a regular expression is accepted; {error}") from error


def media_types(written: str) -> tuple[str, ...]:
    """Accept media types with blanks between them, or ``*``."""
    members = text(written).split()
    if not members or not all(_MEDIA_TYPE.fullmatch(member) for member in members):
        raise NotAccepted("media types with blanks between them are accepted, or *")
    return tuple(member.lower() for member in members)


def log_template(written: str) -> LogTemplate:
    """Accept a format of lines, as nginx's ``log_format`` has it."""
    try:
        return LogTemplate.read(written)
    except TemplateRefused as error:
        raise NotAccepted(str(error)) from None


def snippet(written: str) -> str:
    """Accept text of any length; what it says is read with its objects."""
    return written


def reference(written: str) -> tuple[str, str]:
    """Accept ``NAMESPACE/NAME`` of an object."""
    name = parse_object_name(written)
    if name is None:
        raise NotAccepted("NAMESPACE/NAME of a ConfigMap is accepted")
    return name
