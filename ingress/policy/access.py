"""
Annotations that decide access and are not implemented: they close what their author owns.

Source of the rules: docs/compatibility.md, section 5, "Access that cannot be honoured is refused".
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import ClassVar, Final

from ingress.policy.annotation import Annotations, Extent
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

_ALLOWED_SOURCES: Final = ("whitelist-source-range", "allowlist-source-range")

_MAX_SOURCES: Final = 1000
"""The longest list of source ranges that is looked through."""

_CLIENT_CERTIFICATE_PREFIX: Final = "auth-tls-"
"""Client certificates are requested before any path is known, so the rule covers the host."""

_PREFIXES: Final = ("auth-", "limit-")
_NAMES: Final = frozenset(
    {*_ALLOWED_SOURCES, "denylist-source-range", "satisfy", "enable-global-auth"}
)
_AMOUNTS: Final = frozenset({"limit-rate", "limit-rate-after"})
"""These limit how fast a response is sent, not who gets it."""

_SNIPPET_SUFFIX: Final = "-snippet"
"""Text for nginx, which may well decide access (``deny all;``)."""


class UnsupportedAccess(RouteFeature):
    """
    Finds the annotations that decide access.

    None of them is implemented, so each closes something, and its value does not
    matter: an empty value, or ``off``, is not interpreted either. Only a list of source
    ranges that lets everybody in closes nothing.
    """

    __slots__ = ()

    annotations: ClassVar[tuple[str, ...]] = _ALLOWED_SOURCES

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "unsupported-access"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> None:
        """Feature: it closes, and asks for nothing else."""
        for name in annotations:
            if name in _ALLOWED_SOURCES and _lets_everybody_in(annotations.words(name)):
                continue
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


def _lets_everybody_in(sources: tuple[str, ...]) -> bool:
    """Whether the ranges have all addresses of both families, as cert-manager writes them."""
    if not 0 < len(sources) <= _MAX_SOURCES:
        return False
    try:
        networks = [ip_network(source, strict=False) for source in sources]
    except ValueError:
        return False
    return {network.version for network in networks if not network.prefixlen} == {4, 6}
