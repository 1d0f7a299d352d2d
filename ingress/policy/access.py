"""
Annotations that decide access and are not implemented: they close what their author owns.

Source of the rules: docs/compatibility.md, section 5, "Access that cannot be honoured is refused".
"""

from __future__ import annotations

from typing import Final

from ingress.policy.annotation import Annotations, Extent
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

_CLIENT_CERTIFICATE_PREFIX: Final = "auth-tls-"
"""Client certificates are requested before any path is known, so the rule covers the host."""

_PREFIXES: Final = ("auth-", "limit-")
_NAMES: Final = frozenset({"satisfy", "enable-global-auth"})
_AMOUNTS: Final = frozenset({"limit-rate", "limit-rate-after"})
"""These limit how fast a response is sent, not who gets it."""

_SNIPPET_SUFFIX: Final = "-snippet"
"""Text for nginx, which may well decide access (``deny all;``)."""


class UnsupportedAccess(RouteFeature):
    """
    Finds the annotations that decide access.

    None of them is implemented, so each closes something, and its value does not
    matter: an empty value, or ``off``, is not interpreted either.
    """

    __slots__ = ()

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "unsupported-access"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> None:
        """Feature: it closes, and asks for nothing else."""
        for name in annotations:
            if name.startswith(_CLIENT_CERTIFICATE_PREFIX):
                annotations.close(
                    name, "client certificates are not implemented", extent=Extent.OWNED_HOSTS
                )
            elif _decides_access(name):
                annotations.close(name, "access rules of this kind are not implemented")
            elif not name.endswith(_SNIPPET_SUFFIX):
                continue
            elif context.config.snippets == "ignore":
                annotations.fault(
                    name,
                    "snippets are not interpreted; the configuration says to ignore them",
                    is_shown=False,
                )
            else:
                annotations.close(name, "snippets are not interpreted (see `snippets`)")


def _decides_access(name: str) -> bool:
    return name in _NAMES or (name.startswith(_PREFIXES) and name not in _AMOUNTS)
