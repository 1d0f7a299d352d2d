"""
The TCP and UDP services of the configuration and of ConfigMaps, as rule sets.

They have no hosts and no rules of HTTP; a `RuleSet` names their Service ports, so that the
endpoints of these are found, and followed, like all others.

Source of the rules: docs/compatibility.md, section 3, and docs/tcp-udp.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final

from ingress.config import Config
from ingress.kube.objects import ConfigMap, ObjectKey, ObjectName
from ingress.port_service import (
    TCP,
    UDP,
    PortKey,
    PortService,
    PortServiceRefused,
    PortSource,
    make_port_service,
    parse_service_reference,
)
from ingress.problem import Problem, shown
from ingress.problem_code import Code
from ingress.routing.build.age import age_of
from ingress.routing.build.rule_set import RuleSet, RuleSource

KIND: Final = "ConfigMap"

MAX_PORTS: Final = 1000
"""Ports of one ConfigMap: each takes two descriptors in every worker."""

_NO_PROXIES: Final = (
    "trusted-proxies names nobody who may send headers of the PROXY protocol, so that every"
    " connection is closed; ingress-nginx believes everybody"
)
_NOT_SERVED: Final = "this port is not opened"


def changed_ports(
    sets: Mapping[ObjectKey, RuleSet], changed: Collection[ObjectName], config: Config
) -> set[ObjectKey]:
    """
    :param sets: the rules as they are.
    :param changed: the ConfigMaps that changed.
    :return: those to read again for the ports that they list.
    """
    names = config.port_services.config_maps
    keys = {(KIND, *name) for name in names if name in changed}
    return keys.union((KIND, *name) for name in names if (KIND, *name) not in sets)


def port_rules(
    key: ObjectKey, config_maps: Mapping[ObjectName, ConfigMap], config: Config
) -> RuleSet | None:
    """
    Read a ConfigMap that the configuration names for its ports.

    :return: None if there is none, or the configuration does not name it.
    """
    name = key[1:]
    item = config_maps.get(name)
    protocols = _protocols(name, config)
    if item is None or not protocols:
        return None
    ports: dict[PortKey, PortService] = {}
    problems: list[Problem] = []
    for protocol in protocols:
        for entry in _entries(item, protocol, config):
            if isinstance(entry, PortService):
                ports[entry.key] = entry
            else:
                problems.append(entry)
    return RuleSet(
        RuleSource(KIND, *name, item.origin),
        age_of(item.metadata),
        upstreams={each.upstream: each.source.field for each in ports.values()},
        ports=ports,
        problems=tuple(problems),
    )


def with_listed_ports(rules: RuleSet, config: Config) -> RuleSet:
    """:return: the rules of the configuration, with its own ports."""
    ports = {each.key: each for each in config.port_services.listed if _is_read(each, config)}
    named = {each.upstream: each.source.field for each in ports.values()}
    return replace(rules, ports=ports, upstreams={**named, **rules.upstreams})


def listed_problems(config: Config) -> Iterator[Problem]:
    """Yield the Problems of the entries of the configuration that do not depend on objects."""
    for each in config.port_services.listed:
        if not _is_read(each, config):
            yield each.source.problem(Code.PORT_ENTRY, _unread(each))
        elif each.proxy_in and not config.proxy_protocol_peers:
            yield each.source.problem(Code.PROXIES_UNNAMED, _NO_PROXIES)


def _protocols(name: ObjectName, config: Config) -> list[str]:
    ports = config.port_services
    named = ((ports.tcp, TCP), (ports.udp, UDP))
    return [protocol for config_map, protocol in named if config_map == name]


def _entries(item: ConfigMap, protocol: str, config: Config) -> Iterator[PortService | Problem]:
    for key, value in islice(item.data.items(), MAX_PORTS):
        yield from _entry(item, key, value, protocol, config)
    more = len(item.data) - MAX_PORTS
    if more > 0:
        source = PortSource(KIND, *item.key, "data", origin=item.origin)
        yield source.problem(
            Code.PORT_ENTRY,
            f"{more} entries beyond the first {MAX_PORTS} are not served",
        )


def _entry(
    item: ConfigMap, key: str, value: str, protocol: str, config: Config
) -> Iterator[PortService | Problem]:
    source = PortSource(KIND, *item.key, f"data[{shown(key)}]", value, item.origin)
    if not _is_port(key):
        message = f"the key is no port from 1 to 65535; {_NOT_SERVED}"
        yield source.problem(Code.PORT_ENTRY, message)
        return
    try:
        reference = parse_service_reference(value)
    except PortServiceRefused as error:
        yield source.problem(Code.PORT_ENTRY, f"{error}; {_NOT_SERVED}")
        return
    service = make_port_service(PortKey(protocol, int(key)), reference, source)
    if not _is_read(service, config):
        yield source.problem(Code.PORT_ENTRY, _unread(service))
        return
    if reference.remark:
        yield source.problem(Code.PORT_DIFFERS, reference.remark)
    if protocol == UDP and (reference.proxy_in or reference.proxy_out):
        message = "PROXY has no effect for UDP, neither here nor in ingress-nginx"
        yield source.problem(Code.PORT_DIFFERS, message)
    elif reference.proxy_in and not config.proxy_protocol_peers:
        yield source.problem(Code.PROXIES_UNNAMED, _NO_PROXIES)
    yield service


def _is_port(key: str) -> bool:
    """Whether a key is a number of a port in its only spelling, so that none is there twice."""
    return key.isascii() and key.isdecimal() and key[0] != "0" and int(key[:6]) <= 65535


def _is_read(service: PortService, config: Config) -> bool:
    """Whether the objects of the Service's namespace are read."""
    namespaces = config.cluster.namespaces if config.cluster is not None else ()
    return not namespaces or service.upstream.namespace in namespaces


def _unread(service: PortService) -> str:
    return (
        f"namespace {service.upstream.namespace} is not read (source.kubernetes.namespaces);"
        f" {_NOT_SERVED}"
    )
