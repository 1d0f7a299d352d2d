"""
The TCP and UDP services of all sources together, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Final

from ingress.address import pack_plain_address
from ingress.config import Config, ListenerKind
from ingress.endpoint import Upstream
from ingress.frozen import dataclass
from ingress.kube.objects import ConfigMap, ObjectKey, ObjectName
from ingress.listen_address import AddressRefused, TCPAddress, parse_listen_address
from ingress.own_addresses import OwnAddresses
from ingress.port_service import TCP, UDP, PortKey, PortService
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from ingress.routing.build.endpoint_screen import CONFIGURATION
from ingress.routing.build.port_rules import KIND, listed_problems
from ingress.routing.build.rule_table import Move, RuleTable

_CLOSED: Final = {
    TCP: "connections to this port are closed at once",
    UDP: "datagrams to this port are dropped",
}
"""What follows if a Service cannot answer."""


@dataclass(frozen=True, slots=True)
class PortTable:
    """The ports to open, after a build."""

    services: Mapping[PortKey, PortService] = field(default_factory=dict)
    """The same mapping as before if nothing changed."""

    problems: Mapping[ObjectKey, tuple[Problem, ...]] = field(default_factory=dict)
    """The Problems of entries that have lost their port to another use, by object."""

    has_been_made: bool = False


def update_ports(
    table: PortTable, rules: RuleTable, moves: Iterable[Move], config: Config, own: OwnAddresses
) -> tuple[PortTable, set[ObjectKey]]:
    """
    :param own: has the addresses of the listeners.
    :return: the table, and the objects whose Problems may have changed.
    """
    sources = [CONFIGURATION, *(_key(name) for name in _ordered_config_maps(config))]
    if table.has_been_made and not any(move.key in sources for move in moves):
        return table, set()
    wanted = {source: rules.sets[source].ports for source in sources if source in rules.sets}
    # Addresses of listeners may take long to read, and few configurations have such services.
    reserved = _reserved(config, own) if any(wanted.values()) else {}
    services: dict[PortKey, PortService] = {}
    problems: dict[ObjectKey, list[Problem]] = {}
    for source, ports in wanted.items():
        for key, service in ports.items():
            taken = reserved.get(key) or _taken(services.get(key))
            if taken:
                problem = service.source.problem(Code.PORT_TAKEN, taken)
                problems.setdefault(source, []).append(problem)
            else:
                services[key] = service
    told = {key: tuple(each) for key, each in problems.items()}
    concerned = {
        key for key in (*told, *table.problems) if told.get(key) != table.problems.get(key)
    }
    if services == table.services:
        return PortTable(table.services, told, has_been_made=True), concerned
    return PortTable(services, told, has_been_made=True), concerned


def _key(name: ObjectName) -> ObjectKey:
    return (KIND, *name)


def _ordered_config_maps(config: Config) -> Iterator[ObjectName]:
    ports = config.port_services
    if ports.tcp is not None:
        yield ports.tcp
    if ports.udp is not None and ports.udp != ports.tcp:
        yield ports.udp


def _taken(other: PortService | None) -> str:
    if other is None:
        return ""
    where = f"{other.source.field} of {other.source}"
    return f"{where} has the same port, and goes first; this entry is not served"


def _reserved(config: Config, own: OwnAddresses) -> dict[PortKey, str]:
    """:return: the ports of our own listeners, and what is to be said of each."""
    reserved: dict[PortKey, str] = {}
    for kind, descriptions in config.listen.by_kind.items():
        for description in descriptions:
            port = _tcp_port(description)
            if port:
                reserved[PortKey(TCP, port)] = _is_listener(kind)
    for _, port in own.listeners:
        reserved.setdefault(PortKey(TCP, port), "a listener of this proxy has this port")
    return {key: f"{what}; this entry is not served" for key, what in reserved.items()}


def _is_listener(kind: ListenerKind) -> str:
    return f"listen.{kind} has this port"


def _tcp_port(description: str) -> int:
    try:
        address = parse_listen_address(description, Path("/"))
    except AddressRefused:
        return 0
    return address.port if isinstance(address, TCPAddress) else 0


def with_ports(own: OwnAddresses, services: Mapping[PortKey, PortService]) -> OwnAddresses:
    """:return: our own addresses with those of TCP and UDP services."""
    by_protocol: dict[str, set[int]] = {TCP: set(), UDP: set()}
    for protocol, port in services:
        by_protocol[protocol].add(port)
    if not services and not own.tcp_services and not own.udp_services:
        return own
    return replace(
        own,
        tcp_services=frozenset(by_protocol[TCP]),
        udp_services=frozenset(by_protocol[UDP]),
    )


def fault_of_port(fault: str, key: PortKey) -> str:
    """
    :param fault: of the Service port, for a backend of HTTP.
    :return: the same with what follows for a port.
    """
    return f"{fault.partition('; answered with ')[0]}; {_CLOSED[key.protocol]}"


def names_of(upstream: Upstream) -> str:
    """:return: what is to be said of endpoints of UDP that are names; empty if none is."""
    names = [
        each.host
        for each in upstream.endpoints
        if each.host.lower() != "localhost" and pack_plain_address(each.host) is None
    ]
    if not names or not upstream.key.is_udp:
        return ""
    return f"{', '.join(names[:3])}: endpoints of UDP are IP addresses; names get nothing"


def missing_config_maps(
    config: Config, config_maps: Mapping[ObjectName, ConfigMap]
) -> Iterator[Problem]:
    """Yield the Problems of the configuration itself."""
    origin = Origin(str(config.path)) if config.path is not None else Origin()
    ports = config.port_services
    for name, named in (("tcp-services", ports.tcp), ("udp-services", ports.udp)):
        if named is not None and named not in config_maps:
            yield Problem(
                "does not exist, or this proxy may not read it; none of its ports is open",
                field=name,
                value="/".join(named),
                origin=origin,
                code=Code.CONFIG_MAP_MISSING,
            )
    yield from listed_problems(config)
