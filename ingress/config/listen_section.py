"""
Reading of one listener of the configuration file: its addresses, or a mapping with more.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ingress.config import ListenerKind
from ingress.config import value as accept
from ingress.config.section import Section

_ACCEPTED = "an address, a list of addresses, or endpoint and proxy-protocol"


class ReadListener(NamedTuple):
    """One key of ``listen``."""

    addresses: tuple[str, ...]
    """As `Listen` has them."""

    has_proxy_protocol: bool = False
    """Whether connections begin with a header of the PROXY protocol."""


def read_listener(
    listen: Section, kind: ListenerKind, folder: Path, default: tuple[str, ...]
) -> ReadListener:
    """
    :param listen: the section ``listen``.
    :param folder: the base of relative paths.
    :param default: the addresses where none are given.
    """
    if listen.is_null(kind):
        return ReadListener(())
    address = accept.listen_address(folder)
    if not kind.is_for_clients or not listen.is_mapping(kind):
        return ReadListener(listen.take_all(kind, address, default))
    with listen.section(kind, _ACCEPTED) as section:
        return ReadListener(
            section.take_all("endpoint", address, default),
            section.take("proxy-protocol", accept.boolean, False),
        )
