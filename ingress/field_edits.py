"""
Changes to the fields of a head, as data.

Everything that adds, replaces or removes fields is a `FieldEdits`: HSTS, CORS, custom headers,
fields of an authentication server. The exchange applies them in one place, to requests and to
responses, whether an endpoint or the proxy itself answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

FieldPairs = tuple[tuple[bytes, bytes], ...]
"""``(name, value)``, in order and number."""

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""A token (RFC 9110 section 5.6.2)."""

_VALUE: Final = re.compile(
    rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?"
)
"""RFC 9110 section 5.5: without CR, LF and NUL, and without white space around it."""

_SPELLING: Final = bytes(
    ord(chr(octet).lower()) if chr(octet).isascii() and chr(octet).isalnum() else ord("-")
    for octet in range(256)
)


def plain_spelling(name: bytes) -> bytes:
    """
    Return the name of letters, digits and ``-``, in lower case, that an endpoint may confuse with
    `name`: CGI, FastCGI and PHP replace all other characters with ``_``, and ``-`` too.
    """
    return name.translate(_SPELLING)


CONNECTION_FIELDS: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields that frame a message or belong to one connection: the codecs alone write them."""

_LOOP_FIELD: Final = b"cdn-loop"
"""An edit that removes it would let requests go round for ever."""


@dataclass(frozen=True, slots=True)
class FieldEdits:
    """
    Changes to the fields of a request or of a response.

    Names are compared without regard to case. A request's Host may be replaced; no edit touches
    `CONNECTION_FIELDS` or CDN-Loop, which shows how often a request has passed through here.

    :raises ValueError: for a name or a value that cannot stand in a head, and for a field that
        no edit touches.
    """

    replace: FieldPairs = ()
    """Fields that take the place of all others of their names."""

    add: FieldPairs = ()
    """Fields beside those that are there already."""

    remove: frozenset[bytes] = frozenset()
    """Names of fields to leave out, in lower case."""

    key: bytes = field(init=False, repr=False, compare=False)
    """Equal for equal edits, so that what was made with them can be kept; empty for none."""

    host: bytes | None = field(init=False, repr=False, compare=False)
    """The Host that a request gets; None for the client's."""

    dropped: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """Lower-case names of all fields that do not stay: removed or replaced ones."""

    dropped_spellings: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """The plain spellings of `dropped`."""

    appended: FieldPairs = field(init=False, repr=False, compare=False)
    """The fields that come behind those that stay, but for Host."""

    def __post_init__(self) -> None:
        for name, value in (*self.replace, *self.add):
            check_field(name, value)
        for name in self.remove:
            check_field(name, b"")
        hosts = [value for name, value in self.replace if name.lower() == b"host"]
        appended = tuple(
            (name, value) for name, value in (*self.replace, *self.add) if name.lower() != b"host"
        )
        dropped = self.remove | {name.lower() for name, _ in self.replace}
        # No name and no value has a line feed.
        lines = [b"-%b" % name for name in sorted(self.remove)]
        lines += [b"=%b:%b" % pair for pair in self.replace]
        lines += [b"+%b:%b" % pair for pair in self.add]
        object.__setattr__(self, "host", hosts[-1] if hosts else None)
        object.__setattr__(self, "appended", appended)
        object.__setattr__(self, "dropped", frozenset(dropped))
        object.__setattr__(self, "dropped_spellings", frozenset(map(plain_spelling, dropped)))
        object.__setattr__(self, "key", b"\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        # What is not there is one object in every process, so that it is seen at a glance.
        return _make_edits, (self.replace, self.add, self.remove)

    def __bool__(self) -> bool:
        """Whether they change anything."""
        return bool(self.key)

    def apply(self, fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """
        :param fields: ``(name, value)``, in order and number.
        :return: a new list: the fields that stay, in order, and behind them the new ones.
        """
        dropped = self.dropped
        kept = [pair for pair in fields if pair[0].lower() not in dropped]
        kept += self.appended
        return kept

    def apply_to_request(self, fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """
        As `apply`, for fields of a client on their way to an endpoint. Fields are dropped in every
        spelling: with `field-names: underscores` a client could otherwise send `X_User` beside an
        `X-User` of an authentication server, and its program would find one of them.
        """
        dropped = self.dropped_spellings
        kept = [pair for pair in fields if pair[0].translate(_SPELLING) not in dropped]
        kept += self.appended
        return kept

    def apply_to_lines(self, lines: bytes) -> bytes:
        """
        :param lines: fields that the proxy itself sends to an endpoint, a line each.
        :return: those that stay.
        """
        dropped = self.dropped_spellings
        if not dropped:
            return lines
        return b"".join(
            line
            for line in lines.splitlines(keepends=True)
            if line.partition(b":")[0].translate(_SPELLING) not in dropped
        )

    def then(self, other: FieldEdits) -> FieldEdits:
        """
        :param other: edits to be applied after these.
        :return: edits that do the same in one go.
        """
        if not other:
            return self
        if not self:
            return other
        dropped = other.dropped
        return FieldEdits(
            replace=(
                *(pair for pair in self.replace if pair[0].lower() not in dropped),
                *other.replace,
            ),
            add=(*(pair for pair in self.add if pair[0].lower() not in dropped), *other.add),
            remove=self.remove | other.remove | self.dropped,
        )


NO_EDITS: Final = FieldEdits()


def _make_edits(replace: FieldPairs, add: FieldPairs, remove: frozenset[bytes]) -> FieldEdits:
    return FieldEdits(replace, add, remove) if replace or add or remove else NO_EDITS


class ResponseEdits(NamedTuple):
    """Changes to the responses of a route, by the scheme that the client used."""

    http: FieldEdits = NO_EDITS
    https: FieldEdits = NO_EDITS


def check_field(name: bytes, value: bytes) -> None:
    """
    Check that a field can stand in a head without ending it or framing the message.

    :raises ValueError: if it cannot; the message says why, without the value.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not a field name")
    if name.lower() in CONNECTION_FIELDS:
        raise ValueError(f"{name.decode('ascii')} belongs to the connection and cannot be edited")
    if plain_spelling(name) == _LOOP_FIELD:
        raise ValueError(f"{name.decode('ascii')} ends loops of requests and cannot be edited")
    if _VALUE.fullmatch(value) is None:
        raise ValueError(
            f"the value of {name.decode('ascii')} has a control character or blanks around it"
        )
