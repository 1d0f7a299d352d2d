"""
Lists of values as the keys of nginx's ``map`` have them: whole values, or regular expressions
after ``~`` or ``~*``.

Source of the rules: the documentation of ``ngx_http_map_module``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern, PatternRefused

MAX_PATTERNS: Final = 200
"""Regular expressions of one list: each of them is tried for each request."""


class ValueRefused(ValueError):
    """A member of a list cannot be used; the message is a clause that says why."""


@dataclass(frozen=True, slots=True)
class ValueMap:
    """A list of values and patterns."""

    values: frozenset[bytes] = frozenset()
    """In lower case: nginx ignores the case of whole values."""

    patterns: tuple[LinearPattern, ...] = ()

    @classmethod
    def of(cls, members: Sequence[str]) -> ValueMap:
        """
        :raises ValueRefused: for a pattern that cannot be used, or more than `MAX_PATTERNS`.
        """
        return _compiled(tuple(members))

    def __bool__(self) -> bool:
        """Whether there is any member."""
        return bool(self.values or self.patterns)

    def has(self, value: bytes) -> bool:
        """
        :raises TextTooLong: if a pattern cannot be searched for in so long a value.
        """
        if value.lower() in self.values:
            return True
        return any(pattern.search(value) is not None for pattern in self.patterns)


@lru_cache(maxsize=16)
def _compiled(members: tuple[str, ...]) -> ValueMap:
    """Keep the lists of the ConfigMap, which the reading of each Ingress needs."""
    values, patterns = set(), []
    for written in members:
        is_quoted = len(written) > 1 and written[0] == written[-1] and written[0] in "\"'"
        member = written[1:-1] if is_quoted else written
        if member.startswith("~"):
            ignores_case = member.startswith("~*")
            text = member[2:] if ignores_case else member[1:]
            try:
                patterns.append(LinearPattern.of(text.strip(), ignores_case=ignores_case))
            except PatternRefused as error:
                raise ValueRefused(f"a pattern cannot be used: {error}") from None
        else:
            values.add(member.removeprefix("\\").lower().encode("utf-8", "surrogatepass"))
    if len(patterns) > MAX_PATTERNS:
        raise ValueRefused(f"there are {len(patterns)} patterns, of which {MAX_PATTERNS} are taken")
    return ValueMap(frozenset(values), tuple(patterns))
