"""Tests of external authentication."""

from __future__ import annotations

import pickle
from dataclasses import replace

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.config.nginx_settings import AnnotationSafety, GlobalAuth, NginxSettings
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.policy.annotation import PREFIX, Annotations, Closing, Extent, Subject
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed, Verdict
from ingress.policy.external_auth import ExternalAuth
from ingress.policy.live_state import PolicyStates
from ingress.policy.subrequest import Subrequest
from ingress.testing import Reading, deferred_of, policy_context, read_annotations, rule_scope
from tests.support.hand_asker import HandAsker

CLOSED = Closing(Extent.RULES, Subject.ACCESS)
URL = "http://auth.sso.svc.cluster.local/check"
CONFIG_MAPS = {
    ("default", "fields"): {
        "X-Tenant": "$namespace-$service_name",
        "X-Sent-From": "",
        "X-U": "$host",
    },
    ("default", "bad"): {"X-Tenant": "a\nb"},
    ("default", "unknown"): {"X-Tenant": "$connection"},
    ("default", "hop"): {"Connection": "close"},
    ("default", "name"): {"X Tenant": "a"},
    ("other", "fields"): {"X-Other": "1"},
}
ALLOWING = Config(nginx=NginxSettings(annotations=AnnotationSafety(allow_cross_namespace=True)))


def read(url: str | None = URL, config: Config | None = None, /, **others: str) -> Reading:
    """:param others: further annotations, without ``auth-`` and with ``_`` for ``-``."""
    values = {f"auth-{name.replace('_', '-')}": value for name, value in others.items()}
    if url is not None:
        values["auth-url"] = url
    return read_annotations(
        ExternalAuth, values, config=config or Config(), config_maps=CONFIG_MAPS
    )


def policy(url: str = URL, **others: str) -> ExternalAuth:
    reading = read(url, **others)
    assert isinstance(reading.feature, ExternalAuth), reading
    adapted = reading.feature.at(rule_scope())
    assert adapted is not None
    return adapted


class AuthCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.asker = HandAsker()
        self.states = PolicyStates()
        self.now = 0.0

    def context(
        self, target: bytes = b"/a?b=c", *fields: tuple[bytes, bytes], **others: bytes | bool | None
    ) -> PolicyContext:
        return policy_context(
            target=target,
            fields=fields,
            asker=self.asker,
            states=self.states,
            now=lambda: self.now,
            **others,  # type: ignore[arg-type]
        )

    def ask(self, policy: ExternalAuth, context: PolicyContext | None = None) -> Subrequest:
        """Have a request decided on; return what the server is asked."""
        self.deciding = deferred_of(policy.access(context or self.context()))
        self.assertNoResult(self.deciding)
        return self.asker.asked[-1]

    def verdict(self, status: int, *fields: tuple[bytes, bytes]) -> Verdict:
        """Return the decision after an answer of the server."""
        self.asker.answer(status, *fields)
        return self.successResultOf(self.deciding)

    def refusal(self, status: int, *fields: tuple[bytes, bytes]) -> Answer:
        verdict = self.verdict(status, *fields)
        assert isinstance(verdict, Answer), verdict
        return verdict

    def consent(self, status: int, *fields: tuple[bytes, bytes]) -> Proceed:
        verdict = self.verdict(status, *fields)
        assert isinstance(verdict, Proceed), verdict
        return verdict


class QuestionTests(AuthCase):
    """What the server is asked."""

    def test_question(self) -> None:
        """The server gets its path, its host, and the fields that ingress-nginx sends."""
        asked = self.ask(policy())
        self.assertEqual(asked.upstream, UpstreamKey("sso", "auth", "80"))
        self.assertEqual((asked.method, asked.target), (b"GET", b"/check"))
        self.assertEqual(asked.authority, b"auth.sso.svc.cluster.local")
        self.assertEqual((asked.tls, asked.is_secure), (None, False))
        self.assertEqual(
            asked.edits.replace,
            (
                (b"X-Original-URL", b"http://a.example/a?b=c"),
                (b"X-Original-Method", b"GET"),
                (b"X-Sent-From", b"nginx-ingress-controller"),
                (b"X-Auth-Request-Redirect", b"/a?b=c"),
            ),
        )

    def test_original_url(self) -> None:
        """The URL has the client's scheme and its host with the port."""
        for context, url in (
            (self.context(is_secure=True), b"https://a.example/a?b=c"),
            (self.context(host=b"A.example:8443"), b"http://A.example:8443/a?b=c"),
            (self.context(b"/a//b", sent_target=b"/a/b"), b"http://a.example/a/b"),
        ):
            self.ask(policy(), context)
            self.assertEqual(self.asker.sent(b"X-Original-URL"), url)

    def test_sent_path(self) -> None:
        """The server is asked about the path that the endpoint gets, in variables as well."""
        context = self.context(b"/public/../a", path=b"/a", sent_target=b"/a")
        asked = self.ask(policy(f"{URL}?uri=$request_uri"), context)
        self.assertEqual(asked.target, b"/check?uri=/a")
        self.assertEqual(self.asker.sent(b"X-Auth-Request-Redirect"), b"/a")

    def test_method(self) -> None:
        """A method of one's own has two more fields."""
        for method in ("GET", "HEAD", "post"):
            asked = self.ask(policy(method=method))
            self.assertEqual(asked.method, method.upper().encode())
            self.assertEqual(self.asker.sent(b"X-Original-URI"), b"/a?b=c")
            self.assertEqual(self.asker.sent(b"X-Scheme"), b"http")

    def test_no_claims(self) -> None:
        """A client cannot say itself what these fields say."""
        asked = self.ask(policy())
        self.assertLessEqual({b"x-original-uri", b"x-scheme"}, asked.edits.remove)
        self.assertLessEqual({b"x-original-url", b"x-sent-from"}, asked.edits.dropped)

    def test_redirect(self) -> None:
        """X-Auth-Request-Redirect may have another value."""
        self.ask(policy(request_redirect="https://$host/after?$args"))
        self.assertEqual(
            self.asker.sent(b"X-Auth-Request-Redirect"), b"https://a.example/after?b=c"
        )

    def test_set_fields(self) -> None:
        """A ConfigMap adds fields, replaces them and takes them out."""
        asked = self.ask(policy(proxy_set_headers="fields"))
        self.assertEqual(self.asker.sent(b"X-Tenant"), b"default-web")
        self.assertEqual(self.asker.sent(b"X-U"), b"a.example")
        self.assertIsNone(self.asker.sent(b"X-Sent-From"))
        self.assertIn(b"x-sent-from", asked.edits.remove)

    def test_certificate(self) -> None:
        """The server learns of the client's certificate what the endpoint learns."""
        edits = FieldEdits(replace=((b"ssl-client-verify", b"SUCCESS"), (b"X-Other", b"1")))
        self.ask(policy(), self.context().after(edits))
        self.assertEqual(self.asker.sent(b"ssl-client-verify"), b"SUCCESS")
        self.assertIsNone(self.asker.sent(b"X-Other"))

    def test_https(self) -> None:
        """https is spoken, and verified where the configuration says so."""
        secure = URL.replace("http:", "https:")
        for is_verified in (False, True):
            reading = read(secure, Config(auth_verify=is_verified))
            self.assertEqual("auth-url" in reading.faults, not is_verified)
            assert isinstance(reading.feature, ExternalAuth)
            asked = self.ask(reading.feature)
            assert asked.tls is not None
            self.assertEqual(asked.tls.is_verified, is_verified)
            self.assertEqual(asked.tls.name, "auth.sso.svc.cluster.local")
            told = "not verified" in reading.feature.explain()
            self.assertEqual(told, not is_verified)

    def test_own_host(self) -> None:
        """The host of the request is no server elsewhere."""
        asked = self.ask(policy("https://$host/oauth2/auth"))
        self.assertEqual((asked.upstream, asked.authority, asked.is_secure), (None, b"", True))
        self.assertEqual(read("https://$host/oauth2/auth").faults, {})

    def test_unsendable(self) -> None:
        """A value of the client that is none of a field is refused, and nobody is asked."""
        hostile = (b"Authorization", b"Basic YQpiOmM=")
        context = self.context(b"/", hostile)
        answer = policy(request_redirect="$remote_user").access(context)
        assert isinstance(answer, Answer)
        self.assertEqual((answer.status, self.asker.asked), (400, []))

    def test_cancelled(self) -> None:
        """The request ends with that of the client."""
        self.ask(policy())
        self.deciding.cancel()
        self.failureResultOf(self.deciding, CancelledError)
        self.assertEqual(self.asker.cancelled, 1)


class DecisionTests(AuthCase):
    """What the server's answer means."""

    def test_consent(self) -> None:
        """2xx lets the request pass."""
        for status in (200, 201, 202, 204, 206, 299):
            self.ask(policy())
            self.assertIsNone(self.verdict(status), status)

    def test_refusal(self) -> None:
        """401 and 403 reach the client, a challenge as well."""
        self.ask(policy())
        challenges = ((b"WWW-Authenticate", b"Basic"), (b"WWW-Authenticate", b"Bearer"))
        answer = self.refusal(401, *challenges, (b"X-Secret", b"1"), (b"Set-Cookie", b"a=b"))
        self.assertEqual((answer.status, answer.fields), (401, challenges))
        self.ask(policy())
        answer = self.refusal(403, *challenges)
        self.assertEqual((answer.status, answer.fields), (403, ()))

    def test_everything_else(self) -> None:
        """Every other status is 500, whatever it may mean elsewhere."""
        for status in (300, 301, 302, 304, 307, 400, 402, 404, 407, 418, 429, 500, 502, 503, 599):
            for others in ({}, {"signin": "https://a.example/start"}):
                self.ask(policy(**others))
                answer = self.refusal(status, (b"Location", b"https://elsewhere.example/"))
                self.assertEqual((answer.status, answer.fields), (500, ()), status)

    def test_failure(self) -> None:
        """No answer is 500, and too many requests in flight are 503."""
        for outcome, status in (
            (Outcome.DIAL_FAILED, 500),
            (Outcome.ENDPOINT_TIMEOUT, 500),
            (Outcome.ENDPOINT_BROKE, 500),
            (Outcome.NO_ENDPOINT, 500),
            (Outcome.LOOP_DETECTED, 500),
            (Outcome.BAD_REQUEST, 500),
            (Outcome.OVERLOADED, 503),
        ):
            self.ask(policy(signin="https://a.example/start", cache_key="$host"))
            self.asker.fail(outcome)
            answer = self.successResultOf(self.deciding)
            assert isinstance(answer, Answer)
            self.assertEqual(answer.status, status, outcome)

    def test_copied(self) -> None:
        """Fields of the answer go to the endpoint, in number; the client's own never do."""
        asking = policy(response_headers="X-User, x-groups,X-Absent, X-User")
        self.ask(asking)
        consent = self.consent(
            200, (b"X-Groups", b"a"), (b"X-Groups", b"b"), (b"x-user", b"alice"), (b"X-Other", b"1")
        )
        self.assertEqual(
            consent.request_edits.replace,
            ((b"X-User", b"alice"), (b"x-groups", b"a"), (b"x-groups", b"b")),
        )
        self.assertEqual(consent.response_edits, NO_EDITS)
        sent = [(b"X_User", b"evil"), (b"X-GROUPS", b"evil"), (b"x-absent", b"evil"), (b"A", b"1")]
        self.assertEqual(asking.request_edits.apply_to_request(sent), [(b"A", b"1")])

    def test_cookies(self) -> None:
        """Cookies reach the client, each, with the statuses of add_header, or always."""
        cookies = ((b"Set-Cookie", b"_oauth2_proxy_0=a"), (b"Set-Cookie", b"_oauth2_proxy_1=b"))
        self.ask(policy())
        consent = self.consent(202, *cookies)
        self.assertEqual(consent.success_edits.add, cookies)
        self.assertEqual(consent.response_edits, NO_EDITS)
        self.ask(policy(always_set_cookie="true"))
        consent = self.consent(202, *cookies)
        self.assertEqual(consent.response_edits.add, cookies)
        self.assertEqual(consent.success_edits, NO_EDITS)
        self.ask(policy(always_set_cookie="true"))
        self.assertEqual(self.refusal(403, *cookies).fields, cookies)

    def test_bad_value(self) -> None:
        """A value that cannot stand in a head lets nobody pass."""
        self.ask(policy(response_headers="X-User"))
        self.assertEqual(self.refusal(200, (b"X-User", b"a\nb")).status, 500)


class SignInTests(AuthCase):
    """Who is not signed in is sent to a page to do so."""

    def location(self, url: str, context: PolicyContext | None = None, **others: str) -> bytes:
        self.ask(policy(signin=url, **others), context)
        answer = self.refusal(401, (b"WWW-Authenticate", b"Basic"))
        self.assertEqual(answer.status, 302)
        ((name, value),) = answer.fields
        self.assertEqual(name, b"Location")
        return value

    def test_location(self) -> None:
        """The page learns what was asked for, in a parameter."""
        here = b"http://a.example%2Fa%3Fb%3Dc"
        for url, location in (
            ("http://b.example/start", b"http://b.example/start?rd=" + here),
            ("http://b.example/start?x=1", b"http://b.example/start?x=1&rd=" + here),
            ("http://b.example/start?", b"http://b.example/start?rd=" + here),
            ("http://b.example/start?rd=/x", b"http://b.example/start?rd=/x"),
            (
                "https://$host/oauth2/start?rd=$escaped_request_uri",
                b"https://a.example/oauth2/start?rd=%2Fa%3Fb%3Dc",
            ),
            ("https://b.example?rm=$request_method", b"https://b.example?rm=GET&rd=" + here),
            ("/oauth2/start", b"http://a.example/oauth2/start?rd=" + here),
        ):
            self.assertEqual(self.location(url), location, url)

    def test_documented(self) -> None:
        """The case of ingress-nginx's tests: scheme and host as they are, the rest escaped."""
        context = self.context(b"/?a=b&c=d", host=b"auth.example:8080")
        self.assertEqual(
            self.location("http://$host/auth/start", context),
            b"http://auth.example/auth/start?rd=http://auth.example:8080%2F%3Fa%3Db%26c%3Dd",
        )

    def test_parameter(self) -> None:
        """The parameter may have another name."""
        location = self.location("http://b.example/?rd=1", signin_redirect_param="next")
        self.assertTrue(location.startswith(b"http://b.example/?rd=1&next=http://"), location)
        reading = read(signin="http://b.example/", signin_redirect_param="a&b=")
        self.assertIn("the default is used instead", reading.faults["auth-signin-redirect-param"])

    def test_client_values(self) -> None:
        """What a client sends does not become another field, or a host that the author chose."""
        context = self.context(b"/", (b"X", b"a b\x80<\"'>"), is_secure=True)
        location = self.location("https://b.example/?x=$http_x&rd=1", context)
        self.assertEqual(location, b"https://b.example/?x=a%20b%80%3C%22'%3E&rd=1")
        long = self.context(b"/" + b"%" * 9000)
        self.assertEqual(self.location("https://b.example/", long), b"https://b.example/")

    def test_cookies(self) -> None:
        """The redirect sets the cookies of the 401."""
        self.ask(policy(signin="https://b.example/"))
        answer = self.refusal(401, (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"))
        self.assertEqual(answer.status, 302)
        self.assertEqual(answer.fields[1:], ((b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")))

    def test_forbidden(self) -> None:
        """403 is none of its business."""
        self.ask(policy(signin="https://b.example/"))
        self.assertEqual(self.refusal(403).status, 403)

    def test_refused(self) -> None:
        """A page that is none leaves the 401, and closes nothing more."""
        for url in (
            "ftp://b.example/",
            "//b.example/",
            "javascript:alert(1)",
            "https://",
            "https://b.example/#x",
            "https://b.example/ x",
            "https://b.example/\r\nX: y",
            'https://b.example/"x"',
            "https://b.example/" + "x" * 3000,
            "https://b.example/$connection",
        ):
            reading = read(signin=url)
            self.assertIn("gets 401 instead", reading.faults["auth-signin"], url)
            self.assertIsNone(reading.closing)
            assert isinstance(reading.feature, ExternalAuth)
            self.assertIsNone(reading.feature.sign_in)


class CacheTests(AuthCase):
    """Decisions that are used again."""

    def passes(self, policy: ExternalAuth, context: PolicyContext) -> bool:
        """Whether a request passes, without the server."""
        decision = policy.access(context)
        return decision is None or isinstance(decision, Proceed)

    def user(self, name: bytes, target: bytes = b"/", **others: bytes) -> PolicyContext:
        return self.context(target, (b"Cookie", b"user=" + name), **others)

    def test_used_again(self) -> None:
        """A decision holds for requests of the same key, host and rule, for its time."""
        asking = policy(cache_key="$cookie_user", response_headers="X-User")
        self.ask(asking, self.user(b"alice"))
        consent = self.consent(200, (b"X-User", b"alice"))
        self.assertIs(asking.access(self.user(b"alice", b"/other")), consent)
        self.assertEqual(len(self.asker.asked), 1)
        for other in (
            self.user(b"bob"),
            self.user(b"alice", host=b"b.example"),
            policy_context(
                fields=[(b"Cookie", b"user=alice")],
                asker=self.asker,
                states=self.states,
                rule=self.user(b"").rule._replace(path="/other"),
            ),
        ):
            self.ask(asking, other)
        self.now = 299.0
        self.assertTrue(self.passes(asking, self.user(b"alice")))
        self.now = 300.0
        self.ask(asking, self.user(b"alice"))

    def test_same_head(self) -> None:
        """A head that came before needs no key; another host, rule or time does."""
        asking = policy(cache_key="$cookie_user")
        first = self.user(b"alice")
        self.ask(asking, first)
        self.assertIsNone(self.verdict(200))
        self.assertTrue(self.passes(asking, first))
        self.assertIsNotNone(first.request.cache.decision)
        self.assertTrue(self.passes(asking, first))
        self.ask(policy(f"{URL}2", cache_key="$cookie_user"), first)
        other_host = self.user(b"alice", host=b"b.example")
        other_host.request.cache = first.request.cache
        self.ask(asking, other_host)
        self.now = 300.0
        self.ask(asking, first)
        by_target = policy(cache_key="$cookie_user$request_uri")
        self.ask(by_target, self.user(b"bob"))
        self.assertIsNone(self.verdict(200))
        again = self.user(b"bob")
        self.assertTrue(self.passes(by_target, again))
        self.assertIsNone(again.request.cache.decision)

    def test_settings(self) -> None:
        """Another server, or another field that is copied, is asked again."""
        self.ask(policy(cache_key="$cookie_user"), self.user(b"alice"))
        self.assertIsNone(self.verdict(200))
        self.ask(policy(cache_key="$cookie_user", response_headers="X-U"), self.user(b"alice"))
        self.ask(policy(f"{URL}2", cache_key="$cookie_user"), self.user(b"alice"))

    def test_refusals(self) -> None:
        """401 is kept by default, with the page of each request; 403 and 500 are not."""
        asking = policy(cache_key="$cookie_user", signin="https://b.example/")
        self.ask(asking, self.user(b"eve"))
        self.assertEqual(self.refusal(401).status, 302)
        again = asking.access(self.user(b"eve", b"/other"))
        assert isinstance(again, Answer)
        self.assertIn(
            (b"Location", b"https://b.example/?rd=http://a.example%2Fother"), again.fields
        )
        for status in (403, 500, 204):
            name = b"user%d" % status
            self.ask(asking, self.user(name))
            self.verdict(status)
            self.ask(asking, self.user(name))

    def test_no_key(self) -> None:
        """Where the client has said nothing that is in the key, no consent is kept."""
        asking = policy(cache_key="$cookie_user")
        self.ask(asking)
        self.assertIsNone(self.verdict(200))
        self.ask(asking)
        self.assertEqual(self.refusal(401).status, 401)
        self.assertIsInstance(asking.access(self.context()), Answer)
        constant = policy(cache_key="foo")
        self.ask(constant)
        self.assertIsNone(self.verdict(200))
        self.assertTrue(self.passes(constant, self.context()))

    def test_for_one_client(self) -> None:
        """What sets a cookie, or must not be stored, is used once."""
        asking = policy(cache_key="$cookie_user")
        for number, field in enumerate(
            (
                (b"Set-Cookie", b"a=b"),
                (b"Cache-Control", b"private, max-age=60"),
                (b"Cache-Control", b"no-store"),
                (b"Cache-Control", b"max-age=0"),
                (b"Vary", b"*"),
                (b"Expires", b"0"),
            )
        ):
            self.ask(asking, self.user(b"%d" % number))
            self.verdict(200, field)
            self.ask(asking, self.user(b"%d" % number))

    def test_vary(self) -> None:
        """A decision that depends on further fields holds for the same values of these."""
        asking = policy(cache_key="$cookie_user")
        german = (b"Accept-Language", b"de")
        self.ask(asking, self.context(b"/", (b"Cookie", b"user=a"), german))
        self.verdict(200, (b"Vary", b"Accept-Language, Cookie"))
        self.assertTrue(self.passes(asking, self.context(b"/", (b"Cookie", b"user=a"), german)))
        self.ask(asking, self.user(b"a"))

    def test_not_kept(self) -> None:
        """A failure is never kept."""
        asking = policy(cache_key="$cookie_user", cache_duration="500 1h")
        self.ask(asking, self.user(b"a"))
        self.asker.fail()
        self.successResultOf(self.deciding)
        self.ask(asking, self.user(b"a"))

    def test_bad_settings(self) -> None:
        """A key or a time that cannot be read has the server asked each time."""
        for others in (
            {"cache_key": "$connection"},
            {"cache_key": "$host", "cache_duration": "200"},
            {"cache_key": "$host", "cache_duration": "5m 200"},
            {"cache_key": "$host", "cache_duration": "200 5x"},
            {"cache_key": "$host", "cache_duration": ","},
        ):
            reading = read(**others)
            (fault,) = reading.faults.values()
            self.assertIn("the server is asked about each request", fault)
            assert isinstance(reading.feature, ExternalAuth)
            self.assertIsNone(reading.feature.cache_key)


class ReadTests(SynchronousTestCase):
    """Annotations become a policy, or close the paths."""

    def test_nothing(self) -> None:
        """Without a server nobody is asked."""
        self.assertEqual(read(None), Reading(None, {}, None))

    def test_bad_url(self) -> None:
        """A URL that cannot be asked closes, and its value is not shown."""
        for url in ("", "auth.example.com", "http://$http_x/", "http://u:secret@a/", "http://a/$x"):
            reading = read(url)
            self.assertEqual((reading.feature, reading.closing), (None, CLOSED), url)
            self.assertNotIn("secret", reading.faults["auth-url"])

    def test_closing(self) -> None:
        """A value that decides what is let in, or what endpoints believe, closes."""
        for others in (
            {"method": "CONNECT"},
            {"method": "NOPE"},
            {"response_headers": "X User"},
            {"response_headers": "X-User\r\nX: y"},
            {"response_headers": ",".join(f"X-{number}" for number in range(200))},
            {"proxy_set_headers": "absent"},
            {"proxy_set_headers": "other/fields"},
            {"proxy_set_headers": "a/b/c"},
            {"proxy_set_headers": "bad"},
            {"proxy_set_headers": "unknown"},
            {"proxy_set_headers": "hop"},
            {"proxy_set_headers": "name"},
        ):
            reading = read(**others)
            self.assertEqual((reading.feature, reading.closing), (None, CLOSED), others)

    def test_other_namespace(self) -> None:
        """A ConfigMap of another namespace is read where the ConfigMap allows it."""
        reading = read(URL, ALLOWING, proxy_set_headers="other/fields")
        self.assertEqual(reading.closing, None)

    def test_never_copied(self) -> None:
        """Fields of the connection are left out, with a word about it."""
        reading = read(response_headers="Connection,X-User,Content-Length,Host,CDN-Loop")
        assert isinstance(reading.feature, ExternalAuth)
        self.assertEqual(reading.feature.copied, ("X-User",))
        self.assertIn("cdn-loop, connection, content-length, host", str(reading.faults))

    def test_without_url(self) -> None:
        """What would decide access closes, everything else is without effect."""
        for name, closing in (
            ("signin", CLOSED),
            ("proxy_set_headers", CLOSED),
            ("response_headers", None),
            ("method", None),
            ("cache_key", None),
            ("always_set_cookie", None),
        ):
            reading = read(None, **{name: "x"})
            self.assertEqual((reading.feature, reading.closing), (None, closing), name)
            self.assertEqual(len(reading.faults), 1, name)

    def test_keepalive(self) -> None:
        """The annotations about kept connections are accepted."""
        names = ("keepalive", "keepalive_requests", "keepalive_share_vars", "keepalive_timeout")
        self.assertEqual(read(**dict.fromkeys(names, "1")).faults, {})

    def test_references(self) -> None:
        """The ConfigMap is known before it is read."""
        written = {PREFIX + "auth-url": URL, PREFIX + "auth-proxy-set-headers": "fields"}
        self.assertEqual(
            list(ExternalAuth.references(Annotations(written), "default")),
            [("ConfigMap", "default", "fields")],
        )

    def test_upstream(self) -> None:
        """The server is one of the Upstreams, unless it is the host itself."""
        self.assertEqual(list(policy().upstreams), [("auth-url", UpstreamKey("sso", "auth", "80"))])
        self.assertEqual(list(policy("https://$host/x").upstreams), [])

    def test_pickled(self) -> None:
        """Policies go to workers as they are."""
        made = policy(
            f"{URL}?x=$host",
            signin="https://a.example/",
            response_headers="X-User",
            cache_key="$cookie_x",
            proxy_set_headers="fields",
        )
        copy = pickle.loads(pickle.dumps(made))
        self.assertEqual(copy, made)
        self.assertEqual((copy.digest, copy.edits), (made.digest, made.edits))

    def test_no_secret(self) -> None:
        """Neither a repr nor what is shown has a value that may hold a secret."""
        made = policy(
            f"{URL}?token=s3cret",
            signin="https://a.example/?s3cret",
            cache_key="s3cret$host",
            request_redirect="s3cret",
        )
        for text in (repr(made), str(made.shown()), made.explain(), repr(made.upstreams)):
            self.assertNotIn("s3cret", text)


class GlobalTests(AuthCase):
    """The server of the ConfigMap decides about everything that has no other."""

    def config(self, **settings: object) -> Config:
        auth = replace(GlobalAuth(url=URL), **settings)  # type: ignore[arg-type]
        return Config(nginx=NginxSettings(auth=auth))

    def read(self, annotations: dict[str, str], **settings: object) -> Reading:
        return read_annotations(ExternalAuth, annotations, config=self.config(**settings))

    def test_for_all(self) -> None:
        """An Ingress without annotations has it, and its settings."""
        reading = self.read(
            {},
            signin="https://b.example/",
            signin_redirect_param="next",
            response_headers=("X-User",),
            cache_key="$cookie_x",
            method="POST",
            request_redirect="/x",
            always_set_cookie=True,
        )
        made = reading.feature
        assert isinstance(made, ExternalAuth)
        self.assertEqual(reading.faults, {})
        self.assertEqual((made.method, made.copied, made.is_global), ("POST", ("X-User",), True))
        self.assertEqual(list(made.upstreams), [("", UpstreamKey("sso", "auth", "80"))])
        self.ask(made, self.context(b"/", (b"Cookie", b"x=1")))
        self.assertIn(b"?next=", dict(self.refusal(401).fields)[b"Location"])

    def test_switched_off(self) -> None:
        """An Ingress may do without it; a value that says neither leaves it on."""
        self.assertEqual(self.read({"enable-global-auth": "false"}), Reading(None, {}, None))
        reading = self.read({"enable-global-auth": "nope"})
        self.assertIsNotNone(reading.feature)
        self.assertIn("the default is used instead", reading.faults["enable-global-auth"])

    def test_own(self) -> None:
        """An Ingress that names a server has that one."""
        made = self.read({"auth-url": "http://b.example/"}).feature
        assert isinstance(made, ExternalAuth)
        self.assertEqual((made.url.host, made.is_global), ("b.example", False))
        self.assertIsNotNone(made.at(rule_scope("/.well-known/acme-challenge/x")))

    def test_exempt(self) -> None:
        """Rules below some paths need no authentication."""
        made = self.read({}, no_auth_locations=("/.well-known/acme-challenge", "/open/")).feature
        assert isinstance(made, ExternalAuth)
        for path, is_exempt in (
            ("/.well-known/acme-challenge", True),
            ("/.well-known/acme-challenge/token", True),
            ("/.well-known/acme-challenges", False),
            ("/open/x", True),
            ("/open", False),
            ("/", False),
            ("/x/.well-known/acme-challenge/", False),
        ):
            self.assertEqual(made.at(rule_scope(path)) is None, is_exempt, path)

    def test_annotations_without_url(self) -> None:
        """Annotations that are about a server of one's own are without effect, and close nothing."""
        reading = self.read({"auth-signin": "https://b.example/"})
        self.assertIsNone(reading.closing)
        self.assertIn("without effect", reading.faults["auth-signin"])
        assert isinstance(reading.feature, ExternalAuth)
        self.assertIsNone(reading.feature.sign_in)
