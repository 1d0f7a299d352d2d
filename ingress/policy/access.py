"""
Annotations that decide access and are not implemented: they close what their author owns.

Source of the rules: docs/compatibility.md, section 5, "Access that cannot be honoured is refused".
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from ingress.policy.annotation import Annotations, Extent
from ingress.policy.scope import ReadContext

_CLIENT_CERTIFICATE_PREFIX: Final = "auth-tls-"
"""Client certificates are requested before any path is known, so the rule covers the host."""

_PREFIXES: Final = ("auth-", "limit-")
_NAMES: Final = frozenset({"satisfy", "enable-global-auth"})
_AMOUNTS: Final = frozenset({"limit-rate", "limit-rate-after"})
"""These limit how fast a response is sent, not who gets it."""

_SNIPPET_SUFFIX: Final = "-snippet"
"""Text for nginx, which may well decide access (``deny all;``)."""


def close_unsupported(
    annotations: Annotations, known: Container[str], context: ReadContext
) -> None:
    """
    Close what annotations decide access to that no feature reads. Their values do not matter: an
    empty value, or ``off``, is not interpreted either.

    :param known: the names that some feature reads.
    """
    for name in annotations:
        extent = None if name in known else closing_of(name)
        if extent is None:
            continue
        if extent is Extent.OWNED_HOSTS:
            annotations.close(name, "client certificates are not implemented", extent=extent)
        elif _decides_access(name):
            annotations.close(name, "access rules of this kind are not implemented")
        elif context.config.snippets == "ignore":
            annotations.fault(
                name,
                "snippets are not interpreted; the configuration says to ignore them",
                is_shown=False,
            )
        else:
            annotations.close(name, "snippets of this kind are not interpreted")


def closing_of(name: str) -> Extent | None:
    """
    :param name: of an annotation, without the prefix.
    :return: what it closes if it is not implemented; None if it closes nothing.
    """
    if name.startswith(_CLIENT_CERTIFICATE_PREFIX):
        return Extent.OWNED_HOSTS
    is_closing = _decides_access(name) or name.endswith(_SNIPPET_SUFFIX)
    return Extent.RULES if is_closing else None


def _decides_access(name: str) -> bool:
    return name in _NAMES or (name.startswith(_PREFIXES) and name not in _AMOUNTS)
