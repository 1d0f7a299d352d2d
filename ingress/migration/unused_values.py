"""
Values of ingress-nginx's chart that do nothing here, with what follows: the sentences of the report
of a move, of the notes of our chart (etc/chart/unused.yaml) and of its page (docs/helm.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ingress.migration.flag_table import FLAGS
from ingress.migration.verdict import plain


class Unused(NamedTuple):
    """What follows from a value."""

    follows: str
    """The rest of a sentence; empty if nothing does outside of our chart."""

    advice: str = ""
    """For whoever gives it to our chart."""

    harmless: bool | None = None
    """The one value of which nothing follows; None if each one is told that is not empty."""

    @property
    def reason(self) -> str:
        """The sentence for whoever gives it to our chart."""
        return "; ".join(filter(None, (self.follows, self.advice)))


def _as_flag(name: str, harmless: bool | None = None) -> Unused:
    return Unused(plain(FLAGS[name].effect), harmless=harmless)


UNUSED: Final[Mapping[str, Unused]] = {
    "controller.admissionWebhooks.enabled": Unused(
        "there is no admission webhook: a wrong Ingress is accepted, and reported as an Event and "
        "by txingress check"
    ),
    "controller.customTemplate.configMapName": Unused(
        "there is no template of nginx's configuration; what was changed in it no longer holds"
    ),
    "controller.disableLeaderElection": _as_flag("disable-leader-election"),
    "controller.electionTTL": Unused("the times of the Lease are fixed"),
    "controller.enableAnnotationValidations": _as_flag("enable-annotation-validation", True),
    "controller.enableMimalloc": Unused("there is no such allocator"),
    "controller.enableTopologyAwareRouting": _as_flag("enable-topology-aware-routing"),
    "controller.extraModules": Unused("modules of nginx are not loaded"),
    "controller.healthCheckHost": Unused(
        "the probes reach the pod",
        "the admin listener is on every address; controller.configuration.listen.admin changes it",
    ),
    "controller.image.chroot": Unused("the image is that of this proxy"),
    "controller.image.digestChroot": Unused("the image is that of this proxy"),
    "controller.keda.enabled": Unused(
        "no ScaledObject is written",
        "use controller.autoscaling, or a ScaledObject of your own with replicaCount",
    ),
    "controller.maxmindLicenseKey": Unused("there is no GeoIP here"),
    "controller.opentelemetry.enabled": Unused(
        "spans need no module",
        "set otlp in controller.configuration, or otlp-collector-host in controller.config",
    ),
    "defaultBackend.autoscaling.enabled": Unused("", "set defaultBackend.replicaCount"),
    "defaultBackend.extraConfigMaps": Unused("", "create them beside this chart"),
    "defaultBackend.networkPolicy.enabled": Unused("", "create it beside this chart"),
    "defaultBackend.serviceAccount.name": Unused("", "its pods get no token, and need no account"),
    "dhParam": Unused("no cipher with DHE is offered"),
}
"""By path."""
