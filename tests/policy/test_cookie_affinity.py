"""Tests of session affinity by cookie."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import md5
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.feature import RouteFeature
from ingress.testing import read_annotations, rule_scope

NOW = 1136214245.0
"""Mon, 02 Jan 2006 15:04:05 GMT."""

KEY = UpstreamKey("default", "web", "80")
BALANCED = CookieAffinity()
PERSISTENT = CookieAffinity(is_persistent=True)


def upstream(count: int, lingering: int = 0, key: UpstreamKey = KEY) -> Upstream:
    endpoints = [Endpoint(f"10.0.0.{number}", 80) for number in range(count + lingering)]
    return Upstream(key, tuple(endpoints[:count]), tuple(endpoints[count:]))


def new_session(affinity: CookieAffinity, to: Upstream, seed: int = 0) -> tuple[str, Endpoint]:
    made = affinity.new_session(to, now=NOW, process=7, random=Random(seed))
    assert made is not None
    return made


def digest(text: str) -> str:
    return md5(text.encode()).hexdigest()


class SessionTests(SynchronousTestCase):
    def test_found(self) -> None:
        """The session is found among other cookies, in one field or several."""
        for fields in (
            [b"INGRESSCOOKIE=abc"],
            [b"a=1; INGRESSCOOKIE=abc; b=2"],
            [b"a=1;INGRESSCOOKIE=abc"],
            [b"a=1", b'INGRESSCOOKIE="abc"'],
        ):
            with self.subTest(fields=fields):
                self.assertEqual(BALANCED.session(fields), "abc")

    def test_none(self) -> None:
        """Another name, an empty value and one that is no text of ours are no session."""
        for fields in (
            [],
            [b""],
            [b"XINGRESSCOOKIE=abc"],
            [b"ingresscookie=abc"],
            [b"a=INGRESSCOOKIE=abc"],
            [b"INGRESSCOOKIE="],
            [b"INGRESSCOOKIE=\xff"],
            [b"INGRESSCOOKIE=" + b"x" * 129],
        ):
            with self.subTest(fields=fields):
                self.assertIsNone(BALANCED.session(fields))


class EndpointTests(SynchronousTestCase):
    def test_round_trip(self) -> None:
        """A new session comes back to its endpoint, in both modes."""
        for affinity in (BALANCED, PERSISTENT):
            for seed in range(50):
                session, endpoint = new_session(affinity, upstream(5, 3), seed)
                self.assertEqual(affinity.endpoint(session, upstream(5, 3)), endpoint)

    def test_formats(self) -> None:
        """The values are those of ingress-nginx."""
        upstream_digest = digest(digest("default-web-80") + "default-web-80")
        session, _ = new_session(BALANCED, upstream(1))
        self.assertRegex(session, rf"^1136214245\.000\.7\.[0-9]{{1,6}}\|{upstream_digest}$")
        session, _ = new_session(PERSISTENT, upstream(1))
        self.assertEqual(session, f"{digest('default-web-8010.0.0.0:80')}|{upstream_digest}")

    def test_spread(self) -> None:
        """New sessions go to all endpoints alike, and never to lingering ones."""
        for affinity in (BALANCED, PERSISTENT):
            target = upstream(4, 4)
            counts = Counter(new_session(affinity, target, seed)[1] for seed in range(2000))
            self.assertEqual(set(counts), set(target.endpoints))
            self.assertTrue(all(400 < count < 600 for count in counts.values()), counts)

    def test_avoid(self) -> None:
        """Endpoints that failed get no new session, unless there are no others."""
        target = upstream(3)
        for affinity in (BALANCED, PERSISTENT):
            for avoid in (target.endpoints[:2], target.endpoints):
                made = affinity.new_session(
                    target, now=NOW, process=1, random=Random(1), avoid=avoid
                )
                assert made is not None
                session, endpoint = made
                self.assertEqual(affinity.endpoint(session, target), endpoint)
                self.assertEqual(endpoint in avoid, avoid == target.endpoints)

    def test_no_endpoint(self) -> None:
        """An Upstream without endpoints gets no session."""
        made = BALANCED.new_session(upstream(0, 2), now=NOW, process=1, random=Random(1))
        self.assertIsNone(made)

    def test_lingering(self) -> None:
        """A session stays on its endpoint while that one lingers, and moves when it is gone."""
        for affinity in (BALANCED, PERSISTENT):
            for seed in range(20):
                session, endpoint = new_session(affinity, upstream(4), seed)
                rest = tuple(each for each in upstream(4).endpoints if each != endpoint)
                self.assertEqual(
                    affinity.endpoint(session, Upstream(KEY, rest, (endpoint,))), endpoint
                )
                self.assertNotEqual(affinity.endpoint(session, Upstream(KEY, rest)), endpoint)

    def test_scaled_up(self) -> None:
        """Balanced sessions move only to the endpoint that is new, and few of them."""
        moved = 0
        for seed in range(1000):
            session, endpoint = new_session(BALANCED, upstream(9), seed)
            after = BALANCED.endpoint(session, upstream(10))
            if after != endpoint:
                moved += 1
                self.assertEqual(after, Endpoint("10.0.0.9", 80))
        self.assertTrue(50 < moved < 160, moved)

    def test_persistent_scaled_up(self) -> None:
        """Persistent sessions do not move at all."""
        session, endpoint = new_session(PERSISTENT, upstream(2))
        self.assertEqual(PERSISTENT.endpoint(session, upstream(10)), endpoint)

    def test_unknown(self) -> None:
        """What is not of this Upstream and mode is no known session."""
        other = upstream(3, key=UpstreamKey("default", "other", "80"))
        for affinity in (BALANCED, PERSISTENT):
            session, _ = new_session(affinity, other)
            self.assertIsNone(affinity.endpoint(session, upstream(3)))
            self.assertIsNone(affinity.endpoint(session.partition("|")[0], upstream(3)))
        self.assertIsNone(BALANCED.endpoint(new_session(PERSISTENT, upstream(3))[0], upstream(3)))
        self.assertIsNone(PERSISTENT.endpoint(new_session(BALANCED, upstream(3))[0], upstream(3)))

    @given(st.text(max_size=40))
    def test_garbage(self, text: str) -> None:
        """Garbage is never a known session and never an error."""
        for affinity in (BALANCED, PERSISTENT):
            self.assertIsNone(affinity.endpoint(text, upstream(3)))
            self.assertIsNone(affinity.endpoint(f"{text}|{text}", upstream(3)))


class SetCookieTests(SynchronousTestCase):
    def assert_cookie(
        self,
        affinity: CookieAffinity,
        expected: bytes,
        *,
        is_secure: bool = False,
        agent: bytes | None = None,
    ) -> None:
        cookie = affinity.set_cookie("v|u", is_secure=is_secure, user_agent=agent, now=NOW)
        self.assertEqual(cookie, expected)

    def test_default(self) -> None:
        """Path and HttpOnly are always there; Secure is over https."""
        self.assert_cookie(BALANCED, b"INGRESSCOOKIE=v|u; Path=/; HttpOnly")
        self.assert_cookie(BALANCED, b"INGRESSCOOKIE=v|u; Path=/; Secure; HttpOnly", is_secure=True)

    def test_all(self) -> None:
        """All attributes come in ingress-nginx's order."""
        affinity = CookieAffinity(
            "route", path="/a", expires=0, max_age=60, domain="a.example", is_secure=True,
            same_site="Lax",
        )  # fmt: skip
        self.assert_cookie(
            affinity,
            b"route=v|u; Expires=Mon, 02-Jan-06 15:04:05 GMT; Max-Age=60; Domain=a.example; "
            b"Path=/a; Secure; HttpOnly; SameSite=Lax",
        )

    def test_partitioned(self) -> None:
        """Partitioned follows the path, as in ingress-nginx."""
        self.assert_cookie(
            replace(BALANCED, is_partitioned=True),
            b"INGRESSCOOKIE=v|u; Path=/; Partitioned; Secure; HttpOnly",
            is_secure=True,
        )

    def test_conditional_same_site(self) -> None:
        """``SameSite=None`` is left out for clients that misread it, if the Ingress says so."""
        old = b"Mozilla/5.0 Chrome/60.0.1 Safari/537.36"
        plain = b"INGRESSCOOKIE=v|u; Path=/; HttpOnly"
        conditional = CookieAffinity(same_site="None", is_same_site_none_conditional=True)
        self.assert_cookie(conditional, plain, agent=old)
        self.assert_cookie(conditional, plain + b"; SameSite=None", agent=b"curl/8")
        self.assert_cookie(CookieAffinity(same_site="None"), plain + b"; SameSite=None", agent=old)

    def test_far_expiry(self) -> None:
        """An expiry beyond all calendars is the last that there is."""
        for expires in (10**17, -(10**17)):
            cookie = CookieAffinity(expires=expires).set_cookie(
                "v", is_secure=False, user_agent=None, now=NOW
            )
            self.assertIn(b"Expires=", cookie)


class AtTests(SynchronousTestCase):
    def test_rule_path(self) -> None:
        """The cookie is for the path of the rule; nothing in it can end the attribute."""
        self.assertEqual(BALANCED.at(rule_scope("/a/b")).path, "/a/b")
        self.assertEqual(
            BALANCED.at(rule_scope("/a; b\r\nü,\ud800")).path, "/a%3B%20b%0D%0A%C3%BC,%ED%A0%80"
        )

    def test_own_path(self) -> None:
        """A path of its own stays."""
        own = CookieAffinity(path="/own", has_own_path=True)
        self.assertIs(own.at(rule_scope("/a")), own)


class ReadCookieAffinityTests(SynchronousTestCase):
    def read(self, **values: str) -> tuple[RouteFeature | None, list[str]]:
        annotations = {name.replace("_", "-"): value for name, value in values.items()}
        reading = read_annotations(CookieAffinity, annotations)
        return reading.feature, list(reading.faults)

    def test_none(self) -> None:
        """Without ``affinity`` there is none, and its other annotations are no fault."""
        self.assertEqual(self.read(session_cookie_name="x", affinity_mode="balanced"), (None, []))

    def test_all(self) -> None:
        """Every annotation has its field."""
        affinity, faults = self.read(
            affinity="cookie",
            affinity_mode="persistent",
            session_cookie_name="route",
            session_cookie_path="/p",
            session_cookie_expires="1",
            session_cookie_max_age="2",
            session_cookie_domain="a.example",
            session_cookie_secure="true",
            session_cookie_samesite="none",
            session_cookie_conditional_samesite_none="true",
            session_cookie_change_on_failure="true",
            session_cookie_partitioned="true",
            session_cookie_hash="sha1",
        )
        expected = CookieAffinity(
            "route", True, "/p", True, 1, 2, "a.example", True, "None", True, True, True
        )
        self.assertEqual((affinity, faults), (expected, []))

    def test_bad_values(self) -> None:
        """A value that would break the field is a fault, and the default is taken."""
        affinity, faults = self.read(
            affinity="cookie",
            session_cookie_name="a b",
            session_cookie_path="/a; Domain=evil",
            session_cookie_domain="a\r\nSet-Cookie: x",
            session_cookie_max_age="48h",
        )
        self.assertEqual(affinity, CookieAffinity())
        self.assertEqual(len(faults), 4)
