"""
Parses ``/etc/resolv.conf`` and ``/etc/hosts`` (resolv.conf(5), hosts(5)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ingress.address import pack_address

MAX_NAMESERVERS: Final = 3
MAX_SEARCH: Final = 32
MAX_NDOTS: Final = 15
MAX_TIMEOUT: Final = 30
MAX_ATTEMPTS: Final = 5
"""The limits of glibc."""

MAX_NAME: Final = 253
MAX_LABEL: Final = 63
"""Characters (RFC 1035 section 2.3.4)."""


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """The content of ``/etc/resolv.conf``."""

    nameservers: tuple[str, ...] = ()
    """IP addresses."""

    search: tuple[str, ...] = ()
    """The domains that are appended to incomplete names."""

    ndots: int = 1
    """The number of dots from which a name is first tried as it is."""

    timeout: int = 5
    """Seconds for each name server."""

    attempts: int = 2
    """Rounds over all name servers."""

    def candidates(self, name: str) -> list[str]:
        """
        The complete names to try, in order.

        :param name: a dot at its end marks a complete name.
        :return: names without that dot; impossible names are left out.
        """
        if name.endswith("."):
            found = [name[:-1]]
        else:
            searched = [f"{name}.{domain}" for domain in self.search]
            is_first = name.count(".") >= self.ndots
            found = [name, *searched] if is_first else [*searched, name]
        return [each for each in found if _is_name(each)]


def parse_resolv_conf(text: str) -> ResolvConf:
    """Parse the file; as in glibc, unknown lines are ignored."""
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith(("#", ";")):
            continue
        match line.split():
            case ["nameserver", address, *_] if pack_address(address.partition("%")[0]):
                nameservers.append(address)
            case ["search", *domains]:
                search = tuple(_trimmed(domain) for domain in domains[:MAX_SEARCH])
            case ["domain", domain, *_]:
                search = (_trimmed(domain),)
            case ["options", *words]:
                options.update(_parse_options(words))
    return ResolvConf(
        tuple(nameservers[:MAX_NAMESERVERS]),
        tuple(domain for domain in search if domain),
        min(options.get("ndots", 1), MAX_NDOTS),
        max(1, min(options.get("timeout", 5), MAX_TIMEOUT)),
        max(1, min(options.get("attempts", 2), MAX_ATTEMPTS)),
    )


def _trimmed(domain: str) -> str:
    return domain.lower().strip(".")


def _parse_options(words: list[str]) -> dict[str, int]:
    found = {}
    for word in words:
        key, _, value = word.partition(":")
        if value.isdecimal():
            found[key] = int(value)
    return found


def _is_name(name: str) -> bool:
    labels = name.split(".")
    return len(name) <= MAX_NAME and all(0 < len(label) <= MAX_LABEL for label in labels)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The content of ``/etc/hosts``."""

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name in lower case, without a dot at its end."""


def parse_hosts(text: str) -> Hosts:
    """Parse the file; malformed lines are ignored."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words or pack_address(words[0]) is None:
            continue
        for name in words[1:]:
            addresses = found.setdefault(name.lower().removesuffix("."), [])
            if words[0] not in addresses:
                addresses.append(words[0])
    return Hosts({name: tuple(addresses) for name, addresses in found.items()})
