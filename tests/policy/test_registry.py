"""Tests of the registry, and of how a feature is added to it."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator, Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.route_json import route_json
from ingress.answer import Answer
from ingress.config import Config
from ingress.document import load_documents
from ingress.kube.manifest import read_objects
from ingress.policy.annotation import OWN_PREFIX, PREFIX, Annotations
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.feature import Setting
from ingress.policy.known_annotations import FORMER_NAMES, NAMES
from ingress.policy.policy import Policy
from ingress.policy.redirect import Redirect
from ingress.policy.registry import FEATURES, REGISTRY, Registry
from ingress.policy.scope import ReadContext
from ingress.routing.match import find_route
from ingress.routing.route import Route
from ingress.testing import policy_context
from tests.support.objects import FILES, built, ingress, problems_of, served
from tests.support.permanent_redirect import PermanentRedirect
from tests.support.wire import Wire

OTHERS = tuple(feature for feature in FEATURES if feature is not Redirect)
"""Without the proxy's own redirects, which the policy of these tests takes the place of."""

REFUSING = {"satisfy"}
"""Annotations that decide access, besides the families of `test_access_decided`."""

WITH_REDIRECT = Registry((*OTHERS, PermanentRedirect))
URL = "https://new.example/moved"
MANIFEST = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web, annotations: {{nginx.ingress.kubernetes.io/permanent-redirect: "{URL}"}}}}
spec:
  rules:
  - host: a.example
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""


class RecordingAnnotations(Annotations):
    """Records which annotations are read."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        super().__init__(annotations)
        self.read: set[str] = set()

    def text(self, name: str, *arguments: object, **keywords: object) -> str:
        self.read.add(name)
        return super().text(name, *arguments, **keywords)  # type: ignore[arg-type]


def context(config: Config = FILES) -> ReadContext:
    return ReadContext(config, "default", lambda name: BackendSecret(fault="does not exist"))


def route_with(annotations: dict[str, str], registry: Registry) -> tuple[Route, list[str]]:
    """The Route of an Ingress with these annotations, and its Problems."""
    web = ingress("a.example", {"/": "web:80"}, annotations=annotations)
    result = built(web, served("web"), registry=registry)
    route = find_route(result.snapshot, b"a.example", b"/old")
    assert route is not None
    return route, problems_of(result)


class NewPolicyTests(SynchronousTestCase):
    """A policy is its own module and one line of registration (ARCHITECTURE.md, "Where to add")."""

    def test_unknown(self) -> None:
        """Without that line the annotation is not implemented."""
        route, problems = route_with({"permanent-redirect": URL}, Registry(OTHERS))
        self.assertEqual(route.policies, ())
        self.assertEqual(len(problems), 1)
        self.assertIn("not implemented", problems[0])

    def test_served(self) -> None:
        """It is read from a manifest, takes part in its phase, and answers."""
        route, problems = route_with({"permanent-redirect": URL}, WITH_REDIRECT)
        self.assertEqual(problems, [])
        self.assertEqual(route.request_policies, (PermanentRedirect(URL),))
        self.assertEqual(route.access_policies, ())
        answer = route.request_policies[0].request(policy_context(target=b"/old"))
        assert isinstance(answer, Answer)
        self.assertEqual((answer.status, answer.fields), (301, ((b"Location", URL.encode()),)))

    def test_exchange(self) -> None:
        """A client of a manifest with the annotation is redirected, and no endpoint is asked."""
        items = [
            reading.item
            for document in load_documents(MANIFEST)
            for reading in read_objects(document, "web.yaml")
        ]
        snapshot = built(*filter(None, items), registry=WITH_REDIRECT).snapshot
        wire = Wire()
        wire.plane.publish(snapshot)
        client = wire.connect()
        client.send(b"GET /old HTTP/1.1\r\nHost: a.example\r\n\r\n")
        answer = client.receive()
        self.assertEqual((answer.status, answer.values(b"Location")), (301, [URL.encode()]))
        self.assertEqual(wire.dials, [])

    def test_shown(self) -> None:
        """It shows and explains itself, and is known as supported."""
        route, _ = route_with({"permanent-redirect": URL}, WITH_REDIRECT)
        self.assertEqual(route_json(route)["permanentRedirect"], URL)
        self.assertIn(
            f"Every request is redirected to {URL}.", [f.explain() for f in route.features]
        )
        self.assertIn("permanent-redirect", WITH_REDIRECT.known_annotations)

    def test_fault(self) -> None:
        """A value that it does not take is a Problem, and redirects nobody."""
        route, (problem,) = route_with({"permanent-redirect": "javascript:x"}, WITH_REDIRECT)
        self.assertEqual(route.policies, ())
        self.assertIn("an http or https URL is accepted", problem)

    def test_order(self) -> None:
        """Policies are asked in the order of the registry, whatever that of the annotations."""
        annotations = {"permanent-redirect": URL, "force-ssl-redirect": "true"}
        for registry, expected in (
            (WITH_REDIRECT, ["https-redirect", "permanent-redirect"]),
            (Registry((PermanentRedirect, *OTHERS)), ["permanent-redirect", "https-redirect"]),
        ):
            route, _ = route_with(annotations, registry)
            self.assertEqual([policy.name for policy in route.policies], expected)


class RegistryTests(SynchronousTestCase):
    def test_same_key(self) -> None:
        """Two features of one key are a mistake of ours."""
        self.assertRaises(ValueError, Registry, (PermanentRedirect, PermanentRedirect))

    def test_declared(self) -> None:
        """Each feature reads the annotations that it declares, and no others."""
        for entry in FEATURES:
            written = {PREFIX + name: "" for name in entry.annotations}
            annotations = RecordingAnnotations({**written, f"{PREFIX}backend-protocol": "HTTPS"})
            entry.read(annotations, context())
            self.assertEqual(annotations.read, set(entry.annotations), entry)

    def test_known_to_ingress_nginx(self) -> None:
        """What features read are annotations of ingress-nginx, or our own."""
        ours = {name for name in REGISTRY.known_annotations if name.startswith(OWN_PREFIX)}
        self.assertLessEqual(REGISTRY.known_annotations - ours, NAMES | FORMER_NAMES)

    def test_access_decided(self) -> None:
        """Each annotation that decides access and is not implemented closes and says only so."""
        families = re.compile(r"auth-.+|limit-(?!rate$|rate-after$).+|.+-snippet")
        for name in NAMES - REGISTRY.known_annotations | REFUSING:
            annotations = Annotations({PREFIX + name: "1"})
            REGISTRY.read(annotations, context())
            (fault,) = annotations.faults
            decides = families.fullmatch(name) is not None or name in REFUSING
            self.assertEqual(annotations.closing is not None, decides, name)
            self.assertEqual(fault.message.endswith(" answer 503"), decides, fault)

    def test_plain_values(self) -> None:
        """Whatever annotations come to is pickled, shown as JSON and explained."""
        for feature in _some_features():
            self.assertEqual(pickle.loads(pickle.dumps(feature)), feature)
            self.assertEqual(json.loads(json.dumps(feature.shown())), feature.shown())
            self.assertRegex(feature.explain(), r"\A[A-Z].*\.\Z")
            self.assertEqual(isinstance(feature, Policy), not isinstance(feature, Setting))

    @given(st.dictionaries(st.sampled_from(sorted(REGISTRY.known_annotations)), st.text()))
    def test_order(self, values: dict[str, str]) -> None:
        """Features are in the order of the registry, and each fault is told once."""
        written = {
            name if name.startswith(OWN_PREFIX) else PREFIX + name: values[name] for name in values
        }
        annotations = Annotations(written)
        features = REGISTRY.read(annotations, context())
        self.assertEqual(list(features), list(REGISTRY.in_order(features)))
        faults = [(fault.name, fault.message) for fault in annotations.faults]
        self.assertEqual(len(faults), len(set(faults)))


def _some_features() -> Iterator[Policy | Setting]:
    for values in (
        {},
        {"affinity": "cookie", "force-ssl-redirect": "true", "upstream-hash-by": "$uri"},
        {"backend-protocol": "HTTPS", "proxy-body-size": "0"},
        {"auth-url": "http://a.example"},
        {"app-root": "/a", "upstream-vhost": "$namespace", "enable-cors": "true"},
        {"enable-cors": "true", "cors-allow-origin": "https://a.example"},
        {"custom-http-errors": "404,503", "default-backend": "errors"},
        {"proxy-redirect-from": "a", "proxy-redirect-to": "b", "proxy-cookie-path": "/a /"},
    ):
        annotations = Annotations({PREFIX + name: value for name, value in values.items()})
        for feature in REGISTRY.read(annotations, context()).values():
            assert isinstance(feature, Policy | Setting)
            yield feature
