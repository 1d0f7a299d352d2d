"""
The objects that the configuration references, in contrast to those that Ingresses name.
"""

from __future__ import annotations

from collections.abc import Callable

from ingress.config import Config
from ingress.config_map.references import referenced_config_maps
from ingress.kube.cluster.store_batch import Sink
from ingress.kube.objects import ConfigMap, KubeObject, ObjectKey, ObjectName


class ConfiguredObjects:
    """
    The Secret of ``tls.default``, the ConfigMap of ``config-map`` and those that this one names,
    and those of ``tcp-services`` and ``udp-services``. A `Sink` for ConfigMaps, in front of another
    one, so that it learns of these names.

    :param changed: called when `keys` has changed because the ConfigMap did.
    """

    def __init__(self, config: Config, sink: Sink, changed: Callable[[], None]) -> None:
        self._config = config
        self._sink = sink
        self._changed = changed
        self._named: frozenset[ObjectName] = frozenset()

    def __repr__(self) -> str:
        return f"<ConfiguredObjects {sorted(self.keys)}>"

    @property
    def keys(self) -> frozenset[ObjectKey]:
        """All of them."""
        default, config_map = self._config.tls.default, self._config.config_map
        ports = self._config.port_services.config_maps
        keys: set[ObjectKey] = {("ConfigMap", *name) for name in self._named | ports}
        if default is not None:
            keys.add(("Secret", *default))
        if config_map is not None:
            keys.add(("ConfigMap", *config_map))
        return frozenset(keys)

    def configure(self, config: Config) -> None:
        """Take another configuration."""
        if config.config_map != self._config.config_map:
            self._named = frozenset()
        self._config = config

    def put(self, item: KubeObject) -> None:
        """A ConfigMap was added or changed (`Sink`)."""
        self._sink.put(item)
        if isinstance(item, ConfigMap) and item.key == self._config.config_map:
            named = referenced_config_maps(item.data)
            if named != self._named:
                self._named = named
                self._changed()

    def delete(self, key: ObjectKey) -> None:
        """A ConfigMap is gone (`Sink`). What it named is kept, as its last values are."""
        self._sink.delete(key)
