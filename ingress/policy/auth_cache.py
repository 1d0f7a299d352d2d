"""
The decisions of authentication servers that ``auth-cache-key`` lets be used again.

Source of the rules: docs/compatibility.md, sections 2.5 and 6, "Access"; RFC 9111.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from ingress.duration import parse_duration
from ingress.errors import IngressError
from ingress.frozen import dataclass
from ingress.policy.decision import Verdict
from ingress.policy.live_state import RuleIdentity
from ingress.policy.subrequest import Subresponse

MAX_ENTRIES: Final = 65_536
"""Decisions that a process keeps, of all rules together; ingress-nginx keeps about as many."""

MAX_SIZE: Final = 32 * 1024 * 1024
"""Bytes of fields that they have, at most."""

MAX_ENTRY: Final = 16 * 1024
"""Bytes of the fields of one decision that is kept."""

_OVERHEAD: Final = 512
"""Bytes that an entry takes beside its fields."""

MAX_SECONDS: Final = 86_400 * 365.0

DEFAULT: Final = "200 202 401 5m"

_STATUS: Final = re.compile(r"[1-5][0-9]{2}")
_DEFAULT_STATUSES: Final = (200, 301, 302)
"""The statuses of a list without any, as in nginx."""

_DELTA: Final = re.compile(r"(?:^|[,\s])(s-maxage|max-age)=\"?([0-9]{1,9})", re.IGNORECASE)
_NOT_STORED: Final = re.compile(r"(?:^|[,\s])(?:no-store|no-cache|private)(?:[\s,=]|$)", re.I)

ACCEPTED: Final = (
    "lists of status codes, each with a time behind it (200 202 401 5m) and commas between them, "
    "are accepted"
)


class DurationsRefused(IngressError):
    """The times cannot be read; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class CacheDurations:
    """How long a decision is used again, by the status of the server's response."""

    seconds: tuple[tuple[int, float], ...]

    def of(self, status: int) -> float:
        """:return: seconds; 0 for a status whose responses are used once."""
        return next((seconds for each, seconds in self.seconds if each == status), 0.0)


def parse_durations(written: str) -> CacheDurations:
    """
    Read the value of ``auth-cache-duration``.

    :raises DurationsRefused: for what is no such value.
    """
    seconds: dict[int, float] = {}
    for part in (written or DEFAULT).split(","):
        words = part.split()
        statuses = [int(word) for word in words if _STATUS.fullmatch(word)]
        # A number without a unit would be a status.
        times = [
            None if word.isdigit() else parse_duration(word) for word in words[len(statuses) :]
        ]
        if not times or len(times) > 8:
            raise DurationsRefused(ACCEPTED)
        total = 0.0
        for time in times:
            if time is None:
                raise DurationsRefused(ACCEPTED)
            total += time
        for status in statuses or _DEFAULT_STATUSES:
            seconds[status] = min(total, MAX_SECONDS)
    return CacheDurations(tuple(seconds.items()))


def lifetime(response: Subresponse, durations: CacheDurations, wall_clock: float) -> float:
    """
    Find how long a response may be used again. As in nginx, what the server says of it takes
    precedence, and one that sets a cookie is for one client only.

    :param wall_clock: seconds since the epoch.
    :return: seconds; 0 for a response that is used once.
    """
    if response.values(b"set-cookie") or b"*" in response.values(b"vary"):
        return 0.0
    seconds = durations.of(response.status)
    control = b",".join(response.values(b"cache-control")).decode("latin-1")
    if _NOT_STORED.search(control):
        return 0.0
    deltas = {found[1].lower(): float(found[2]) for found in _DELTA.finditer(control)}
    if deltas:
        return min(deltas.get("s-maxage", deltas.get("max-age", 0.0)), MAX_SECONDS)
    for expires in response.values(b"expires"):
        return min(max(0.0, _seconds_until(expires.decode("latin-1"), wall_clock)), MAX_SECONDS)
    return seconds


def _seconds_until(date: str, wall_clock: float) -> float:
    """:return: 0 for what is no date, which is in the past (RFC 9111 section 5.3)."""
    try:
        parsed = parsedate_to_datetime(date)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() - wall_clock
    except (ValueError, TypeError, OverflowError):
        return 0.0


@dataclass(slots=True)
class Kept:
    """A decision that may be used again."""

    verdict: Verdict = field(repr=False)
    until: float
    """Seconds on the clock of the process."""

    size: int
    vary: tuple[bytes, ...] = ()
    """Names of fields of the client on which the server says that it depends, in lower case."""

    varied: bytes = field(default=b"", repr=False)
    """Their values."""


class AuthCache:
    """
    The decisions of one process, least recently used ones first. What is beyond the bounds is
    taken from the rule that has most: no author can drive out the decisions of others.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES, max_size: int = MAX_SIZE) -> None:
        self._max_entries = max_entries
        self._max_size = max_size
        self._by_rule: dict[RuleIdentity, OrderedDict[bytes, Kept]] = {}
        self._entries = 0
        self.size = 0
        """Bytes of all entries."""

    def __repr__(self) -> str:
        return f"<AuthCache of {self._entries} decisions for {len(self._by_rule)} rules>"

    def __len__(self) -> int:
        return self._entries

    def find(
        self,
        rule: RuleIdentity,
        key: bytes,
        now: float,
        varied: Callable[[tuple[bytes, ...]], bytes],
    ) -> Kept | None:
        """
        :param key: of the request.
        :param varied: gives the values of fields of the request.
        :return: the decision about an equal request; None if there is none that is still valid.
        """
        kept_here = self._by_rule.get(rule)
        kept = kept_here.get(key) if kept_here is not None else None
        if kept_here is None or kept is None:
            return None
        if kept.until <= now:
            self._drop(rule, kept_here, key)
            return None
        if kept.vary and varied(kept.vary) != kept.varied:
            return None
        kept_here.move_to_end(key)
        return kept

    def keep(self, rule: RuleIdentity, key: bytes, kept: Kept) -> None:
        """Keep a decision, in place of an earlier one of the same key."""
        if kept.size > MAX_ENTRY:
            return
        kept.size += _OVERHEAD
        kept_here = self._by_rule.get(rule)
        if kept_here is not None and key in kept_here:
            self._drop(rule, kept_here, key)
        kept_here = self._by_rule.setdefault(rule, OrderedDict())
        kept_here[key] = kept
        self._entries += 1
        self.size += kept.size
        while self._entries > self._max_entries or self.size > self._max_size:
            largest = max(self._by_rule, key=lambda each: len(self._by_rule[each]))
            oldest = self._by_rule[largest]
            self._drop(largest, oldest, next(iter(oldest)))

    def _drop(self, rule: RuleIdentity, kept_here: OrderedDict[bytes, Kept], key: bytes) -> None:
        self.size -= kept_here.pop(key).size
        self._entries -= 1
        if not kept_here:
            del self._by_rule[rule]
