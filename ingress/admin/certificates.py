"""
The certificates by host, one row each, the first that ends first: for ``/certificates``, and for
``txingress certificates``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from ingress.admin.page import Query
from ingress.admin.paging import Window, filtered, page_steps
from ingress.admin.snapshot_json import moment_text
from ingress.routing.snapshot import ServerCertificate, Snapshot
from ingress.steps import Steps

DEFAULT: Final = "(default)"
"""The name of the certificate for hosts that no other is for."""

Item = tuple[str, ServerCertificate]
"""A certificate with the host that it is served for."""


def all_certificates(snapshot: Snapshot) -> list[Item]:
    """:return: the first that ends first."""
    found = list(snapshot.certificates.items())
    if snapshot.default_certificate is not None:
        found.append((DEFAULT, snapshot.default_certificate))
    found.sort(key=lambda item: (item[1].not_after, item[0]))
    return found


def certificate_row(item: Item, now: datetime) -> dict[str, Any]:
    """:return: the row of a certificate, as plain values."""
    host, certificate = item
    identity = certificate.identity
    return {
        "host": host,
        "notAfter": moment_text(certificate.not_after),
        "daysLeft": (certificate.not_after - now).days,
        "notBefore": moment_text(certificate.not_before),
        "secret": "/".join(identity.secret),
        "names": list(certificate.names),
        "issuer": identity.issuer,
        "serialNumber": identity.serial_number,
        "keyAlgorithm": identity.key_algorithm,
        "fingerprint": identity.fingerprint,
    }


def certificate_steps(snapshot: Snapshot, now: datetime, query: Query) -> Steps[dict[str, Any]]:
    """
    Make the page of certificates that a query asks for.

    :param query: with `paging.PAGING`.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)

    def fits(item: Item) -> bool:
        host, certificate = item
        secret = "/".join(certificate.identity.secret)
        return window.contains(host, secret, certificate.identity.issuer, *certificate.names)

    items = filtered(all_certificates(snapshot), fits)
    return page_steps("certificates", window, items, lambda item: certificate_row(item, now))
