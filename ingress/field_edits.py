"""
Changes to the fields of a head, as data.

Everything that adds, replaces or removes fields is a `FieldEdits`: HSTS, CORS, custom headers,
fields of an authentication server. `ingress.exchange.fields` applies those of a route, to requests
and to responses, whether an endpoint or the proxy itself answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final, NamedTuple

from ingress.frozen import dataclass

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

EXPLAIN: Final = b"x-explain"
"""
The field of a request with the token of `ingress.exchange.explained_response`, which is a secret
between the client and us: no endpoint gets it, and no variable has it.
"""

OWN_LINES: Final = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-original-forwarded-for",
        b"x-original-forwarded-host",
        b"x-original-uri",
        b"x-real-ip",
        b"x-scheme",
    }
)
"""The fields about the client that the proxy itself sends (`ingress.exchange.client`)."""

_LOOP_FIELD: Final = b"cdn-loop"
"""An edit that removes it would let requests go round in a loop for ever."""


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
    """A cache key for the results: equal for equal edits, empty if nothing is changed."""

    host: bytes | None = field(init=False, repr=False, compare=False)
    """The Host that a request gets; None if it stays."""

    dropped: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """Lower-case names of the fields that are removed or replaced."""

    dropped_spellings: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """The plain spellings of `dropped`."""

    drops_own_lines: bool = field(init=False, repr=False, compare=False)
    """Whether one of `OWN_LINES` is among `dropped_spellings`, which is rare."""

    appended: FieldPairs = field(init=False, repr=False, compare=False)
    """The new fields, which follow those that stay; without Host."""

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
        spellings = frozenset(map(plain_spelling, dropped))
        object.__setattr__(self, "dropped_spellings", spellings)
        object.__setattr__(self, "drops_own_lines", not spellings.isdisjoint(OWN_LINES))
        object.__setattr__(self, "key", b"\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        # Empty edits are one object in every process, because `is` recognises them.
        return _make_edits, (self.replace, self.add, self.remove)

    def __bool__(self) -> bool:
        """Return whether they change anything."""
        return bool(self.key)

    def apply(self, fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """
        Apply the edits to the fields of a response.

        :param fields: ``(name, value)``, in order and number.
        :return: a new list: the fields that stay, in order, and then the new ones.
        """
        dropped = self.dropped
        kept = [pair for pair in fields if pair[0].lower() not in dropped]
        kept += self.appended
        return kept

    def apply_to_request(self, fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """
        Apply the edits to the fields of a request, as `apply` does. Fields are dropped in every
        spelling: with `field-names: underscores` a client could otherwise send `X_User` beside
        the `X-User` of an authentication server, and a program would find either of them.
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
        if not self.drops_own_lines:
            return lines
        return b"".join(
            line
            for line in lines.splitlines(keepends=True)
            if line.partition(b":")[0].translate(_SPELLING) not in dropped
        )

    def then(self, other: FieldEdits) -> FieldEdits:
        """
        Combine these edits with others.

        :param other: edits to be applied after these.
        :return: edits that do the same in one step.
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
