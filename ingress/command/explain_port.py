"""
``txingress explain tcp://:PORT`` and ``udp://:PORT``: where the bytes that come to a port go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ingress.command.failure import CannotRun

_URL: Final = re.compile(r"(tcp|udp)://[^/]*?:([0-9]{1,5})/?", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:tcp|udp)://", re.IGNORECASE)


def port_of(url: str) -> tuple[str, int] | None:
    """
    :return: the protocol and port of such a URL; None for any other one.
    :raises CannotRun: for one without port.
    """
    if _SCHEME.match(url) is None:
        return None
    match = _URL.fullmatch(url)
    if match is None:
        raise CannotRun(f"{url}: tcp://HOST:PORT or udp://HOST:PORT is accepted")
    return match[1].upper(), int(match[2])


def find_port(
    rows: Iterable[Mapping[str, Any]], protocol: str, port: int
) -> Mapping[str, Any] | None:
    """:return: the row of a port (`ingress.admin.ports`); None if it is not among them."""
    return next((row for row in rows if (row["protocol"], row["port"]) == (protocol, port)), None)


def explained_port(
    row: Mapping[str, Any] | None, protocol: str, port: int, problems: Iterable[str]
) -> Iterator[str]:
    """
    Yield the lines of the explanation.

    :param problems: those that concern the port.
    """
    if row is None:
        yield f"port          {protocol} {port} leads nowhere: nothing listens there for a Service"
    else:
        yield f"port          {protocol} {port} on {row['address']}, by {row['source']}"
        yield f"upstream      {row['upstream']}"
        endpoints = ", ".join(row["endpoints"])
        closed = "dropped" if protocol == "UDP" else "closed at once"
        yield f"endpoints     {endpoints or f'none: what comes is {closed}'}"
        proxy = row["proxyProtocol"]
        if proxy["in"]:
            yield "client        begins with a header of the PROXY protocol"
        if proxy["out"]:
            yield "endpoint      gets a header of the PROXY protocol"
    for problem in problems:
        yield f"problem       {problem}"
