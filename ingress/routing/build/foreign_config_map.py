"""
ConfigMaps of ingress-nginx that the configuration does not name, so that they have no effect.

Its users keep settings in them, access rules included, and must learn that nothing of it
applies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from ingress.kube.objects import ConfigMap, ObjectKey, ObjectName
from ingress.problem import Problem, shown
from ingress.problem_code import Code

KIND: Final = "ConfigMap"

_STREAMS: Final = {"tcp-services": "TCP", "udp-services": "UDP"}
"""The ConfigMaps in which each key is a port, by name, and the protocol of that port."""

_ACCESS: Final = re.compile(r"global-auth-.*|(?:whitelist|denylist)-source-range|block-.*")
_UNNAMED: Final = "has no effect: `config-map` of the configuration does not name this ConfigMap"
_SNIPPET: Final = re.compile(r".*-snippet")

MAX_KEYS: Final = 200
"""Keys of one ConfigMap that are reported; ingress-nginx has fewer."""


def config_map_problems(
    config_maps: Mapping[ObjectName, ConfigMap], key: ObjectKey
) -> tuple[Problem, ...]:
    """The Problems of a ConfigMap of ingress-nginx; none for any other object."""
    config_map = config_maps.get(key[1:]) if key[0] == KIND else None
    if config_map is None or not config_map.is_of_ingress_nginx:
        return ()
    return tuple(_problems(config_map))


def _problems(config_map: ConfigMap) -> Iterator[Problem]:
    protocol = _STREAMS.get(config_map.metadata.name, "")
    for each in islice(config_map.data, MAX_KEYS):
        yield _problem(config_map, f"data[{shown(each)}]", _consequence(each, protocol))
    more = len(config_map.data) - MAX_KEYS
    if more > 0:
        yield _problem(config_map, "data", f"{more} more keys have no effect")


def _consequence(key: str, protocol: str) -> str:
    if protocol:
        return (
            f"has no effect: `{protocol.lower()}-services` of the configuration does not name this"
            " ConfigMap, so that its ports are not open"
        )
    if _ACCESS.fullmatch(key):
        return f"{_UNNAMED}, and access stays open"
    if _SNIPPET.fullmatch(key):
        return "has no effect: snippets are not interpreted"
    return _UNNAMED


def _problem(config_map: ConfigMap, field: str, message: str) -> Problem:
    namespace, name = config_map.key
    return Problem(
        message,
        KIND,
        namespace,
        name,
        field,
        origin=config_map.origin,
        code=Code.CONFIG_MAP_FOREIGN,
    )
