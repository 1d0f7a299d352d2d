"""Tests of basic authentication."""

from __future__ import annotations

import pickle
from base64 import b64encode

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.config.nginx_settings import AnnotationSafety, NginxSettings
from ingress.errors import Outcome
from ingress.policy.annotation import PREFIX, Annotations, Closing, Extent, Subject
from ingress.policy.basic_auth import MAX_PASSWORD, MAX_REALM, BasicAuth
from ingress.policy.decision import Verdict
from ingress.policy.live_state import PolicyStates
from ingress.policy.password_checker import (
    MAX_WAIT,
    MAX_WAITING_OF_CLIENT,
    PasswordChecker,
    Verified,
)
from ingress.routing.route import Route
from ingress.testing import Reading, policy_context, read_annotations, verdict_of
from tests.policy.test_password_checker import HandThreads
from tests.support.wire import OK, UPSTREAM, Wire, request

CLOSED = Closing(Extent.RULES, Subject.ACCESS)
SHA = b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
SLOW = b"$2y$05$7NahAfovruaG6coeLvDSI.kSve4VNEouKByqWECjbOPC4gIMnWRZK"
SECRETS = {
    ("default", "file"): {"auth": b"alice:" + SHA},
    ("default", "slow"): {"auth": b"alice:" + SLOW + b"\nbob:" + SLOW.replace(b"$2y", b"$2b")},
    ("default", "map"): {"alice": SHA, "b": b"hunter2"},
    ("default", "other-key"): {"password": b"hunter2"},
    ("default", "empty"): {"auth": b""},
    ("other", "file"): {"auth": b"alice:" + SHA},
}


def read(secret: str = "file", **others: str) -> Reading:
    """:param others: further annotations, without ``auth-`` and with ``_`` for ``-``."""
    values = {"type": "basic", "secret": secret, **others}
    return read_annotations(
        BasicAuth,
        {f"auth-{name.replace('_', '-')}": value for name, value in values.items()},
        secrets=SECRETS,
    )


def policy(secret: str = "file", **others: str) -> BasicAuth:
    feature = read(secret, **others).feature
    assert isinstance(feature, BasicAuth)
    return feature


def basic(user: bytes, password: bytes) -> bytes:
    return b"Basic " + b64encode(user + b":" + password)


class ReadTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """A Secret has a file, which is the default, or a map; its namespace may be named."""
        for secret, form in (
            ("file", ""),
            ("file", "auth-file"),
            ("default/file", "auth-file"),
            (" file ", ""),
        ):
            self.assertEqual(read(secret, secret_type=form), Reading(policy(), {}, None))
        reading = read("map", secret_type="auth-map")
        self.assertEqual(reading.closing, None)
        self.assertEqual(
            reading.faults,
            {"auth-secret": "Secret default/map: key 2 of 2 has no hash of an accepted kind"},
        )

    def test_nothing(self) -> None:
        """Without the annotations nothing is asked for; a realm alone has no effect."""
        self.assertEqual(read_annotations(BasicAuth, {}), Reading(None, {}, None))
        reading = read_annotations(BasicAuth, {"auth-realm": "Shop"})
        self.assertEqual(reading.closing, None)
        self.assertIn("without effect", reading.faults["auth-realm"])

    def test_closed(self) -> None:
        """What cannot be honoured closes the paths."""
        without = dict.fromkeys(("auth-secret", "auth-secret-type"), "file")
        for values in ({"auth-secret": "file"}, {"auth-secret-type": "auth-file"}, without):
            reading = read_annotations(BasicAuth, values, secrets=SECRETS)
            self.assertEqual((reading.feature, reading.closing), (None, CLOSED), values)
        for reading, name, message in (
            (read(type="digest"), "auth-type", "digest is not implemented"),
            (read(type="Basic"), "auth-type", "basic is accepted"),
            (read(type=""), "auth-type", "basic is accepted"),
            (read(secret_type="auth"), "auth-secret-type", "auth-file or auth-map is accepted"),
            (read(""), "auth-type", "auth-secret names no Secret"),
            (read("a/b/c"), "auth-secret", "NAME or NAMESPACE/NAME"),
            (read("file\r\nx"), "auth-secret", "NAME or NAMESPACE/NAME"),
            (read("../file"), "auth-secret", "NAME or NAMESPACE/NAME"),
            (read("x" * 100_000), "auth-secret", "NAME or NAMESPACE/NAME"),
            (read("other/file"), "auth-secret", "own namespace"),
            (read("missing"), "auth-secret", "Secret default/missing does not exist"),
            (read("other-key"), "auth-secret", "Secret default/other-key has no key auth"),
        ):
            self.assertEqual((reading.feature, reading.closing), (None, CLOSED), message)
            self.assertIn(message, reading.faults[name])
            self.assertNotIn("hunter2", str(reading))

    def test_no_secret(self) -> None:
        """Without a Secret the paths are closed."""
        reading = read_annotations(BasicAuth, {"auth-type": "basic"}, secrets=SECRETS)
        self.assertEqual(reading.closing, CLOSED)

    def test_realm(self) -> None:
        """A realm of more than a line, or a long one, is a Problem; the users stay the same."""
        for realm in ("a\r\nSet-Cookie: b", "a\0", "\x7f", "x" * (MAX_REALM + 1), "\ud800"):
            reading = read(realm=realm)
            self.assertEqual((reading.feature, reading.closing), (policy(), None))
            self.assertIn("text of one line", reading.faults["auth-realm"])

    def test_references(self) -> None:
        """The Secret is watched if it can be looked at."""

        def references(**values: str) -> list[tuple[str, str, str]]:
            names = {f"{PREFIX}auth-{name}": value for name, value in values.items()}
            return list(BasicAuth.references(Annotations(names), "default"))

        self.assertEqual(references(type="basic", secret="a"), [("Secret", "default", "a")])
        self.assertEqual(references(type="basic", secret="b/a"), [("Secret", "b", "a")])
        for values in ({"type": "digest", "secret": "a"}, {"type": "basic", "secret": "A"}):
            self.assertEqual(references(**values), [])

    def test_other_namespace(self) -> None:
        """The ConfigMap may let Ingresses name Secrets of other namespaces."""
        safety = AnnotationSafety(allow_cross_namespace=True)
        reading = read_annotations(
            BasicAuth,
            {"auth-type": "basic", "auth-secret": "other/file"},
            config=Config(nginx=NginxSettings(annotations=safety)),
            secrets=SECRETS,
        )
        assert isinstance(reading.feature, BasicAuth)
        self.assertEqual((reading.closing, reading.feature.secret), (None, ("other", "file")))

    def test_shown(self) -> None:
        """Neither users nor hashes are shown, and the policy survives pickling."""
        found = policy(realm="Shop")
        self.assertEqual(
            found.shown(), {"basicAuth": {"secret": "default/file", "realm": "Shop", "users": 1}}
        )
        for text in (repr(found), str(found.shown()), found.explain()):
            self.assertNotIn("alice", text)
            self.assertNotIn("SHA", text)
        self.assertEqual(pickle.loads(pickle.dumps(found)), found)
        self.assertTrue(found.guards)


class AccessTests(SynchronousTestCase):
    def answer(self, asked: BasicAuth, *authorizations: bytes) -> Verdict:
        fields = [(b"Authorization", value) for value in authorizations]
        return verdict_of(asked.access(policy_context(fields=fields)))

    def test_in(self) -> None:
        """A user with the right password is let in, however the field is spelled."""
        right = basic(b"alice", b"secret")
        for value in (right, right.replace(b"Basic", b"bASIC"), right.replace(b" ", b"   ")):
            self.assertIsNone(self.answer(policy(), value))
        self.assertIsNone(self.answer(policy("map", secret_type="auth-map"), right))

    def test_out(self) -> None:
        """Everybody else gets 401 with a challenge."""
        right = basic(b"alice", b"secret")
        for values in (
            (),
            (b"",),
            (b"Basic",),
            (b"Basic ",),
            (b"Basic !",),
            (right.rstrip(b"="),) if right.endswith(b"=") else (right[:-1],),
            (right.replace(b"Basic", b"Bearer"),),
            (right.replace(b"Basic ", b"Basic\t"),),
            (b"Basic " + b64encode(b"alice"),),
            (b"Basic " + b64encode(b"alicesecret"),),
            (basic(b"alice", b""),),
            (basic(b"", b"secret"),),
            (basic(b"", b""),),
            (basic(b"alice", b"Secret"),),
            (basic(b"Alice", b"secret"),),
            (basic(b"alice", b"secret\0"),),
            (basic(b"alice\0", b"secret"),),
            (basic(b"alice", b"secret" + b"x" * MAX_PASSWORD),),
            (basic(b"alice", SHA),),
            (basic(b"b", b"hunter2"),),
            (right, right),
            (right, b"Bearer x"),
            (b"Basic " + b"A" * 100_000,),
        ):
            for asked in (policy(), policy("map", secret_type="auth-map")):
                answer = self.answer(asked, *values)
                assert isinstance(answer, Answer), values
                self.assertEqual((answer.status, answer.outcome), (401, Outcome.ACCESS_REFUSED))
                self.assertEqual(answer.fields, ((b"WWW-Authenticate", b'Basic realm=""'),))

    def test_empty(self) -> None:
        """A Secret without users lets nobody in."""
        reading = read("empty")
        self.assertEqual(reading.closing, None)
        self.assertIn("has no user that could be let in", reading.faults["auth-secret"])
        for values in ((), (basic(b"", b""),), (basic(b"alice", b"secret"),)):
            answer = self.answer(policy("empty"), *values)
            assert isinstance(answer, Answer)
            self.assertEqual(answer.status, 401)

    def test_realm(self) -> None:
        """The realm is quoted, whatever it has; ``off`` is a realm like any other."""
        for realm, field in (
            ("test auth", b'"test auth"'),
            ("off", b'"off"'),
            ('a"b\\c', b'"a\\"b\\\\c"'),
            ('x", charset="y', b'"x\\", charset=\\"y"'),
            ("Küche", '"Küche"'.encode()),
        ):
            answer = self.answer(policy(realm=realm))
            assert isinstance(answer, Answer)
            answer.check()
            self.assertEqual(answer.fields, ((b"WWW-Authenticate", b"Basic realm=" + field),))


class SlowTests(SynchronousTestCase):
    """Hashes that are verified in threads."""

    def setUp(self) -> None:
        self.threads = HandThreads()
        self.states = PolicyStates()
        checker = PasswordChecker(self.threads)
        self.states.of_process("basic-auth", lambda: checker)
        self.policy = policy("slow")

    def ask(self, user: bytes, password: bytes) -> Deferred[Verdict] | Verdict:
        field = (b"Authorization", basic(user, password))
        context = policy_context(fields=[field], states=self.states, reactor=Clock())
        decision = self.policy.access(context)
        assert isinstance(decision, Deferred | Answer) or decision is None
        return decision

    def waiting(self, user: bytes, password: bytes) -> Deferred[Verdict]:
        decision = self.ask(user, password)
        assert isinstance(decision, Deferred)
        return decision

    def test_waits(self) -> None:
        """The request waits for the result, which is then remembered."""
        decision = self.waiting(b"alice", b"secret")
        self.assertNoResult(decision)
        self.threads.end(b"secret", True)
        self.assertIsNone(self.successResultOf(decision))
        self.assertIsNone(self.ask(b"alice", b"secret"))
        wrong = self.waiting(b"alice", b"wrong")
        self.threads.end(b"wrong")
        answer = self.successResultOf(wrong)
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 401)

    def test_unknown_user(self) -> None:
        """A user who does not exist takes as long, and is refused whatever the result."""
        decision = self.waiting(b"mallory", b"secret")
        ((stored, _, _),) = self.threads.running
        self.assertIn(stored, (SLOW, SLOW.replace(b"$2y", b"$2b")))
        self.threads.end(b"secret", True)
        answer = self.successResultOf(decision)
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 401)

    def test_busy(self) -> None:
        """Where too many wait, or one for too long, the answer is 503 with a time to wait."""
        decisions = [
            self.waiting(b"alice", b"%d" % number) for number in range(MAX_WAITING_OF_CLIENT + 1)
        ]
        answer = self.ask(b"alice", b"more")
        self.threads.clock.advance(MAX_WAIT + 1)
        self.threads.running[0][2].callback(Verified(False, 0.0))
        for found in (answer, self.successResultOf(decisions[1])):
            assert isinstance(found, Answer)
            self.assertEqual((found.status, found.outcome), (503, Outcome.OVERLOADED))
            self.assertEqual(found.fields, ((b"Retry-After", b"1"),))


class ExchangeTests(SynchronousTestCase):
    """What clients get and endpoints see, in bytes."""

    def wire(self) -> Wire:
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, policies=(policy(),))
        return Wire(route=route)

    def test_in(self) -> None:
        """The endpoint does not see the password, in whatever spelling."""
        wire = self.wire()
        client = wire.connect()
        client.send(request(b"GET", b"Authorization: " + basic(b"alice", b"secret")))
        endpoint = wire.accept()
        self.assertNotIn(b"authorization", endpoint.read().lower())
        endpoint.send(OK)
        self.assertEqual(client.receive().status, 200)

    def test_out(self) -> None:
        """No endpoint is asked, for whatever method, and the connection goes on."""
        wire = self.wire()
        client = wire.connect()
        for method in (b"GET", b"HEAD", b"OPTIONS", b"POST", b"DELETE", b"PROPFIND"):
            client.send(request(method, b"Authorization: " + basic(b"alice", b"x")))
            answer = client.receive()
            self.assertEqual(answer.status, 401)
            self.assertEqual(answer.values(b"WWW-Authenticate"), [b'Basic realm=""'])
        self.assertEqual(wire.dials, [])
