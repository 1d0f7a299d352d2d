"""
Error pages of another Service: ``custom-http-errors``, ``default-backend`` and
``disable-proxy-intercept-errors``.

Source of the rules: docs/compatibility.md, sections 2.6 and 6, "custom-http-errors".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.frozen import dataclass
from ingress.message import Request, Response
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope

_SERVICE: Final = re.compile(r"[a-z](?:[a-z0-9\-]{0,61}[a-z0-9])?")
_STATUS: Final = re.compile(r"[45][0-9]{2}")
_AUTHENTICATE: Final = b"www-authenticate"
_FIRST_PORT: Final = ""

_REPLACED: Final = "The endpoint's error has the page that the configuration has for it."

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
        "custom-http-errors": "together with `default-backend`, or with `default-backend` or "
        "`error-pages` of the configuration",
        "default-backend": "a Service of the namespace; it is asked without the request's "
        "body, and over http whatever `backend-protocol` says",
    }

    backend: UpstreamKey | None
    """The Service to ask; None where the error pages of the configuration take its place."""

    statuses: frozenset[int] = frozenset()
    intercepts: bool = True
    """Whether errors of endpoints are replaced, too, and not only the proxy's own."""

    is_own: bool = True
    """Whether the Ingress itself names the Service, which then serves rules without endpoints."""

    rule_fields: tuple[tuple[bytes, bytes], ...] = ()
    """What the Service learns of the rule."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> CustomErrors | None:
        """Feature: the Service is that of the annotation, or else that of the configuration."""
        service = annotations.text("default-backend", _SERVICE, "the name of a Service")
        defaults, config = context.config.nginx.errors, context.config
        statuses = _read_statuses(annotations, defaults.statuses)
        is_disabled = annotations.boolean(
            "disable-proxy-intercept-errors", defaults.disable_intercept
        )
        if service:
            backend = UpstreamKey(context.namespace, service, _FIRST_PORT)
            return cls(backend, statuses, not is_disabled)
        if not statuses:
            return None
        if config.default_backend is not None:
            return cls(UpstreamKey(*config.default_backend), statuses, not is_disabled, False)
        without = sorted(status for status in statuses if not config.error_pages.has(status))
        if without and "custom-http-errors" in annotations:
            annotations.fault("custom-http-errors", _why_without(without, statuses))
        with_page = statuses.difference(without)
        return cls(None, with_page, not is_disabled, False) if with_page else None

    @property
    def upstreams(self) -> Iterable[tuple[str, UpstreamKey]]:
        """Feature: that of the configuration is there anyway."""
        if self.backend is None or not self.is_own:
            return ()
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
        if self.backend is None:
            fields = tuple((b"WWW-Authenticate", value) for value in challenges)
            return Answer(response.status, Outcome.OK, _REPLACED, fields)
        return self._page(context, self.backend, response.status, challenges)

    def error(self, context: PolicyContext, answer: Answer) -> Decision:
        """
        Policy: a rule without endpoints has those of the Service that its Ingress names, at the
        same path. Error pages are in answers of the proxy's own anyway.
        """
        if self.backend is None:
            return None
        if answer.outcome is Outcome.NO_ENDPOINT and self.is_own:
            return Proceed(self._request_edits(context, answer.status), upstream=self.backend)
        if answer.status not in self.statuses:
            return None
        challenges = [value for name, value in answer.fields if name.lower() == _AUTHENTICATE]
        return self._page(context, self.backend, answer.status, challenges)

    def _page(
        self, context: PolicyContext, backend: UpstreamKey, status: int, challenges: list[bytes]
    ) -> Proceed:
        _, mark, query = context.request.target.partition(b"?")
        fields = tuple((b"WWW-Authenticate", value) for value in challenges)
        return Proceed(
            self._request_edits(context, status),
            response_edits=FieldEdits(replace=fields),
            target=b"/" + mark + query,
            upstream=backend,
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

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        listed = ", ".join(map(str, sorted(self.statuses)))
        whose = "" if self.intercepts else " of the proxy"
        if self.backend is None:
            return f"Error pages take the place of the errors{whose} {listed}."
        service = self.backend.service
        if not self.is_own:
            return f"The Service {service} is asked in the place of the errors{whose} {listed}."
        sentence = f"The Service {service} is asked if there is no endpoint"
        if self.statuses:
            sentence += f", and in the place of the errors{whose} {listed}"
        return f"{sentence}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {
            "customErrors": {
                "service": self.backend.service if self.backend is not None else None,
                "statuses": sorted(self.statuses),
                "ofEndpoints": self.intercepts,
            }
        }


def _read_statuses(annotations: Annotations, default: frozenset[int]) -> frozenset[int]:
    words = annotations.words("custom-http-errors")
    if not words:
        return default
    found = [int(word) for word in words if _STATUS.fullmatch(word)]
    if len(found) < len(words):
        annotations.fault(
            "custom-http-errors",
            "a list of 400 to 599 with commas between them is accepted; other members are ignored",
        )
    return frozenset(found)


def _why_without(without: list[int], statuses: frozenset[int]) -> str:
    if len(without) == len(statuses):
        return (
            "has no effect without default-backend, and without a default backend or error pages "
            f"of the configuration; {_NOT_REPLACED}"
        )
    listed = ", ".join(map(str, without))
    return f"there is no error page for {listed}: these {_NOT_REPLACED}"
