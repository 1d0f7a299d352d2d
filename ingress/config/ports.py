"""
The TCP and UDP services of the configuration.
"""

from __future__ import annotations

from ingress.frozen import dataclass
from ingress.port_service import PortService

ConfigMapName = tuple[str, str]
"""``(namespace, name)``."""


@dataclass(frozen=True, slots=True)
class PortServices:
    """The ports whose bytes go to a Service without being understood."""

    listed: tuple[PortService, ...] = ()
    """Those of ``listen.tcp`` and ``listen.udp``."""

    tcp: ConfigMapName | None = None
    """The ConfigMap with ports of TCP, as ingress-nginx has it; None without one."""

    udp: ConfigMapName | None = None
    """The same for UDP."""

    @property
    def config_maps(self) -> frozenset[ConfigMapName]:
        """Both ConfigMaps, as far as there are any."""
        return frozenset(name for name in (self.tcp, self.udp) if name is not None)
