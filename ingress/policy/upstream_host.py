"""
The Host field that endpoints get in place of the client's: ``upstream-vhost``.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "Variables".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.variables import VariableTable

_NAMES: Final = ("namespace", "service_name", "service_port")
_VARIABLES: Final[VariableTable[None]] = VariableTable({}, {}, _NAMES)
_ANY: Final = rf"\$(?:{'|'.join(_NAMES)}|\{{(?:{'|'.join(_NAMES)})\}})"
_HOST: Final = re.compile(
    rf"(?:[A-Za-z0-9._\-]|{_ANY}(?![a-z_])){{1,255}}"
    rf"(?::(?:[0-9]{{1,5}}|{_ANY}))?"
    r"|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"
)


@dataclass(frozen=True, slots=True)
class UpstreamHost(Policy):
    """Replaces the Host of every request on its way to an endpoint."""

    name: ClassVar[str] = "upstream-host"
    annotations: ClassVar[tuple[str, ...]] = ("upstream-vhost",)
    differences: ClassVar[Mapping[str, str]] = {
        "upstream-vhost": "with the variables `$namespace`, `$service_name` and "
        "`$service_port`, and no others",
    }

    host: str
    """With variables until it is adapted to a rule."""

    edits: FieldEdits = NO_EDITS

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> UpstreamHost | None:
        """Feature."""
        host = annotations.text("upstream-vhost")
        if not host:
            return None
        if _HOST.fullmatch(host) is None:
            annotations.fault(
                "upstream-vhost",
                "a host, with a port or without, and $namespace, $service_name and $service_port "
                "in it are accepted; endpoints get the Host field of the client",
            )
            return None
        return cls(host)

    def at(self, rule: RuleScope) -> UpstreamHost | None:
        """Feature: the values of all variables are known for each rule."""
        if rule.upstream is None:
            return None
        host = _VARIABLES.expand(_VARIABLES.compile(self.host).at(rule), None)
        edits = FieldEdits(replace=((b"Host", host),))
        return replace(self, host=host.decode("ascii"), edits=edits)

    @property
    def request_edits(self) -> FieldEdits:
        """Policy."""
        return self.edits

    def explain(self) -> str:
        """Feature."""
        return f"Endpoints get the Host {self.host}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"upstreamHost": self.host}
