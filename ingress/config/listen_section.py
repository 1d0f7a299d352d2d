"""
Reading of the listeners of the configuration file: addresses, or a mapping with more, for each.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ingress.config import Listen, ListenerKind, file_value
from ingress.config import value as accept
from ingress.config.ports_section import read_listed_ports
from ingress.config.section import Section
from ingress.port_service import PortService

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
    address = file_value.listen_address(folder)
    if not kind.is_for_clients or not listen.is_mapping(kind):
        return ReadListener(listen.take_all(kind, address, default))
    with listen.section(kind, _ACCEPTED) as section:
        return ReadListener(
            section.take_all("endpoint", address, default),
            section.take("proxy-protocol", accept.boolean, False),
        )


def read_listen(root: Section, path: Path) -> tuple[Listen, tuple[PortService, ...]]:
    """
    Read ``listen``.

    :param path: of the configuration file.
    :return: the listeners, and the ports of TCP and UDP services.
    """
    default, folder = Listen(), path.parent
    with root.section("listen") as section:
        found = {
            kind: read_listener(section, kind, folder, default.by_kind[kind])
            for kind in ListenerKind
        }
        listen = Listen(
            http=found[ListenerKind.HTTP].addresses,
            https=found[ListenerKind.HTTPS].addresses,
            admin=found[ListenerKind.ADMIN].addresses,
            proxy_protocol=frozenset(
                kind for kind, listener in found.items() if listener.has_proxy_protocol
            ),
        )
        return listen, read_listed_ports(section, path)
