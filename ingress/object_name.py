"""
The names of objects as annotations and the configuration write them: ``NAMESPACE/NAME``.
"""

from __future__ import annotations

import re
from typing import Final

LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""The pattern of a namespace: a DNS label (RFC 1123), as the API server checks it."""

NAME: Final = rf"(?=.{{1,253}}\Z){LABEL}(?:\.{LABEL})*"
"""The pattern of an object's name: a DNS subdomain (RFC 1123)."""

SIGNER: Final = re.compile(
    rf"(?!(?:[^/]*\.)?kubernetes\.io/){LABEL}(?:\.{LABEL})+/[A-Za-z0-9](?:[A-Za-z0-9._-]{{0,251}}[A-Za-z0-9])?"
)
"""
The name of a signer of CertificateSigningRequests. Those of Kubernetes itself sign no certificates
of servers for clients from outside.
"""

_REFERENCE: Final = re.compile(rf"(?:({LABEL})/)?({NAME})")


def parse_object_name(written: str, namespace: str | None = None) -> tuple[str, str] | None:
    """
    :param written: ``NAMESPACE/NAME``, or ``NAME`` where there is a default.
    :param namespace: that of a name without one; None if it must be written.
    :return: namespace and name; None for anything else.
    """
    match = _REFERENCE.fullmatch(written)
    if match is None or (match[1] is None and namespace is None):
        return None
    return match[1] or namespace or "", match[2]
