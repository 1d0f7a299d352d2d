"""
Tests for `ingress.policy.trace_context`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.message import Request
from ingress.policy.trace_context import MAX_STATE, TraceParent, begin, read_parent, read_state
from ingress.testing import policy_context

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = b"00f067aa0ba902b7"
VALID = b"00-" + TRACE + b"-" + SPAN + b"-01"
PARENT = TraceParent(int(TRACE, 16), int(SPAN, 16), 1)


def request(name: bytes, *values: bytes) -> Request:
    return policy_context(fields=[(name, value) for value in values]).request


class ParentTests(SynchronousTestCase):
    """Which ``traceparent`` is one."""

    def test_valid(self) -> None:
        """Version 00 has four parts; a later one may have more."""
        for written, flags in (
            (VALID, 1),
            (VALID[:-2] + b"00", 0),
            (VALID[:-2] + b"ff", 255),
            (b"cc" + VALID[2:], 1),
            (b"cc" + VALID[2:] + b"-what-comes-later", 1),
        ):
            parent = read_parent(request(b"Traceparent", written))
            self.assertEqual(parent, PARENT._replace(flags=flags), written)
            assert parent is not None
            self.assertEqual(parent.is_sampled, bool(flags & 1))

    def test_invalid(self) -> None:
        """Anything else begins a new trace."""
        for written in (
            b"",
            b"00",
            VALID.upper(),
            VALID + b"-00",
            VALID + b"x",
            b"ff" + VALID[2:],
            b"cc" + VALID[2:] + b".later",
            VALID.replace(TRACE, b"0" * 32),
            VALID.replace(SPAN, b"0" * 16),
            VALID.replace(TRACE, TRACE[1:]),
            VALID.replace(b"-01", b"-1"),
            VALID.replace(b"-01", b"-zz"),
            VALID.replace(b"-", b"_"),
            b"cc" + VALID[2:] + b"-" + b"a" * 32_768,
        ):
            self.assertIsNone(read_parent(request(b"traceparent", written)), written)
        self.assertIsNone(read_parent(request(b"other", VALID)))

    def test_several(self) -> None:
        """Two fields are no valid one, even if they are equal."""
        self.assertIsNone(read_parent(request(b"traceparent", VALID, VALID)))


class StateTests(SynchronousTestCase):
    """Which ``tracestate`` is kept."""

    def test_kept(self) -> None:
        """Valid members stay in order; several fields are one list."""
        full = b",".join(b"k%d=v" % number for number in range(32))
        cases: list[tuple[tuple[bytes, ...], bytes]] = [
            ((b"congo=t61rcWkgMzE",), b"congo=t61rcWkgMzE"),
            ((b"a=1, b=2 ,,\tc=3",), b"a=1,b=2,c=3"),
            ((b"a=1", b"b=2"), b"a=1,b=2"),
            ((b"tenant@sys=with blanks",), b"tenant@sys=with blanks"),
            ((full,), full),
            ((), b""),
        ]
        for values, state in cases:
            self.assertEqual(read_state(request(b"tracestate", *values)), state, values)

    def test_dropped(self) -> None:
        """A list with a bad member, or with too much, is dropped as a whole."""
        for value in (
            b"a",
            b"=1",
            b"A=1",
            b"a=",
            b"a=1,b",
            b"a=x=y",
            b"a=\xe4",
            b"a@toolong_toolong=1",
            b"k" * 257 + b"=1",
            b"k=" + b"v" * 257,
            b",".join(b"k%d=v" % number for number in range(33)),
            b"a=" + b"b" * 32_768,
            b"," * (MAX_STATE + 1),
        ):
            self.assertEqual(read_state(request(b"tracestate", value)), b"", value[:80])


class BeginTests(SynchronousTestCase):
    """What endpoints get."""

    def test_new(self) -> None:
        """A new trace has our span and no state of somebody else's."""
        trace = begin(0xA, 0xB, None, b"", is_sampled=True)
        self.assertEqual(
            trace.edits.apply([(b"TraceParent", b"x"), (b"TraceState", b"y"), (b"A", b"b")]),
            [(b"A", b"b"), (b"traceparent", b"00-%032x-%016x-01" % (0xA, 0xB))],
        )

    def test_continued(self) -> None:
        """Version 00 is written whatever the parent's; of its flags the random one stays."""
        for flags, is_sampled, expected in ((0xFF, True, 3), (0xFF, False, 2), (0, True, 1)):
            trace = begin(1, 2, PARENT._replace(flags=flags), b"a=1", is_sampled=is_sampled)
            self.assertEqual(
                trace.edits.apply([(b"tracestate", b"a=1"), (b"traceparent", VALID)]),
                [
                    (b"traceparent", b"00-%032x-%016x-%02x" % (1, 2, expected)),
                    (b"tracestate", b"a=1"),
                ],
            )
