"""
Ingresses that the operator wants to have left out whole: ``catch-all: false`` of the configuration,
and ``strict-validate-path-type`` of the ConfigMap.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.config import Config
from ingress.kube.objects import Ingress
from ingress.problem import shown
from ingress.problem_code import Code
from ingress.routing.build.age import age_of
from ingress.routing.build.rule_set import RuleSet, RuleSource

_KIND: Final = "Ingress"
_NO_RULES: Final = "none of its rules is served"
_PLAIN: Final = re.compile(r"/[A-Za-z0-9._/-]*")
"""A path that ingress-nginx lets Exact and Prefix have."""

_STRICT: Final = ("Exact", "Prefix")


def left_out(ingress: Ingress, config: Config) -> RuleSet | None:
    """
    :return: the rules of an Ingress that is left out: none, but its hosts stay known, so that no
        wildcard serves them; None for an Ingress that is served.
    """
    field, value, message = "spec.defaultBackend", "", ""
    code = Code.CATCH_ALL_REFUSED
    if not config.catch_all and ingress.spec.default_backend is not None:
        message = f"`catch-all` of the configuration serves no Ingress that has one; {_NO_RULES}"
    elif config.nginx.annotations.strict_paths:
        found = _strange_path(ingress)
        if found is None:
            return None
        code = Code.OBJECT_INVALID
        field, value = found
        message = (
            "strict-validate-path-type of the ConfigMap lets Exact and Prefix have paths of "
            f"letters, digits, dots, - and _; {_NO_RULES}"
        )
    if not message:
        return None
    metadata = ingress.metadata
    source = RuleSource(_KIND, metadata.namespace, metadata.name, ingress.origin)
    return RuleSet(
        source,
        age_of(metadata),
        hosts={rule.host.lower(): () for rule in ingress.spec.rules if rule.host},
        problems=(source.problem(code, field, message, shown(value)),),
    )


def _strange_path(ingress: Ingress) -> tuple[str, str] | None:
    """:return: the field and the value of the first path that is not plain."""
    for number, rule in enumerate(ingress.spec.rules):
        for index, path in enumerate(rule.http.paths if rule.http is not None else ()):
            if path.path and path.path_type in _STRICT and not _PLAIN.fullmatch(path.path):
                return f"spec.rules[{number}].http.paths[{index}].path", path.path
    return None
