"""
The ConfigMap of ingress-nginx that the configuration names, from one build to the next.

Source of the rules: docs/compatibility.md, section 6, "ConfigMap".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from ingress.config import Config
from ingress.config_map.reading import KeyFault, ReadData, Values, read_data
from ingress.config_map.settings import apply
from ingress.config_map.trust import proxies_without_name, trusts_everybody
from ingress.frozen import dataclass
from ingress.kube.objects import ConfigMap, ObjectKey, ObjectName
from ingress.problem import Origin, Problem, shown
from ingress.problem_code import Code
from ingress.routing.build.configured_fields import (
    FieldSource,
    faults_of,
    find_sources,
    with_fields,
)
from ingress.routing.build.configured_snippets import with_snippets

KIND = "ConfigMap"

_EVERYBODY = (
    "every peer is believed, so that any client can claim another address; "
    "proxy-real-ip-cidr should list the proxies in front"
)

_NO_PROXIES = (
    "no proxies are named, and every connection over http and https is closed; name those in front "
    "in proxy-real-ip-cidr or in trusted-proxies of the configuration (ingress-nginx believes "
    "everybody)"
)


@dataclass(frozen=True, slots=True)
class ConfigMapState:
    """The ConfigMap after a build."""

    configured: Config = Config()
    """The configuration of the file."""

    effective: Config = Config()
    """The same with the values of the ConfigMap; the same object as before if it is equal."""

    item: ConfigMap | None = None
    """None if there is none, or it is gone."""

    read: ReadData = field(default_factory=ReadData)
    """The values that apply, those of before included."""

    sources: Mapping[str, FieldSource] = field(default_factory=dict)
    """The ConfigMaps that it names, by its keys."""

    has_been_read: bool = False
    """Whether the ConfigMap has existed, and anything of it could be read."""

    problems: tuple[Problem, ...] = ()
    """Those of the ConfigMap itself."""

    @property
    def key(self) -> ObjectKey | None:
        """What identifies the ConfigMap among all objects; None if none is configured."""
        name = self.configured.config_map
        return (KIND, *name) if name is not None else None

    @property
    def missing(self) -> Problem | None:
        """The Problem of the configuration if there is no such ConfigMap."""
        name = self.configured.config_map
        if name is None or self.item is not None:
            return None
        follows = "its last values still apply" if self.has_been_read else "the defaults apply"
        path = self.configured.path
        return Problem(
            f"does not exist, or this proxy may not read it; {follows}",
            field="config-map",
            value="/".join(name),
            origin=Origin(str(path)) if path is not None else Origin(),
            code=Code.CONFIG_MAP_MISSING,
        )


def update_config_map(
    state: ConfigMapState | None, config_maps: Mapping[ObjectName, ConfigMap], config: Config
) -> ConfigMapState:
    """
    :param state: that of the build before, for any configuration.
    :param config: the configuration of the file.
    """
    name = config.config_map
    if name is None:
        return ConfigMapState(config, config)
    item = config_maps.get(name)
    is_same = state is not None and state.configured.config_map == name
    before = state if state is not None and is_same else ConfigMapState(config, config)
    read, has_been_read = before.read, before.has_been_read
    if item is not None and item is not before.item:
        last = before.read.values
        read = with_snippets(_read(item, last), last, item.data)
        has_been_read = has_been_read or "" not in (item.unreadable or ())
    elif item is None and not has_been_read:
        read = ReadData()
    sources = find_sources(read.values, config_maps, before.sources)
    is_same = is_same and before.item is item and before.configured == config
    if is_same and all(sources[key] is before.sources.get(key) for key in sources):
        return before
    effective = apply(config, replace(read, values=with_fields(read.values, sources)))
    if effective == before.effective:
        effective = before.effective
    problems: tuple[Problem, ...] = ()
    if item is not None:
        faults = [*read.faults, *faults_of(sources)]
        problems = tuple(_problems(item, read, faults, config))
    return ConfigMapState(config, effective, item, read, sources, has_been_read, problems)


def _read(item: ConfigMap, last: Values) -> ReadData:
    return read_data(item.data, last, item.unreadable or ())


def _problems(
    item: ConfigMap, read: ReadData, faults: list[KeyFault], config: Config
) -> list[Problem]:
    trusting = trusts_everybody(config, read.values)
    if trusting:
        faults.append(KeyFault(trusting, "", _EVERYBODY))
    if proxies_without_name(config, read.values):
        faults.append(KeyFault("use-proxy-protocol", "true", _NO_PROXIES))
    namespace, name = item.key
    return [
        Problem(
            fault.message,
            KIND,
            namespace,
            name,
            f"data[{shown(fault.key)}]" if fault.key else "data",
            shown(fault.value),
            item.origin,
            Code.CONFIG_MAP_KEY,
        )
        for fault in faults
    ]
