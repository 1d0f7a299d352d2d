"""Tests of the limits of a client."""

from __future__ import annotations

import pickle
from ipaddress import ip_network
from itertools import product

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.config.nginx_settings import LimitDefaults, NginxSettings
from ingress.errors import Outcome
from ingress.policy.annotation import Closing, Extent, Subject
from ingress.policy.client_limits import ClientLimits
from ingress.policy.context import PolicyContext
from ingress.policy.limiter import LimitLabels
from ingress.policy.live_state import PolicyStates
from ingress.routing.route import Route
from ingress.testing import Reading, policy_context, read_annotations, rule_scope, verdict_of
from tests.support.wire import GET, OK, SWITCHING, UPGRADE, UPSTREAM, Peer, Wire, request

CLOSED = Closing(Extent.RULES, Subject.ACCESS)
DRY_RUN = "txingress.dev/limit-dry-run"


def read(**values: str) -> Reading:
    """Read annotations; their names are without ``limit-``, with ``_`` for ``-``."""
    written = {f"limit-{name.replace('_', '-')}": value for name, value in values.items()}
    if "limit-dry-run" in written:
        written[DRY_RUN] = written.pop("limit-dry-run")
    return read_annotations(ClientLimits, written)


def limits(**values: str) -> ClientLimits:
    """What annotations without a fault come to, for a rule of the Ingress ``default/web``."""
    reading = read(**values)
    assert (reading.faults, reading.closing) == ({}, None), reading
    assert isinstance(reading.feature, ClientLimits)
    return reading.feature.at(rule_scope())


class Requests:
    """Requests to one process, as a policy sees them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.states = PolicyStates()
        self.open: list[PolicyContext] = []
        """The requests in progress."""

    def send(self, policy: ClientLimits, address: bytes = b"192.0.2.1") -> Answer | None:
        """Send a request that stays in progress if it is let in."""
        context = policy_context(address=address, now=self.clock.seconds, states=self.states)
        verdict = verdict_of(policy.access(context))
        assert verdict is None or isinstance(verdict, Answer)
        if verdict is None:
            self.open.append(context)
        return verdict

    def admitted(self, policy: ClientLimits, count: int, address: bytes = b"192.0.2.1") -> int:
        """How many of so many requests are let in."""
        return sum(self.send(policy, address) is None for _ in range(count))

    def end(self) -> None:
        """End the first request in progress."""
        for end in self.open.pop(0).ends:
            end()


class ReadTests(SynchronousTestCase):
    def test_limits(self) -> None:
        """The limits are read with their bursts, and shown."""
        policy = limits(rps="2", rpm="+90", connections="8", burst_multiplier="3")
        self.assertEqual(
            [(each.leak, each.burst) for each in policy.buckets], [(2000, 6000), (1500, 270_000)]
        )
        self.assertEqual(
            policy.shown(),
            {
                "limits": {
                    "rps": 2,
                    "rpm": 90,
                    "burstMultiplier": 3,
                    "connections": 8,
                    "isDryRun": False,
                }
            },
        )
        self.assertEqual(
            policy.explain(),
            "A client may send 2 requests a second and 6 more at once, and have 90 requests a "
            "minute and 270 more at once, and have 8 requests in progress; requests beyond that "
            "get 503.",
        )
        self.assertTrue(policy.guards)
        self.assertEqual(pickle.loads(pickle.dumps(policy)), policy)

    def test_none(self) -> None:
        """Nothing, 0 and less are no limit, whatever else there is."""
        for values in (
            {},
            {"rps": "0"},
            {"rpm": "-1", "connections": "-0"},
            {"burst_multiplier": "3"},
            {"whitelist": "10.0.0.0/8"},
            {"dry_run": "true"},
        ):
            self.assertEqual(read(**values), Reading(None, {}, None), values)

    def test_bad(self) -> None:
        """A bad limit or list closes the paths; the Problem names it."""
        numbers = ("", "x", "1.5", "1e3", "1_000", "0x10", "1 2", "9" * 19, "\u0661", "1\r\nX: y")
        for name, value in product(("rps", "rpm", "connections"), (*numbers, "$(id)", "a" * 10**5)):
            reading = read(**{name: value})
            self.assertEqual(reading.closing, CLOSED, (name, value[:20]))
            self.assertEqual(
                reading.faults,
                {f"limit-{name}": "a whole number is accepted; the paths answer 503"},
            )
        for name, value in product(("whitelist", "allowlist"), ("x", "10.0.0.0/33", "10.0.0.1;")):
            reading = read(rps="1", **{name: value})
            self.assertEqual(reading.closing, CLOSED, (name, value))
            self.assertIn("CIDR ranges is accepted", reading.faults[f"limit-{name}"])

    def test_bad_multiplier(self) -> None:
        """A bad multiplier is a Problem, and 5."""
        for value in ("x", "0", "-3", "1.5"):
            reading = read(rps="1", burst_multiplier=value)
            self.assertIsNone(reading.closing)
            self.assertEqual(list(reading.faults), ["limit-burst-multiplier"])
            assert isinstance(reading.feature, ClientLimits)
            self.assertEqual(reading.feature.buckets[0].burst, 5000)

    def test_huge(self) -> None:
        """Numbers beyond what anybody sends are cut, and limit nobody."""
        policy = limits(rps="9" * 18, burst_multiplier="9" * 18, connections="9" * 18)
        self.assertEqual(Requests().admitted(policy, 100), 100)


class RateTests(SynchronousTestCase):
    def test_second(self) -> None:
        """A client may send the burst and one more at once, and then so many a second."""
        requests, policy = Requests(), limits(rps="2")
        self.assertEqual(requests.admitted(policy, 20), 11)
        requests.clock.advance(1)
        self.assertEqual(requests.admitted(policy, 20), 2)
        requests.clock.advance(100)
        self.assertEqual(requests.admitted(policy, 20), 11)

    def test_minute(self) -> None:
        """The same by the minute, and with another multiplier."""
        requests, policy = Requests(), limits(rpm="60", burst_multiplier="1")
        self.assertEqual(requests.admitted(policy, 100), 61)
        requests.clock.advance(60)
        self.assertEqual(requests.admitted(policy, 100), 60)

    def test_refusal(self) -> None:
        """A refusal is 503, says how long to wait, and has a reason of its own."""
        requests = Requests()
        for policy, wait in ((limits(rps="1"), b"1"), (limits(rpm="1"), b"63")):
            requests.admitted(policy, 6)
            answer = requests.send(policy)
            assert answer is not None
            self.assertEqual((answer.status, answer.outcome), (503, Outcome.LIMITED))
            self.assertEqual(answer.fields, ((b"Retry-After", wait),))

    def test_statuses(self) -> None:
        """The ConfigMap has the statuses of refusals."""
        config = Config(nginx=NginxSettings(limits=LimitDefaults(req_status=429, conn_status=430)))
        written = {"limit-rps": "1", "limit-connections": "7", "limit-burst-multiplier": "9"}
        policy = read_annotations(ClientLimits, written, config=config).feature
        assert isinstance(policy, ClientLimits)
        requests = Requests()
        refused = [requests.send(policy) for _ in range(12)]
        self.assertEqual([each.status for each in refused if each], [430] * 3 + [429] * 2)
        self.assertIn("get 429 or 430.", policy.explain())

    def test_clients(self) -> None:
        """Each address has a limit of its own; IPv6 by networks of 64 bits."""
        requests, policy = Requests(), limits(rps="1")
        for first, second, are_one in (
            (b"192.0.2.1", b"192.0.2.2", False),
            (b"2001:db8::1", b"2001:db8::ffff:1", True),
            (b"2001:db8:1::1", b"2001:db8:1:1::1", False),
            (b"", b"192.0.2.9", False),
        ):
            self.assertEqual(requests.admitted(policy, 9, first), 6, first)
            self.assertEqual(requests.admitted(policy, 9, second), 0 if are_one else 6, second)

    def test_zone(self) -> None:
        """The rules of an Ingress count together, and other Ingresses for themselves."""
        requests, web = Requests(), limits(rps="1")
        self.assertEqual(requests.admitted(web, 6), 6)
        self.assertEqual(requests.admitted(web.at(rule_scope("/b", host="b.example")), 6), 0)
        self.assertEqual(requests.admitted(web.at(rule_scope(namespace="other")), 6), 6)

    def test_both(self) -> None:
        """With both limits the stricter one decides, and its refusals take nothing."""
        requests, policy = Requests(), limits(rps="1", rpm="2", burst_multiplier="3")
        self.assertEqual(requests.admitted(policy, 9), 4)
        requests.clock.advance(3)
        self.assertEqual(requests.admitted(policy, 9), 3)
        requests.clock.advance(3)
        self.assertEqual(requests.admitted(policy, 9), 0)

    def test_exempt(self) -> None:
        """Those on the list are not limited; of its two names the newer one counts."""
        requests = Requests()
        for name in ("whitelist", "allowlist"):
            policy = limits(rps="1", connections="1", **{name: "10.0.0.0/8, 2001:db8::/32"})
            for address in (b"10.1.2.3", b"2001:db8::1"):
                self.assertEqual(requests.admitted(policy, 20, address), 20)
            self.assertEqual(requests.admitted(policy, 20, b"11.0.0.1"), name == "whitelist")
        policy = limits(connections="1", allowlist="", whitelist="10.0.0.0/8")
        self.assertEqual(requests.admitted(policy, 20, b"10.1.2.3"), 1)

    def test_dry_run(self) -> None:
        """A dry run counts what it would refuse, by rule and limit, and refuses nothing."""
        requests = Requests()
        policy = limits(rps="1", connections="2", dry_run="true")
        self.assertEqual(requests.admitted(policy, 9), 9)
        self.assertEqual(
            requests.states.limiter.refused,
            {
                LimitLabels("default", "web", "rps", is_dry=True): 3,
                LimitLabels("default", "web", "connections", is_dry=True): 7,
            },
        )
        self.assertEqual(policy.shown()["limits"]["isDryRun"], True)  # type: ignore[index]
        for _ in range(9):
            requests.end()
        requests.admitted(limits(connections="2"), 3)
        self.assertEqual(
            requests.states.limiter.refused[LimitLabels("default", "web", "connections")], 1
        )


class ConnectionTests(SynchronousTestCase):
    def test_in_progress(self) -> None:
        """Of 20 requests at once, 8 are let in, as in ingress-nginx's test; each makes room again."""
        requests, policy = Requests(), limits(connections="8")
        self.assertEqual(requests.admitted(policy, 20), 8)
        answer = requests.send(policy)
        assert answer is not None
        self.assertEqual((answer.status, answer.outcome), (503, Outcome.LIMITED))
        self.assertEqual(answer.fields, ((b"Retry-After", b"1"),))
        self.assertEqual(requests.admitted(policy, 20, b"192.0.2.2"), 8)
        for _ in range(3):
            requests.end()
        self.assertEqual(requests.admitted(policy, 20), 3)

    def test_refused_by_rate(self) -> None:
        """What the rate refuses is not in progress."""
        requests, policy = Requests(), limits(rps="1", burst_multiplier="1", connections="5")
        self.assertEqual(requests.admitted(policy, 20), 2)
        self.assertEqual(requests.admitted(limits(connections="5"), 20), 3)


class ExchangeTests(SynchronousTestCase):
    """What clients get, in bytes."""

    def wire(self, trusted: str = "", **values: str) -> Wire:
        networks = (ip_network(trusted),) if trusted else ()
        policies = (limits(**values),)
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, policies=policies)
        return Wire(config=Config(trusted_proxies=networks), route=route)

    def status(self, client: Peer) -> int:
        return client.receive().status

    def test_rate(self) -> None:
        """A request beyond the rate asks no endpoint, and gets 503 until the next second."""
        wire = self.wire(rps="1", burst_multiplier="1")
        client = wire.connect()
        client.send(GET)
        endpoint = wire.accept()
        endpoint.send(OK)
        self.assertEqual(self.status(client), 200)
        client.send(GET)
        endpoint.send(OK)
        self.assertEqual(self.status(client), 200)
        client.send(GET)
        answer = client.receive()
        self.assertEqual((answer.status, answer.values(b"Retry-After")), (503, [b"1"]))
        wire.advance(1)
        client.send(GET)
        endpoint.send(OK)
        self.assertEqual(self.status(client), 200)

    def test_ends(self) -> None:
        """Whatever way a request ends, it is in progress no more."""
        wire = self.wire(connections="1")
        flights = wire.plane.exchanges.policy_states.limiter.in_flight
        other = wire.connect()
        for end in ("whole", "lost", "broken", "upgraded"):
            client = wire.connect()
            client.send(UPGRADE if end == "upgraded" else GET)
            endpoint = wire.accept()
            if end == "upgraded":
                endpoint.send(SWITCHING)
                self.assertEqual(self.status(client), 101)
            other.send(GET)
            self.assertEqual(self.status(other), 503, end)
            if end == "whole":
                endpoint.send(OK)
                self.assertEqual(self.status(client), 200)
                endpoint.close()
            elif end == "broken":
                endpoint.send(OK[:20])
                endpoint.close()
                self.assertEqual(self.status(client), 502)
            else:
                client.reset()
            self.assertEqual(repr(flights), "<InFlight of 0 clients>", end)

    def test_named_client(self) -> None:
        """The client that a trusted proxy names counts, and what a stranger says does not."""
        for trusted, status in (("192.0.2.0/24", 200), ("10.0.0.0/8", 503)):
            wire = self.wire(trusted, rps="1", burst_multiplier="1")
            endpoint = None
            for number in range(3):
                client = wire.connect()
                client.send(request(b"GET", b"X-Forwarded-For: 203.0.113.%d" % number))
                if number < 2 or status == 200:
                    endpoint = endpoint or wire.accept()
                    endpoint.send(OK)
                self.assertEqual(self.status(client), 200 if number < 2 else status)
