"""
Conversions of the values of the configuration file.

Each function takes a value as YAML has it and returns ours. It raises NotAccepted with a
message that says what is accepted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from ingress.byte_size import BYTE_SIZE, byte_size
from ingress.config import LocalAddress, LocalService
from ingress.config.section import Accept, NotAccepted
from ingress.cores import usable_cores
from ingress.linear_pattern import LinearPattern, PatternRefused
from ingress.listen_address import is_ip_address
from ingress.object_name import LABEL, NAME, SIGNER, parse_object_name

T = TypeVar("T")

MAX_WORKERS = 256
"""Far more than the cores that one proxy can use."""

_SERVICE = re.compile(rf"({LABEL})/({LABEL})(?::([a-z0-9-]{{1,15}}|[0-9]{{1,5}}))?")
_CLASS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
"""Wider than an object name: the old annotation holds any name that the operator chose."""

_HOST_NAME = re.compile(NAME)
_HEALTH_PATH = re.compile(
    r"/(?!readyz$|metrics$)[A-Za-z0-9._~-]{1,60}(?:/[A-Za-z0-9._~-]{1,60}){0,7}"
)
_NUMBERS = re.compile(r"[0-9.]+")
_CONTROLLER = re.compile(rf"(?=.{{1,250}}\Z){LABEL}(?:\.{LABEL})*/[!-~]+")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+|\*")
_ADDRESS = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):([0-9]{1,5})")


def text(pattern: re.Pattern[str], accepted: str) -> Accept[str]:
    """Accept text of a pattern; `accepted` describes it for people."""

    def accept(value: object) -> str:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise NotAccepted(accepted)

    return accept


class_name = text(_CLASS, "the name of an IngressClass")
namespace = text(re.compile(LABEL), "the name of a namespace")
context_name = text(re.compile(r"[^\0\r\n]+"), "the name of a context of the kubeconfig")
installation = text(
    re.compile(r"[A-Za-z0-9._-]{1,64}"), "a name of at most 64 letters, digits, dots, - and _"
)
signer_name = text(SIGNER, "a signer such as example.com/ingress, and none of kubernetes.io")
controller_name = text(_CONTROLLER, "the name of a controller as DOMAIN/PATH: example.com/ingress")


def admin_host(value: object) -> str:
    """A name, an IP address, or ``*.`` and a domain."""
    if isinstance(value, str):
        name = value.lower()
        is_name = _HOST_NAME.fullmatch(name.removeprefix("*."))
        if is_ip_address(name) or (is_name and not _NUMBERS.fullmatch(name)):
            return name
    raise NotAccepted("a host name, an IP address, or *.DOMAIN, without a port")


def health_path(value: object) -> str:
    """A path of the admin listener; null for none, which is an empty one."""
    if value is None:
        return ""
    if isinstance(value, str) and _HEALTH_PATH.fullmatch(value):
        return value
    raise NotAccepted("a path such as /healthz, and none that the admin listener has; or null")


def boolean(value: object) -> bool:
    """``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    raise NotAccepted("true or false")


def integer(least: int, most: int) -> Accept[int]:
    """A whole number within bounds, both included."""

    def accept(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        bounds = f"from {least} to {most}" if least < most else f"which is {least}"
        raise NotAccepted(f"a whole number {bounds}")

    return accept


port_number = integer(1, 65535)


def number(what: str, least: float, most: float) -> Accept[float]:
    """
    A number within bounds, both included.

    :param what: a description of the number for people.
    """

    def accept(value: object) -> float:
        # No NaN passes a comparison.
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and least <= value <= most
        ):
            return float(value)
        raise NotAccepted(f"{what} from {least:g} to {most:g}")

    return accept


def seconds(most: float, least: float = 0.0) -> Accept[float]:
    """A number of seconds within bounds, both included."""
    return number("a number of seconds", least, most)


def seconds_or_no_limit(most: float) -> Accept[float | None]:
    """A number of seconds up to a bound; None for 0, which is no limit."""
    accept_seconds = seconds(most)
    return lambda value: accept_seconds(value) or None


def size(least: int, most: int) -> Accept[int]:
    """A number of bytes within bounds, both included, with or without a unit."""

    def accept(value: object) -> int:
        found = _bytes(value)
        if found is None or not least <= found <= most:
            raise NotAccepted(f"a size such as 64k or 1m, from {least} to {most} bytes")
        return found

    return accept


def size_or_no_limit(value: object) -> int | None:
    """A number of bytes, with or without a unit; None for 0, which is no limit."""
    found = _bytes(value)
    if found is None:
        raise NotAccepted("a size such as 1m, or 0 for no limit")
    return found or None


def _bytes(value: object) -> int | None:
    """The number of bytes; None if the value is not a size."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return byte_size(text) if BYTE_SIZE.fullmatch(text) else None


def count_or_no_limit(most: int) -> Accept[int | None]:
    """A whole number up to a bound; None for 0, which is no limit."""
    accept_count = integer(0, most)
    return lambda value: accept_count(value) or None


def one_of(*choices: T) -> Accept[T]:
    """Accept one of these values."""

    def accept(value: object) -> T:
        for choice in choices:
            if value == choice:
                return choice
        raise NotAccepted(" or ".join(str(choice) for choice in choices))

    return accept


def or_null(accept: Accept[T]) -> Callable[[object], T | None]:
    """Accept what `accept` takes, and null."""

    def accept_null(value: object) -> T | None:
        if value is None:
            return None
        try:
            return accept(value)
        except NotAccepted as error:
            raise NotAccepted(f"{error}; or null") from None

    return accept_null


def object_name(value: object) -> tuple[str, str]:
    """``NAMESPACE/NAME``."""
    name = parse_object_name(value) if isinstance(value, str) else None
    if name is None:
        raise NotAccepted("NAMESPACE/NAME")
    return name


def own_object_name(value: object) -> tuple[str, str]:
    """``NAMESPACE/NAME``, or ``NAME`` with an empty namespace."""
    name = parse_object_name(value, "") if isinstance(value, str) else None
    if name is None:
        raise NotAccepted("NAMESPACE/NAME, or NAME for the proxy's own namespace")
    return name


def status_address(value: object) -> str:
    """An IP address or a host name for ``status.loadBalancer``."""
    if isinstance(value, str):
        if is_ip_address(value) and "%" not in value:
            return value
        if _HOST_NAME.fullmatch(value) and not _NUMBERS.fullmatch(value):
            return value
    raise NotAccepted("an IP address or a host name in lower case")


def workers(value: object) -> int:
    """A number of processes; ``auto`` is one for each usable core."""
    if value == "auto":
        return min(usable_cores(), MAX_WORKERS)
    try:
        return integer(1, MAX_WORKERS)(value)
    except NotAccepted as error:
        raise NotAccepted(f"{error}; or auto for one per core") from None


def network(value: object) -> IPv4Network | IPv6Network:
    """A network in CIDR notation, or a single address."""
    accepted = "an address or a network such as 10.0.0.0/8 or fd00::/8"
    if not isinstance(value, str) or "%" in value:
        raise NotAccepted(accepted)
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        pass
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        raise NotAccepted(accepted) from None
    raise NotAccepted(
        f"bits are set after the prefix: write {interface.network} for the network"
        f" or {interface.ip} for the address alone"
    )


def local_service(value: object) -> LocalService:
    """``NAMESPACE/SERVICE``, or ``NAMESPACE/SERVICE:PORT`` with the port's name or number."""
    match = _SERVICE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise NotAccepted("a Service as NAMESPACE/SERVICE or NAMESPACE/SERVICE:PORT")
    return match[1], match[2], match[3] or ""


def local_address(value: object) -> LocalAddress:
    """``HOST:PORT``, an IPv6 address in brackets."""
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[3]) <= 65535 or not _is_host(match[1], match[2]):
        raise NotAccepted('HOST:PORT, an IPv6 address as "[::1]:3000"; or a list of them')
    return match[1] or match[2], int(match[3])


def _is_host(bracketed: str | None, name: str) -> bool:
    if bracketed is None and not _NUMBERS.fullmatch(name):
        return _HOST.fullmatch(name) is not None
    try:
        ip_address = ipaddress.ip_address(bracketed or name)
    except ValueError:
        return False
    return (ip_address.version == 6) == (bracketed is not None)


def media_type(value: object) -> str:
    """A media type, in lower case, or ``*``."""
    if not isinstance(value, str) or _MEDIA_TYPE.fullmatch(value) is None:
        raise NotAccepted("a media type such as text/css, or * for all")
    return value.lower()


def pattern(value: object) -> LinearPattern:
    """A regular expression, which is matched without regard to case."""
    if not isinstance(value, str):
        raise NotAccepted("a regular expression")
    try:
        return LinearPattern.of(value, ignores_case=True)
    except PatternRefused as error:
        raise NotAccepted(f"a regular expression; {error}") from error
