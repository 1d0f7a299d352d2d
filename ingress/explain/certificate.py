"""
The certificate of a handshake: which one is served and why, and what clients say to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Protocol

from ingress.explain.asked import Asked
from ingress.explain.told import TO_CHANGE, change_of
from ingress.problem import Problem, coded
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.match import find_certificate
from ingress.routing.snapshot import ServerCertificate

OF_TLS: Final = frozenset(
    {
        Code.SECRET_UNUSABLE,
        Code.CERTIFICATE_LOSES,
        Code.TLS_COVERS_NOTHING,
        Code.DEFAULT_CERTIFICATE,
    }
)
"""The codes of Problems about certificates."""

_MOST_OWNERS: Final = 3


def certificate_for(built: Built, asked: Asked) -> tuple[ServerCertificate | None, str]:
    """:return: the certificate, None for the self-signed one, and the reason."""
    if not asked.is_secure:
        return None, ""
    snapshot, name = built.snapshot, asked.server_name
    found = find_certificate(snapshot, name)
    if found is not None and found is not snapshot.default_certificate:
        return found, "a tls entry has this host, and the certificate is for it"
    which = "self-signed one" if found is None else "default one"
    owners = ["/".join(key[1:]) for key in owners_of_tls(built, name)]
    if not owners:
        return found, f"no tls entry has this host, so the {which} is served"
    names = ", ".join(owners[:_MOST_OWNERS])
    return found, f"the tls entry of Ingress {names} has no usable one, so the {which} is served"


def owners_of_tls(built: Built, name: str) -> list[tuple[str, str, str]]:
    """:return: the objects with a tls entry for a host, by kind, namespace and name, sorted."""
    return sorted(
        key
        for key, rules in built.memo.rules.sets.items()
        if any(_is_for(name, host) for entry in rules.tls for host in entry.hosts)
    )


class Told(Protocol):
    """What has been found out about a request."""

    @property
    def asked(self) -> Asked: ...
    @property
    def moment(self) -> datetime: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...


def certificate_hints(built: Built, told: Told) -> Iterator[str]:
    """Yield the reason why clients will not accept the certificate, if they will not."""
    asked = told.asked
    if not asked.is_secure:
        return
    certificate, reason = certificate_for(built, asked)
    refused = "clients will not accept the certificate"
    if certificate is None or not any(_is_for(asked.server_name, n) for n in certificate.names):
        yield f"{refused}: {reason}"
        because = [each for each in told.problems if each.code in OF_TLS]
        for problem in because:
            yield f"because: {coded(problem)}"
            yield from change_of(problem)
        if not because:
            yield f"{TO_CHANGE}a tls entry of an Ingress, with the host {asked.server_name}"
    elif certificate.not_after < told.moment:
        yield f"{refused}: it ended on {certificate.not_after:%Y-%m-%d}"
        yield f"{TO_CHANGE}the certificate in Secret {'/'.join(certificate.identity.secret)}"


def _is_for(name: str, written: str) -> bool:
    return written in (name, f"*.{name.partition('.')[2]}")
