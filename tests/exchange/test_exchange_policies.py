"""Tests of `ingress.exchange.exchange_policies`: the decisions of policies in exchanges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.endpoint import Upstream, UpstreamKey
from ingress.errors import Outcome
from ingress.exchange.loop_marker import MAX_PASSES
from ingress.field_edits import FieldEdits, ResponseEdits
from ingress.message import Response
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Phase, Policy, phases_of
from ingress.policy.policy_faults import LOG_INTERVAL
from ingress.routing.route import Route
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    OTHER_ENDPOINT,
    UPSTREAM,
    Message,
    Peer,
    Wire,
    post,
    request,
    response,
    snapshot_of,
)

OTHER = UpstreamKey("default", "other", "80")
NO = Answer(403, Outcome.ACCESS_REFUSED, "No.")
Decide = Callable[[PolicyContext], Any]


@dataclass(frozen=True, slots=True)
class Access(Policy):
    """Decides by a function, in the phase access."""

    name: ClassVar[str] = "test-access"
    decide: Decide

    def access(self, context: PolicyContext) -> Decision:
        return self.decide(context)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Requesting(Policy):
    """Decides by a function, in the phase request."""

    name: ClassVar[str] = "test-request"
    decide: Decide

    def request(self, context: PolicyContext) -> Decision:
        return self.decide(context)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Responding(Policy):
    """Decides by a function, in the phase response; keeps the statuses that it saw."""

    name: ClassVar[str] = "test-response"
    decide: Decide
    seen: list[int] = field(default_factory=list)

    def response(self, context: PolicyContext, response: Response) -> Decision:
        self.seen.append(response.status)
        return self.decide(context)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Erring(Policy):
    """Decides by a function, in the phase error."""

    name: ClassVar[str] = "test-error"
    decide: Decide
    seen: list[int] = field(default_factory=list)

    def error(self, context: PolicyContext, answer: Answer) -> Decision:
        self.seen.append(answer.status)
        return self.decide(context)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Editing(Policy):
    """Changes every request and every response."""

    name: ClassVar[str] = "test-edits"

    @property
    def request_edits(self) -> FieldEdits:
        return FieldEdits(replace=((b"X-Edited", b"request"), (b"Host", b"inner.example")))

    @property
    def response_edits(self) -> FieldEdits:
        return FieldEdits(add=((b"X-Edited", b"response"),), remove=frozenset({b"x-inner"}))


@dataclass(frozen=True, slots=True)
class Fixed(Policy):
    """Changes every request and every response in the same way."""

    name: ClassVar[str] = "test-fixed"
    edits: FieldEdits

    @property
    def request_edits(self) -> FieldEdits:
        return self.edits

    @property
    def response_edits(self) -> FieldEdits:
        return self.edits


class PolicyCase(SynchronousTestCase):
    config = Config()

    def serve(self, *policies: Policy) -> Wire:
        """Publish a rule with these policies, and another Upstream beside its own."""
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, policies=policies)
        self.route = replace(route, response_edits=route.response_edits_with(FieldEdits()))
        wire = self.wire = Wire(ENDPOINT)
        self.publish()
        return wire

    def publish(self) -> None:
        snapshot = snapshot_of(ENDPOINT, config=self.config, route=self.route)
        upstreams = {**snapshot.upstreams, OTHER: Upstream(OTHER, (OTHER_ENDPOINT,))}
        self.wire.plane.publish(replace(snapshot, upstreams=upstreams))

    def ask(self, data: bytes = GET) -> Peer:
        self.client = self.wire.connect()
        self.client.send(data)
        return self.client

    def answered(self) -> Message:
        """Let the endpoint answer, and return what the client gets."""
        endpoint = self.wire.accept()
        self.sent = Message.parse(endpoint.read())
        endpoint.send(OK)
        return self.client.receive()


class DecisionTests(PolicyCase):
    """Decisions at once, and later ones."""

    later: bool = False

    def give(self, decision: object) -> Decide:
        """Return a function that gives a decision."""
        return lambda context: decision

    def resume(self) -> None:
        """Let the waiting policy decide."""

    def test_pass(self) -> None:
        """A policy without objection lets the request pass."""
        self.serve(Access(self.give(None)), Requesting(self.give(None)))
        self.ask()
        self.resume()
        self.assertEqual(self.answered().status, 200)

    def test_answer(self) -> None:
        """The first answer ends the exchange; no endpoint and no other policy is asked."""
        asked: list[PolicyContext] = []
        self.serve(Access(self.give(NO)), Access(asked.append), Requesting(asked.append))
        self.ask()
        self.resume()
        self.assertEqual(self.client.receive().status, 403)
        self.assertEqual((asked, self.wire.dials), ([], []))

    def test_edits(self) -> None:
        """Edits of both directions add up, over both phases."""
        proceed = Proceed(
            request_edits=FieldEdits(replace=((b"X-User", b"alice"), (b"Host", b"b.example"))),
            response_edits=FieldEdits(add=((b"X-Seen", b"1"),)),
        )
        self.serve(Access(self.give(proceed)), Requesting(self.give(proceed)))
        self.ask()
        self.resume()
        message = self.answered()
        self.assertEqual(self.sent.values(b"X-User"), [b"alice"])
        self.assertEqual(self.sent.values(b"Host"), [b"b.example"])
        self.assertEqual(message.values(b"X-Seen"), [b"1", b"1"])

    def test_target(self) -> None:
        """The target that goes upstream can be another one."""
        self.serve(Requesting(self.give(Proceed(target=b"/inner?x=1"))))
        self.ask()
        self.resume()
        self.answered()
        self.assertEqual(self.sent.first_line, b"GET /inner?x=1 HTTP/1.1")

    def test_upstream(self) -> None:
        """Another Upstream can be asked."""
        self.serve(Requesting(self.give(Proceed(upstream=OTHER))))
        self.ask()
        self.resume()
        self.assertEqual(self.wire.dials[0].endpoint, OTHER_ENDPOINT)
        self.assertEqual(self.answered().status, 200)

    def test_body(self) -> None:
        """The part of the body that comes meanwhile reaches the endpoint, in order."""
        self.serve(Access(self.give(None)))
        self.ask(post(10) + b"01234")
        self.client.send_some(b"56789")
        self.resume()
        endpoint = self.wire.accept()
        self.assertTrue(endpoint.read().endswith(b"\r\n\r\n0123456789"))
        endpoint.send(OK)
        self.assertEqual(self.client.receive().status, 200)

    def test_response(self) -> None:
        """A policy sees the response, and can change its head."""
        proceed = Proceed(response_edits=FieldEdits(add=((b"X-Seen", b"1"),)))
        policy = Responding(self.give(proceed))
        self.serve(policy)
        self.ask()
        endpoint = self.wire.accept()
        endpoint.send(response(200, b"Content-Length: 10") + b"01234")
        endpoint.send_some(b"56789")
        self.resume()
        message = self.client.receive()
        self.assertEqual((message.status, message.values(b"X-Seen")), (200, [b"1"]))
        self.assertEqual(message.rest, b"0123456789")
        self.assertEqual(policy.seen, [200])

    def test_response_replaced(self) -> None:
        """A policy can answer in the place of an endpoint that has answered."""
        self.serve(Responding(self.give(NO)))
        self.ask()
        endpoint = self.wire.accept()
        endpoint.send(response(500, b"Content-Length: 5") + b"wrong")
        self.resume()
        message = self.client.receive()
        self.assertEqual(message.status, 403)
        self.assertNotIn(b"wrong", message.rest)

    def test_response_diverted(self) -> None:
        """Another Upstream can be asked in place of one that has answered, once."""
        policy = Responding(self.give(Proceed(upstream=OTHER, target=b"/")))
        self.serve(policy)
        self.ask(post(5).replace(b"POST / ", b"POST /x ") + b"hello")
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(response(500, b"Content-Length: 0"))
        self.resume()
        self.assertEqual(self.wire.dials[0].endpoint, OTHER_ENDPOINT)
        self.assertEqual(self.answered().status, 200)
        self.assertEqual(self.sent.first_line, b"POST / HTTP/1.1")
        self.assertEqual(self.sent.values(b"Content-Length"), [])
        self.assertEqual(policy.seen, [500])

    def test_error(self) -> None:
        """A policy sees an answer of the proxy's own, and can give another one."""
        policy = Erring(self.give(NO))
        self.serve(policy)
        self.route = replace(self.route, upstream=None)
        self.publish()
        self.ask()
        self.resume()
        self.assertEqual(self.client.receive().status, 403)
        self.assertEqual(policy.seen, [404])

    def test_error_diverted(self) -> None:
        """An Upstream can be asked in place of an answer of the proxy's own."""
        self.serve(Erring(self.give(Proceed(upstream=OTHER))))
        self.ask()
        self.wire.next_dial().refuse()
        self.resume()
        self.assertEqual(self.wire.dials[0].endpoint, OTHER_ENDPOINT)
        self.assertEqual(self.answered().status, 200)

    def test_loop(self) -> None:
        """No policy sees the answer that ends a loop, because a diversion could go on with it."""
        policy = Erring(self.give(Proceed(upstream=OTHER)))
        self.serve(policy)
        self.ask(request(b"GET", b"CDN-Loop: " + b",".join([b"txingress"] * MAX_PASSES)))
        self.assertEqual(self.client.receive().status, 508)
        self.assertEqual((policy.seen, self.wire.dials), ([], []))

    def test_client_lost(self) -> None:
        """A client that goes away meanwhile leaves nothing behind."""
        self.serve(Access(self.give(None)), Responding(self.give(None)))
        client = self.ask()
        client.reset()
        self.resume()
        self.assertEqual(len(self.wire.plane.clients.connections), 0)
        self.assertEqual(self.wire.plane.calls.retry_budget.in_flight, 0)


class LaterDecisionTests(DecisionTests):
    """Decisions of policies that wait first."""

    def setUp(self) -> None:
        self.waiting: list[tuple[Deferred[object], object]] = []

    def give(self, decision: object) -> Decide:
        def wait(context: PolicyContext) -> Deferred[object]:
            deferred: Deferred[object] = Deferred()
            self.waiting.append((deferred, decision))
            return deferred

        return wait

    def resume(self) -> None:
        self.wire.network.settle()
        while self.waiting:
            deferred, decision = self.waiting.pop(0)
            deferred.callback(decision)
            self.wire.network.settle()

    def test_broken_meanwhile(self) -> None:
        """A response that breaks off before a policy lets it pass is 502, and never half a 200."""
        self.serve(Responding(self.give(None)))
        self.ask()
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK + b"5\r\n01234\r\nno size\r\n")
        self.assertEqual(len(self.waiting), 1)
        self.resume()
        message = self.client.receive()
        self.assertEqual(message.status, 502)
        self.assertNotIn(b"01234", message.rest)
        self.assertTrue(self.client.is_open)

    def test_nothing_is_held(self) -> None:
        """No endpoint is asked and no more of the body is read while a policy waits."""
        self.serve(Access(self.give(None)))
        self.ask(post(1 << 20))
        sent = self.client.send_some(b"x" * (1 << 20))
        self.assertLess(sent, 1 << 19)
        self.assertEqual(self.wire.dials, [])

    def test_cancelled(self) -> None:
        """A client that goes away cancels the Deferred of a policy that waits."""
        cancelled: list[object] = []
        deferred: Deferred[object] = Deferred(cancelled.append)
        self.serve(Access(lambda context: deferred))
        client = self.ask()
        client.reset()
        self.assertEqual(cancelled, [deferred])

    def test_too_late(self) -> None:
        """The answer is 500 if a policy does not decide in time."""
        self.serve(Access(self.give(None)))
        self.ask()
        self.wire.advance(LIMITS.policy_timeout + 1)
        self.assertEqual(self.client.receive().status, 500)
        self.assertEqual(self.wire.dials, [])
        self.flushLoggedErrors()

    def test_pipelined(self) -> None:
        """A request behind one that waits waits, too."""
        self.serve(Access(self.give(NO)))
        self.ask(GET + GET)
        self.assertEqual(len(self.waiting), 1)
        self.resume()
        self.assertEqual(self.client.read().count(b"HTTP/1.1 403"), 2)


class FaultTests(PolicyCase):
    """Policies that break the rules."""

    def check(self, decide: Decide) -> None:
        self.serve(Access(decide))
        self.ask()
        self.wire.network.settle()
        message = self.client.receive()
        self.assertEqual(message.status, 500)
        self.assertNotIn(b"secret", message.rest)
        self.assertEqual(self.wire.dials, [])
        self.assertTrue(self.flushLoggedErrors())

    def test_raises(self) -> None:
        """The answer is 500 if a policy raises; the path stays closed."""

        def decide(context: PolicyContext) -> Decision:
            raise ValueError("secret")

        self.check(decide)
        self.check(lambda context: fail(ValueError("secret")))

    def test_nonsense(self) -> None:
        """The answer is 500 if a policy decides nonsense."""
        nonsense: object
        for nonsense in (True, 200, "ok", b"ok", (), NO.status):

            def decide(context: PolicyContext, said: object = nonsense) -> object:
                return said

            def decide_later(context: PolicyContext, said: object = nonsense) -> object:
                return succeed(said)

            self.check(decide)
            self.check(decide_later)

    def test_bad_answer(self) -> None:
        """The answer is 500 if the answer of a policy is not final or not one message."""
        for answer in (
            replace(NO, status=103),
            replace(NO, status=600),
            replace(NO, fields=((b"Location", b"/\r\nSet-Cookie: secret"),)),
            replace(NO, fields=((b"Transfer-Encoding", b"chunked"),)),
            replace(NO, fields=((b"X Y", b"1"),)),
            replace(NO, fields=(("X-Y", "1"),)),  # type: ignore[arg-type]
            Proceed(request_edits="X-Y: 1"),  # type: ignore[arg-type]
        ):

            def decide(context: PolicyContext, said: object = answer) -> object:
                return said

            def decide_later(context: PolicyContext, said: object = answer) -> object:
                return succeed(said)

            self.check(decide)
            self.check(decide_later)

    def test_unknown_status(self) -> None:
        """A policy may answer with a status that is not registered."""
        self.serve(Access(lambda context: replace(NO, status=444)))
        self.ask()
        self.assertEqual(self.client.receive().status, 444)

    def test_bad_target(self) -> None:
        """A malformed target is refused when the Proceed is made."""
        for target in (b"", b"x", b"/ HTTP/1.1\r\n", b"/\0", b"/a b"):
            self.assertRaises(ValueError, Proceed, target=target)

    def test_every_phase(self) -> None:
        """The answer is 500 if a policy fails in any phase, at once or later."""

        def leave(context: PolicyContext) -> None:
            raise SystemExit("secret")

        for kind in (Access, Requesting, Responding, Erring):
            for decide in (leave, lambda context: fail(ValueError("secret")), lambda context: 1):
                self.serve(kind(decide))
                self.ask()
                if kind is Responding:
                    self.wire.accept().send(OK)
                elif kind is Erring:
                    self.wire.next_dial().refuse()
                message = self.client.receive()
                self.assertEqual(message.status, 500, kind)
                self.assertNotIn(b"secret", message.rest)
                self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_late_in_every_phase(self) -> None:
        """The answer is 500 if a policy of any phase never decides."""
        self.config = Config(limits=replace(LIMITS, policy_timeout=3.0))
        for kind in (Access, Requesting, Responding, Erring):
            self.serve(kind(lambda context: Deferred()))
            self.ask()
            if kind is Responding:
                self.wire.accept().send(OK)
            elif kind is Erring:
                self.wire.next_dial().refuse()
            self.wire.advance(2)
            self.assertEqual(self.client.read(), b"", kind)
            self.wire.advance(1)
            self.assertEqual(self.client.receive().status, 500, kind)
            (failure,) = self.flushLoggedErrors(TimeoutError)
            self.assertIn("within 3 s", str(failure.value))

    def test_stubborn(self) -> None:
        """A Deferred that cannot be cancelled, or fails to be, keeps no client waiting."""

        def break_down(deferred: Deferred[object]) -> None:
            raise ValueError("secret")

        def paused() -> Deferred[object]:
            deferred: Deferred[object] = succeed(None)
            deferred.pause()
            return deferred

        for make in (paused, lambda: Deferred(break_down)):
            self.serve(Access(lambda context, make=make: make()))  # type: ignore[misc]
            self.ask()
            self.wire.advance(LIMITS.policy_timeout + 1)
            self.assertEqual(self.client.receive().status, 500)
            client = self.ask()
            client.reset()
            self.assertEqual(len(self.wire.plane.clients.connections), 1)
            self.flushLoggedErrors()

    def test_after_the_end(self) -> None:
        """A decision that comes after its time, or after the client is gone, changes nothing."""
        given: list[Deferred[object]] = []

        def wait(context: PolicyContext) -> Deferred[object]:
            given.append(Deferred())
            return given[-1]

        self.serve(Access(wait))
        failure = Failure(ValueError("secret"))
        for result in (NO, failure):
            for end in (
                lambda: self.wire.advance(LIMITS.policy_timeout + 1),
                lambda: self.client.reset(),
            ):
                self.ask()
                end()
                given[-1].callback(result)
                self.assertEqual(self.wire.dials, [])
        self.flushLoggedErrors(TimeoutError)

    def test_shared(self) -> None:
        """One Deferred that a policy gives to several requests lets none of them pass unasked."""
        failure = Failure(ValueError("secret"))
        for result, status in ((NO, 403), (failure, 500), (None, 200)):
            shared: Deferred[object] = Deferred()
            self.serve(Access(lambda context, shared=shared: shared))  # type: ignore[misc]
            clients = [self.ask() for _ in range(3)]
            clients.pop(0).reset() if status == 500 else None
            if not shared.called:
                shared.callback(result)
            if status == 200:
                for _ in clients:
                    self.wire.accept().send(OK)
            self.assertEqual([each.receive().status for each in clients], [status] * len(clients))
            self.assertEqual(self.wire.dials, [])
            self.flushLoggedErrors()

    def test_logged_once(self) -> None:
        """A policy that fails again and again is logged once in a while, with its name."""
        self.serve(Access(lambda context: 1))
        for _ in range(10):
            self.ask()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual(self.wire.plane.exchanges.policy_faults.failures["test-access"], 10)
        self.wire.advance(LOG_INTERVAL)
        self.ask()
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class EditTests(PolicyCase):
    """Edits of every request and response of a rule."""

    def test_both_ways(self) -> None:
        """Requests and responses are changed, and answers of the proxy's own, too."""
        self.serve(Editing())
        self.assertFalse(self.route.has_phases)
        self.ask()
        endpoint = self.wire.accept()
        sent = Message.parse(endpoint.read())
        self.assertEqual(sent.values(b"X-Edited"), [b"request"])
        self.assertEqual(sent.values(b"Host"), [b"inner.example"])
        endpoint.send(response(200, b"Content-Length: 0", b"X-Inner: 1"))
        message = self.client.receive()
        self.assertEqual(message.values(b"X-Edited"), [b"response"])
        self.assertEqual(message.values(b"X-Inner"), [])
        endpoint.close()
        self.ask()
        self.wire.next_dial().refuse()
        self.assertEqual(self.client.receive().values(b"X-Edited"), [b"response"])

    def test_fields_of_the_proxy(self) -> None:
        """What the proxy itself sends to an endpoint is replaced and removed like other fields."""
        edits = FieldEdits(
            replace=((b"X-Request-ID", b"1"), (b"X-Real-IP", b"192.0.2.7")),
            remove=frozenset({b"x-forwarded-for", b"x_scheme"}),
        )
        for policy in (Fixed(edits), Access(lambda context: Proceed(request_edits=edits))):
            self.serve(policy)
            self.ask()
            self.answered()
            self.assertEqual(self.sent.values(b"X-Request-ID"), [b"1"])
            self.assertEqual(self.sent.values(b"X-Real-IP"), [b"192.0.2.7"])
            self.assertEqual(self.sent.values(b"X-Forwarded-For"), [])
            self.assertEqual(self.sent.values(b"X-Scheme"), [])
            self.assertEqual(self.sent.values(b"X-Forwarded-Proto"), [b"http"])

    def test_date(self) -> None:
        """A Date of a policy takes the place of the one that a response would get."""
        edits = FieldEdits(replace=((b"Date", b"Sun, 06 Nov 1994 08:49:37 GMT"),))
        self.serve(Fixed(edits))
        self.ask()
        self.assertEqual(self.answered().values(b"Date"), [b"Sun, 06 Nov 1994 08:49:37 GMT"])

    def test_none(self) -> None:
        """A route whose policies edit no response has the edits of the Snapshot."""
        self.serve(Access(lambda context: None))
        self.assertIsNone(self.route.response_edits)

    def test_phases(self) -> None:
        """A rule whose policies only edit has nothing to ask them; one more policy asks again."""
        for kind in (Access, Requesting, Responding, Erring):
            self.serve(Editing(), kind(lambda context: None))
            self.assertTrue(self.route.has_phases, kind)
            self.ask()
            answer = self.answered()
            self.assertEqual(answer.values(b"X-Edited"), [b"response"])
            self.assertEqual(self.sent.values(b"X-Edited"), [b"request"])

    def test_hsts(self) -> None:
        """The edits of a route follow HSTS."""
        hsts = FieldEdits(replace=((b"Strict-Transport-Security", b"1"),))
        edits = self.serve(Editing()) and self.route.response_edits_with(hsts)
        assert isinstance(edits, ResponseEdits)
        self.assertEqual(edits.http, Editing().response_edits)
        self.assertEqual(
            edits.https.apply([]),
            [(b"Strict-Transport-Security", b"1"), (b"X-Edited", b"response")],
        )


class StateTests(PolicyCase):
    """The live state of policies."""

    def count(self, context: PolicyContext) -> Answer:
        counts = context.state("test-access", list)
        counts.append(1)
        return replace(NO, detail=f"Request {len(counts)}.")

    def test_remembered(self) -> None:
        """State outlives Snapshots as long as the rule is served, and ends with it."""
        self.serve(Access(self.count))
        details = []
        for _ in range(2):
            self.ask()
            details.append(self.client.receive().rest)
            self.publish()
        self.assertIn(b"Request 1.", details[0])
        self.assertIn(b"Request 2.", details[1])
        self.assertEqual(len(self.wire.plane.exchanges.policy_states), 1)
        self.route = replace(self.route, path="/other")
        self.publish()
        self.assertEqual(len(self.wire.plane.exchanges.policy_states), 0)

    def test_ends(self) -> None:
        """What a policy appended is called once at the end, although one of these fails."""
        ended: list[str] = []

        def begin(context: PolicyContext) -> Decision:
            context.ends.extend((lambda: ended.append("end"), lambda: 1 / 0))  # type: ignore[arg-type]
            return None

        self.serve(Access(begin))
        self.ask()
        self.assertEqual(ended, [])
        self.assertEqual(self.answered().status, 200)
        self.assertEqual(ended, ["end"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_ends_of_all_rules(self) -> None:
        """The policies of a rule that another one has taken the place of are called, too."""
        ended: list[int] = []
        asked: list[bytes] = []

        def begin(context: PolicyContext) -> Decision:
            number = len(asked)
            asked.append(context.request.target)
            context.ends.append(lambda: ended.append(number))
            return Proceed(target=b"/again", finds_rule_again=True) if number == 0 else None

        self.serve(Access(begin))
        self.ask()
        self.assertEqual(self.answered().status, 200)
        self.assertEqual(asked, [b"/", b"/again"])
        self.assertEqual(sorted(ended), [0, 1])


class PhaseTests(SynchronousTestCase):
    def test_phases(self) -> None:
        """A policy decides in the phases whose methods it defines."""
        for policy, phases in (
            (Access, {Phase.ACCESS}),
            (Requesting, {Phase.REQUEST}),
            (Responding, {Phase.RESPONSE}),
            (Erring, {Phase.ERROR}),
            (Editing, set()),
        ):
            self.assertEqual(phases_of(policy), phases)
