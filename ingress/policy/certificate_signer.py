"""
Certificates by CertificateSigningRequest: ``txingress.dev/certificate-signer``.

The annotation changes no route. `ingress.signing.keeper` acts on it, in the replica that leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

CERTIFICATE_SIGNER: Final = f"{OWN_PREFIX}certificate-signer"


class CertificateSigner(RouteFeature):
    """Reports a signer that is not asked; what it signs is a matter of its own."""

    annotations: ClassVar[tuple[str, ...]] = (CERTIFICATE_SIGNER,)
    differences: ClassVar[Mapping[str, str]] = {
        CERTIFICATE_SIGNER: "one of `certificate-signers` of the configuration, who signs the "
        "certificates of `spec.tls` whose Secret does not exist "
        "([the page on clusters](docs/cluster.md#the-same-for-ingresses))",
    }

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "certificate-signer"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> None:
        """Feature: only reports faults."""
        signer = annotations.text(CERTIFICATE_SIGNER)
        if not signer:
            return
        if context.config.cluster is None:
            annotations.fault(
                CERTIFICATE_SIGNER,
                "no certificate is asked for: that is done in a cluster alone "
                "(source.kubernetes; txingress certificate asks for one with a folder)",
            )
        elif signer not in context.config.certificate_signers:
            named = ", ".join(context.config.certificate_signers) or "nobody"
            annotations.fault(
                CERTIFICATE_SIGNER,
                "no certificate is asked for: certificate-signers of the configuration names "
                f"{named}",
            )
