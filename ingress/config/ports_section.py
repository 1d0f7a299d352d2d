"""
Reads the TCP and UDP services of the configuration file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ingress.config import value as accept
from ingress.config.ports import PortServices
from ingress.config.section import NotAccepted, Section
from ingress.listen_address import AddressRefused, TCPAddress, parse_listen_address
from ingress.port_service import (
    ACCEPTED,
    TCP,
    UDP,
    PortKey,
    PortService,
    PortServiceRefused,
    PortSource,
    ServiceReference,
    make_port_service,
    parse_service_reference,
)
from ingress.problem import Origin

_PORT_OR_ADDRESS: Final = "PORT, or ADDRESS:PORT for one address of this machine, from 1 to 65535"


def read_port_services(root: Section, listed: tuple[PortService, ...]) -> PortServices:
    """
    Read ``tcp-services`` and ``udp-services``.

    :param listed: those of ``listen``.
    """
    return PortServices(
        listed,
        root.take("tcp-services", accept.or_null(accept.object_name), None),
        root.take("udp-services", accept.or_null(accept.object_name), None),
    )


def read_listed_ports(listen: Section, file: Path) -> tuple[PortService, ...]:
    """
    Read ``listen.tcp`` and ``listen.udp``.

    :param file: the configuration file.
    """
    found: dict[PortKey, PortService] = {}
    for name, protocol in (("tcp", TCP), ("udp", UDP)):
        if listen.is_null(name):
            continue
        with listen.section(name) as section:
            for written in section.all_keys():
                address = _address(written)
                if address is None:
                    section.refuse(written, _PORT_OR_ADDRESS)
                    continue
                key = PortKey(protocol, address.port)
                if key in found:
                    section.refuse(written, f"{key} is listed twice")
                reference = section.take(written, _reference, None)
                if reference is not None:
                    source = PortSource(field=f"listen.{name}[{written}]", origin=Origin(str(file)))
                    found[key] = make_port_service(key, reference, source, address.interface)
    return tuple(found.values())


def _address(written: str) -> TCPAddress | None:
    try:
        address = parse_listen_address(written, Path("/"))
    except AddressRefused:
        return None
    return address if isinstance(address, TCPAddress) and address.port else None


def _reference(value: object) -> ServiceReference:
    try:
        reference = parse_service_reference(value if isinstance(value, str) else "")
    except PortServiceRefused as error:
        raise NotAccepted(str(error)) from None
    if reference.remark:
        raise NotAccepted(ACCEPTED)
    return reference
