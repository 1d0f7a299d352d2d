"""
Error pages of another Service: ``custom-http-errors``, ``default-backend`` and
``disable-proxy-intercept-errors``.

Source of the rules: docs/compatibility.md, sections 2.6 and 6, "custom-http-errors".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.message import Response
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope

_SERVICE: Final = re.compile(r"[a-z](?:[a-z0-9\-]{0,61}[a-z0-9])?")
_STATUS: Final = re.compile(r"[45][0-9]{2}")
_AUTHENTICATE: Final = b"www-authenticate"
_FIRST_PORT: Final = ""

_NOT_REPLACED: Final = "errors reach the client as the endpoint or the proxy sends them"


@dataclass(frozen=True, slots=True)
class CustomErrors(Policy):
    """Asks another Service in the place of an error, and if the rule's own has no endpoint."""

    name: ClassVar[str] = "custom-errors"
    annotations: ClassVar[tuple[str, ...]] = (
        "custom-http-errors",
        "default-backend",
        "disable-proxy-intercept-errors",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "custom-http-errors": "together with `default-backend`",
        "default-backend": "a Service of the namespace; it is asked without the request's "
        "body, and over http whatever `backend-protocol` says",
    }

    backend: UpstreamKey
    statuses: frozenset[int] = frozenset()
    intercepts: bool = True
    """Whether errors of endpoints are replaced, too, and not only the proxy's own."""

    rule_fields: tuple[tuple[bytes, bytes], ...] = ()
    """What the Service learns of the rule."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> CustomErrors | None:
        """Feature."""
        service = annotations.text("default-backend", _SERVICE, "the name of a Service")
        words = annotations.words("custom-http-errors")
        statuses = frozenset(int(word) for word in words if _STATUS.fullmatch(word))
        is_disabled = annotations.boolean("disable-proxy-intercept-errors", False)
        if len(words) > sum(_STATUS.fullmatch(word) is not None for word in words):
            annotations.fault(
                "custom-http-errors",
                "a list of 400 to 599 with commas between them is accepted; other members are "
                "ignored",
            )
        if not service:
            if statuses:
                annotations.fault(
                    "custom-http-errors", f"has no effect without default-backend; {_NOT_REPLACED}"
                )
            return None
        backend = UpstreamKey(context.namespace, service, _FIRST_PORT)
        return cls(backend, statuses, not is_disabled)

    @property
    def upstreams(self) -> Iterable[tuple[str, UpstreamKey]]:
        """Feature."""
        return (("default-backend", self.backend),)

    def at(self, rule: RuleScope) -> CustomErrors:
        """Feature: the Service learns which rule was met."""
        upstream = rule.upstream
        service, port = (upstream.service, upstream.port) if upstream is not None else ("", "")
        fields = {
            "X-Namespace": rule.namespace,
            "X-Ingress-Name": rule.ingress,
            "X-Service-Name": service,
            "X-Service-Port": port,
        }
        encoded = tuple((name.encode(), value.encode()) for name, value in fields.items())
        return replace(self, rule_fields=encoded)

    def response(self, context: PolicyContext, response: Response) -> Decision:
        """Policy."""
        if not self.intercepts or response.status not in self.statuses:
            return None
        challenges = [value for key, _, value in response.fields if key == _AUTHENTICATE]
        return self._page(context, response.status, challenges)

    def error(self, context: PolicyContext, answer: Answer) -> Decision:
        """Policy: a rule without endpoints has those of the other Service, at the same path."""
        if answer.outcome is Outcome.NO_ENDPOINT:
            return Proceed(self._request_edits(context, answer.status), upstream=self.backend)
        if answer.status not in self.statuses:
            return None
        challenges = [value for name, value in answer.fields if name.lower() == _AUTHENTICATE]
        return self._page(context, answer.status, challenges)

    def _page(self, context: PolicyContext, status: int, challenges: list[bytes]) -> Proceed:
        _, mark, query = context.request.target.partition(b"?")
        fields = tuple((b"WWW-Authenticate", value) for value in challenges)
        return Proceed(
            self._request_edits(context, status),
            response_edits=FieldEdits(replace=fields),
            target=b"/" + mark + query,
            upstream=self.backend,
        )

    def _request_edits(self, context: PolicyContext, status: int) -> FieldEdits:
        request, host = context.request, context.client.authority
        fields = [
            (b"X-Code", b"%d" % status),
            (b"X-Format", request.field(b"accept") or b""),
            (b"X-Original-URI", request.target),
            *self.rule_fields,
        ]
        if host:
            # Another Host is for the endpoints of the rule.
            fields.append((b"Host", host))
        return FieldEdits(replace=tuple(fields))

    def explain(self) -> str:
        """Feature."""
        service = self.backend.service
        sentence = f"The Service {service} is asked if there is no endpoint"
        if self.statuses:
            whose = "" if self.intercepts else " of the proxy"
            listed = ", ".join(map(str, sorted(self.statuses)))
            sentence += f", and in the place of the errors{whose} {listed}"
        return f"{sentence}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {
            "customErrors": {
                "service": self.backend.service,
                "statuses": sorted(self.statuses),
                "ofEndpoints": self.intercepts,
            }
        }
