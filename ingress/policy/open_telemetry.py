"""
Spans of requests: ``enable-opentelemetry`` and ``opentelemetry-*``.

The policy continues or begins a trace and says so to endpoints; `ingress.telemetry.spans` records
the span when the exchange is over.

Source of the rules: docs/compatibility.md, section 2.6, and W3C Trace Context.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import ClassVar, Final

from ingress.config.otlp import OtlpSettings, SamplerName
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext
from ingress.policy.trace_context import TraceContext, begin, read_parent, read_state

_ENABLE: Final = "enable-opentelemetry"
_TRUST: Final = "opentelemetry-trust-incoming-span"
_NAME: Final = "opentelemetry-operation-name"

_NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9_\-]{1,128}")
"""ingress-nginx's pattern, with a bound."""

_LOWER_HALF: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Sampler:
    """Decides which traces are recorded, by the samplers of OpenTelemetry's SDK."""

    name: SamplerName = "always-on"
    ratio: float = 0.01
    is_parent_based: bool = True

    def takes(self, trace_id: int, is_parent_sampled: bool | None) -> bool:
        """
        :param is_parent_sampled: the decision of the client's span; None for a new trace.
        """
        if self.is_parent_based and is_parent_sampled is not None:
            return is_parent_sampled
        if self.name == "ratio":
            # The same bits as in the SDK, so that all that have the same ratio agree.
            return trace_id & _LOWER_HALF < round(self.ratio * (_LOWER_HALF + 1))
        return self.name == "always-on"


@dataclass(frozen=True, slots=True)
class OpenTelemetry(Policy):
    """Gives each request a span, and endpoints its ``traceparent``."""

    name: ClassVar[str] = "open-telemetry"
    annotations: ClassVar[tuple[str, ...]] = (_ENABLE, _TRUST, _NAME)
    differences: ClassVar[Mapping[str, str]] = {
        _ENABLE: "spans go over HTTP to `otlp.endpoint` of the configuration, or to port 4318 of "
        "`otlp-collector-host`; each attempt at an endpoint has a span, too",
        _TRUST: "a trace that is not trusted is replaced, and its `tracestate` dropped",
        _NAME: "the name of the span; without it method and path of the rule",
    }

    sampler: Sampler = Sampler()
    trusts: bool = True
    """Whether the trace of the client is continued."""

    operation_name: str = ""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> OpenTelemetry | None:
        """Feature: None where there is no collector, which is reported where it is asked for."""
        settings = context.config.otlp
        is_enabled = annotations.boolean(_ENABLE, settings.for_all)
        trusts = annotations.boolean(_TRUST, settings.trust_incoming_span)
        accepted = "a name of letters, digits, _ and - (128 characters at most)"
        name = annotations.text(_NAME, _NAME_PATTERN, accepted) or settings.operation_name
        if not is_enabled:
            return None
        if not settings.endpoint:
            if annotations.text(_ENABLE):
                annotations.fault(
                    _ENABLE,
                    "no collector is configured (otlp.endpoint of the configuration, or "
                    "otlp-collector-host of the ConfigMap); no spans are recorded",
                )
            return None
        return cls(_sampler(settings), trusts, name)

    @classmethod
    def of(cls, settings: OtlpSettings) -> OpenTelemetry:
        """:return: the policy of a rule without annotations."""
        return cls(_sampler(settings), settings.trust_incoming_span, settings.operation_name)

    def begin(
        self, request: Request, random: Random, is_secure: bool | None = None
    ) -> TraceContext:
        """:return: the span of a request, in the trace of the client if that is believed."""
        parent = read_parent(request) if self.trusts else None
        state = read_state(request) if parent is not None else b""
        trace_id = parent.trace_id if parent is not None else random.getrandbits(128) or 1
        is_sampled = self.sampler.takes(trace_id, parent.is_sampled if parent is not None else None)
        return begin(
            trace_id,
            random.getrandbits(64) or 1,
            parent,
            state,
            is_sampled=is_sampled,
            attempt_id=random.getrandbits(64) if is_sampled else 0,
            operation_name=self.operation_name,
            is_secure=is_secure,
        )

    def access(self, context: PolicyContext) -> Decision:
        """Policy: first of all, so that whoever is asked about access is a part of the trace."""
        trace = context.trace
        if trace is None:
            trace = self.begin(context.request, context.random, context.client.is_secure)
            context.trace = trace
        return Proceed(request_edits=trace.edits)

    def decides_by(self, request: Request) -> Inputs:
        """Policy: it answers nothing."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        whose = "the client's trace, or a new one" if self.trusts else "a new trace"
        return f"The request gets a span in {whose} (OpenTelemetry)."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        sampler: dict[str, object] = {"name": self.sampler.name}
        if self.sampler.name == "ratio":
            sampler["ratio"] = self.sampler.ratio
        shown: dict[str, object] = {"sampler": sampler, "trustsIncomingSpan": self.trusts}
        if self.operation_name:
            shown["operationName"] = self.operation_name
        return {"openTelemetry": shown}


def _sampler(settings: OtlpSettings) -> Sampler:
    return Sampler(settings.sampler, settings.ratio, settings.parent_based)
