"""
Secrets that no files have because cert-manager makes them, in the cluster that the files are for.

Source of the rules: cert-manager's ``pkg/controller/certificate-shim/sync.go``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ingress.command.offline import Offline
from ingress.kube.objects import Ingress
from ingress.problem import Problem, quoted
from ingress.problem_code import Code

_ISSUERS: Final = ("cert-manager.io/cluster-issuer", "cert-manager.io/issuer")
_BY_DEFAULT: Final = "kubernetes.io/tls-acme"
"""Asks for a certificate from the issuer that cert-manager has by default."""

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_ENTRY: Final = re.compile(r"spec\.tls\[([0-9]+)\]\.secretName")


def awaited_secret(problem: Problem, offline: Offline) -> str:
    """
    :return: what a finding says of a Secret that cert-manager will make; empty if it makes none,
        and if the objects are what a configuration serves, so that the Secret is missing there.
    """
    if problem.code is not Code.SECRET_UNUSABLE or not offline.is_for_cluster:
        return ""
    found = _ENTRY.fullmatch(problem.field)
    ingress = offline.built.served.get((problem.namespace, problem.name))
    if found is None or ingress is None:
        return ""
    entry = ingress.spec.tls[int(found[1])]
    if (problem.namespace, entry.secret_name) in offline.built.memo.objects.secrets:
        return ""
    by = _asked_by(ingress.metadata.annotations)
    if not by or not entry.hosts or _names(ingress).count(entry.secret_name) > 1:
        return ""
    return (
        f"the Secret is not among the files: cert-manager makes it in the cluster ({by}), and "
        "until then the default certificate is served"
    )


def _asked_by(annotations: Mapping[str, str]) -> str:
    """:return: the annotation that asks cert-manager for certificates; empty if none does."""
    named = [name for name in _ISSUERS if name in annotations]
    if len(named) > 1:
        return ""  # cert-manager refuses both together.
    if named:
        issuer = annotations[named[0]]
        return f"{named[0]}: {quoted(issuer)}" if issuer else ""
    return f"{_BY_DEFAULT}: true" if annotations.get(_BY_DEFAULT) in _TRUE else ""


def _names(ingress: Ingress) -> list[str]:
    """:return: the Secrets of its tls entries. One that two of them name is made for neither."""
    return [entry.secret_name for entry in ingress.spec.tls]
