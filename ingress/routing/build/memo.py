"""
The state that a build hands to the next one.
"""

from __future__ import annotations

from ingress.frozen import dataclass
from ingress.kube.objects import Objects
from ingress.routing.build.certificate_table import CertificateTable
from ingress.routing.build.check_table import CheckTable
from ingress.routing.build.config_map import ConfigMapState
from ingress.routing.build.config_map_table import ConfigMapTable
from ingress.routing.build.foreign_table import ForeignTable
from ingress.routing.build.host_table import HostTable
from ingress.routing.build.ingress_table import IngressTable
from ingress.routing.build.named_secret_table import NamedSecretTable
from ingress.routing.build.port_table import PortTable
from ingress.routing.build.rule_table import RuleTable
from ingress.routing.build.secret_table import SecretTable
from ingress.routing.build.upstream_table import UpstreamTable
from ingress.routing.route import Route


@dataclass(frozen=True, slots=True)
class Memo:
    """The state that a build hands to the next one."""

    objects: Objects = Objects()
    rules: RuleTable = RuleTable()
    ingresses: IngressTable = IngressTable()
    foreign: ForeignTable = ForeignTable()
    secrets: SecretTable = SecretTable()
    named_secrets: NamedSecretTable = NamedSecretTable()
    upstreams: UpstreamTable = UpstreamTable()
    hosts: HostTable = HostTable()
    certificates: CertificateTable = CertificateTable()
    config_maps: ConfigMapTable = ConfigMapTable()
    config_map: ConfigMapState = ConfigMapState()
    default_route: Route | None = None
    checks: CheckTable = CheckTable()
    ports: PortTable = PortTable()
