"""
Sets of IP addresses, in which an address is found by bisection.
"""

from __future__ import annotations

import socket
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

_BITS = {4: 32, 6: 128}
_MAPPED = 0xFFFF << 32
"""The beginning of IPv6 addresses that stand for IPv4 ones (RFC 4291 section 2.5.5.2)."""


class Range(NamedTuple):
    """Consecutive addresses as numbers, the first and the last one included."""

    version: int
    first: int
    last: int


Numbers = tuple[tuple[int, ...], tuple[int, ...]]
"""Addresses as numbers in ascending order, IPv4 and IPv6."""


class AddressRanges:
    """
    IPv4 and IPv6 addresses: disjoint ranges in ascending order, by family. It is a value, and never
    changed.

    An IPv4 address that is mapped into IPv6 is the IPv4 address.

    :param firsts: the first addresses of the ranges.
    :param lasts: the last ones, in the same order.
    """

    __slots__ = ("firsts", "lasts")

    def __init__(self, firsts: Numbers = ((), ()), lasts: Numbers = ((), ())) -> None:
        self.firsts = firsts
        self.lasts = lasts

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> AddressRanges:
        """:param ranges: in any order; they may overlap."""
        v4: list[tuple[int, int]] = []
        v6: list[tuple[int, int]] = []
        for one in ranges:
            (v4 if one.version == 4 else v6).append((one.first, one.last))
        merged = _merged(v4), _merged(v6)
        return cls(
            (tuple(first for first, _ in merged[0]), tuple(first for first, _ in merged[1])),
            (tuple(last for _, last in merged[0]), tuple(last for _, last in merged[1])),
        )

    def __bool__(self) -> bool:
        """Whether there is any address."""
        return any(self.firsts)

    def __repr__(self) -> str:
        return f"AddressRanges({self.firsts}, {self.lasts})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressRanges) and (
            self.firsts == other.firsts and self.lasts == other.lasts
        )

    def __hash__(self) -> int:
        return hash((self.firsts, self.lasts))

    def __reduce__(self) -> tuple[Any, ...]:
        return AddressRanges, (self.firsts, self.lasts)

    def has(self, address: bytes) -> bool:
        """
        :param address: in text form, as `Client` has it; empty for a UNIX socket, which is in
            no set.
        """
        found = _number(address)
        if found is None:
            return False
        family, number = found
        firsts = self.firsts[0] if family == 0 else self.firsts[1]
        index = bisect_right(firsts, number) - 1
        if index < 0:
            return False
        lasts = self.lasts[0] if family == 0 else self.lasts[1]
        return number <= lasts[index]

    @property
    def count(self) -> int:
        """The number of disjoint ranges."""
        return sum(map(len, self.firsts))

    @property
    def has_all(self) -> bool:
        """Whether every address of both families is in it."""
        return self.firsts == ((0,), (0,)) and self.lasts == (((1 << 32) - 1,), ((1 << 128) - 1,))


def parse_range(text: str) -> Range:
    """
    :param text: an address, or a CIDR range; bits behind the prefix are ignored, as by Go's
        ``net.ParseCIDR``.
    :raises ValueError: for anything else.
    """
    written, slash, length = text.partition("/")
    version = 6 if ":" in written else 4
    try:
        octets = socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, written)
    except (OSError, ValueError):
        raise ValueError(f"{text!r} is neither an IP address nor a CIDR range") from None
    bits = _BITS[version]
    if slash and not (length.isascii() and length.isdigit() and len(length) <= 3):
        raise ValueError(f"{text!r} has a prefix that is no number")
    prefix = int(length) if slash else bits
    if prefix > bits:
        raise ValueError(f"{text!r} has a prefix of more than {bits} bits")
    rest = (1 << (bits - prefix)) - 1
    first = int.from_bytes(octets, "big") & ~rest
    if version == 6 and prefix >= 96 and first >> 32 == _MAPPED >> 32:
        return Range(4, first - _MAPPED, first - _MAPPED + rest)
    return Range(version, first, first | rest)


@lru_cache(maxsize=4096)
def _number(address: bytes) -> tuple[int, int] | None:
    """:return: the family, 0 for IPv4 and 1 for IPv6, and the address as a number."""
    if not address:
        return None
    found = parse_range(address.decode("ascii"))
    return (0 if found.version == 4 else 1), found.first


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
