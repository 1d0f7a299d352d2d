"""
Tests for `ingress.policy.open_telemetry`.
"""

from __future__ import annotations

from random import Random

from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.otlp import OtlpSettings
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed
from ingress.policy.open_telemetry import OpenTelemetry, Sampler
from ingress.policy.trace_context import TraceContext
from ingress.testing import policy_context, read_annotations, verdict_of
from tests.policy.test_trace_context import PARENT, SPAN, TRACE, VALID

COLLECTED = OtlpSettings(endpoint="http://127.0.0.1:4318/v1/traces")
ALL = OtlpSettings(endpoint=COLLECTED.endpoint, for_all=True)


def read(settings: OtlpSettings = COLLECTED, **named: str) -> tuple[object, list[str]]:
    annotations = {name.replace("_", "-"): value for name, value in named.items()}
    found = read_annotations(OpenTelemetry, annotations, config=Config(otlp=settings))
    return found.feature, [f"{name}: {message}" for name, message in found.faults.items()]


class ReadTests(SynchronousTestCase):
    """When there are spans."""

    def test_enabled(self) -> None:
        """The annotation decides, and without it the configuration."""
        self.assertEqual(read(), (None, []))
        self.assertEqual(read(ALL), (OpenTelemetry(), []))
        self.assertEqual(read(ALL, enable_opentelemetry="false"), (None, []))
        self.assertEqual(read(enable_opentelemetry="true"), (OpenTelemetry(), []))

    def test_no_collector(self) -> None:
        """Without a collector nothing is done, and who asks for it is told."""
        feature, faults = read(OtlpSettings(), enable_opentelemetry="true")
        self.assertIsNone(feature)
        self.assertRegex(" ".join(faults), "no collector is configured .* no spans are recorded")
        self.assertEqual(read(OtlpSettings(for_all=True)), (None, []))
        self.assertEqual(read(OtlpSettings(), enable_opentelemetry="false"), (None, []))

    def test_settings(self) -> None:
        """Trust and name are those of the annotations, or of the configuration."""
        settings = OtlpSettings(
            COLLECTED.endpoint,
            for_all=True,
            trust_incoming_span=False,
            operation_name="all",
            sampler="ratio",
            ratio=0.5,
            parent_based=False,
        )
        sampler = Sampler("ratio", 0.5, False)
        self.assertEqual(read(settings), (OpenTelemetry(sampler, False, "all"), []))
        self.assertEqual(
            read(
                settings,
                opentelemetry_trust_incoming_span="true",
                opentelemetry_operation_name="shop_1-a",
            ),
            (OpenTelemetry(sampler, True, "shop_1-a"), []),
        )

    def test_bad_values(self) -> None:
        """Bad values are reported, and the defaults hold."""
        for name, value in (
            ("opentelemetry_operation_name", "a b"),
            ("opentelemetry_operation_name", "$uri"),
            ("opentelemetry_operation_name", "a\r\nb"),
            ("opentelemetry_operation_name", "a" * 102_400),
            ("opentelemetry_trust_incoming_span", "maybe"),
            ("enable_opentelemetry", '"true"'),
        ):
            feature, faults = read(ALL, **{name: value})
            self.assertEqual(feature, OpenTelemetry(), name)
            self.assertEqual(len(faults), 1, name)


class SamplerTests(SynchronousTestCase):
    """Which traces are recorded."""

    def test_names(self) -> None:
        """Each sampler, for new traces and for continued ones."""
        for sampler, parent, takes in (
            (Sampler(), None, True),
            (Sampler("always-off"), None, False),
            (Sampler("always-off"), True, True),
            (Sampler("always-on"), False, False),
            (Sampler("always-off", is_parent_based=False), True, False),
            (Sampler("always-on", is_parent_based=False), False, True),
            (Sampler("ratio", 0.0), None, False),
            (Sampler("ratio", 1.0), None, True),
        ):
            self.assertEqual(sampler.takes((1 << 128) - 1, parent), takes, sampler)

    def test_ratio(self) -> None:
        """The same traces are taken as by the SDK's sampler."""
        random = Random(1)
        ids = [random.getrandbits(128) for _ in range(2000)]
        for ratio in (0.01, 0.25, 0.5):
            sampler, theirs = Sampler("ratio", ratio), TraceIdRatioBased(ratio)
            taken = [each for each in ids if sampler.takes(each, None)]
            decisions = [theirs.should_sample(None, each, "").decision for each in ids]
            expected = [
                each for each, decision in zip(ids, decisions, strict=True) if decision.is_sampled()
            ]
            self.assertEqual(taken, expected)
            self.assertLess(abs(len(taken) / len(ids) - ratio), 0.05)


class AccessTests(SynchronousTestCase):
    """What becomes of a request."""

    def ask(
        self, policy: OpenTelemetry, context: PolicyContext
    ) -> tuple[TraceContext, dict[bytes, bytes]]:
        verdict = verdict_of(policy.access(context))
        assert isinstance(verdict, Proceed)
        trace = context.trace
        assert trace is not None
        before = [(name, value) for _, name, value in context.request.fields]
        return trace, dict(verdict.request_edits.apply_to_request(before))

    def test_continued(self) -> None:
        """A trusted trace goes on, with our span between the client's and the endpoint's."""
        context = policy_context(
            fields=[(b"traceparent", VALID), (b"tracestate", b"a=1")], is_secure=True
        )
        trace, sent = self.ask(OpenTelemetry(operation_name="x"), context)
        self.assertEqual((trace.parent, trace.state, trace.is_sampled), (PARENT, b"a=1", True))
        self.assertEqual((trace.operation_name, trace.is_secure), ("x", True))
        _, trace_id, span_id, flags = sent[b"traceparent"].split(b"-")
        self.assertEqual((trace_id, flags), (TRACE, b"01"))
        self.assertEqual(int(span_id, 16), trace.attempt_id)
        self.assertNotEqual(trace.attempt_id, trace.span_id)
        own = dict(trace.own_edits.apply_to_request([]))
        self.assertEqual(int(own[b"traceparent"].split(b"-")[2], 16), trace.span_id)
        self.assertNotEqual(span_id, SPAN)
        self.assertEqual(sent[b"tracestate"], b"a=1")

    def test_not_trusted(self) -> None:
        """A trace that is not trusted leaves nothing behind."""
        context = policy_context(fields=[(b"traceparent", VALID), (b"tracestate", b"a=1")])
        trace, sent = self.ask(OpenTelemetry(trusts=False), context)
        self.assertIsNone(trace.parent)
        self.assertNotIn(TRACE, sent[b"traceparent"])
        self.assertNotIn(b"tracestate", sent)

    def test_malformed(self) -> None:
        """A malformed parent begins a new trace, without the state; so does none."""
        for fields in (
            [(b"traceparent", b"ff" + VALID[2:]), (b"tracestate", b"a=1")],
            [(b"tracestate", b"a=1")],
            [(b"traceparent", VALID + b"-" + b"a" * 32_768)],
        ):
            trace, sent = self.ask(OpenTelemetry(), policy_context(fields=fields))
            self.assertIsNone(trace.parent)
            self.assertRegex(sent[b"traceparent"], rb"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")
            self.assertNotIn(b"tracestate", sent)

    def test_not_sampled(self) -> None:
        """Endpoints are told of a trace that is not recorded."""
        for policy, fields in (
            (OpenTelemetry(Sampler("always-off")), []),
            (OpenTelemetry(), [(b"traceparent", VALID[:-2] + b"00")]),
        ):
            trace, sent = self.ask(policy, policy_context(fields=fields))
            self.assertFalse(trace.is_sampled)
            self.assertEqual(trace.attempt_id, trace.span_id)
            self.assertEqual(sent[b"traceparent"][-3:], b"-00")

    def test_once(self) -> None:
        """A request that gets another rule keeps its span."""
        context = policy_context()
        first, sent = self.ask(OpenTelemetry(), context)
        self.assertEqual(self.ask(OpenTelemetry(operation_name="b"), context), (first, sent))

    def test_shown(self) -> None:
        """Explanations and /snapshot say what it does."""
        policy = OpenTelemetry(Sampler("ratio", 0.25), False, "x")
        self.assertIn("a new trace", policy.explain())
        self.assertIn("client's trace", OpenTelemetry().explain())
        sampler = {"name": "ratio", "ratio": 0.25}
        self.assertEqual(
            policy.shown(),
            {
                "openTelemetry": {
                    "sampler": sampler,
                    "trustsIncomingSpan": False,
                    "operationName": "x",
                }
            },
        )
