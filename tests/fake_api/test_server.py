"""
What no recording shows: how the fake is disturbed, and the forms that rights, selectors and patches have.
"""

from __future__ import annotations

from tests.fake_api.case import (
    ALL_INGRESSES,
    CONFIG_MAPS,
    EVENTS,
    INGRESSES,
    LEASES,
    SECRETS,
    FakeAPITestCase,
    Watching,
    config_map,
    ingress,
)
from tests.support.fake_api import Fault, Rule, service_account
from tests.support.fake_api.kind import Document

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


class WatchTests(FakeAPITestCase):
    """Streams of events."""

    def test_present(self) -> None:
        """Without a revision, a watch begins with all that there is, in one piece."""
        self.api.put(ingress("a"), ingress("b"))
        watching = self.watch(ALL_INGRESSES)
        self.assertEqual(len(watching.pieces), 1)
        self.assertEqual(watching.names, [("ADDED", "a"), ("ADDED", "b")])

    def test_since(self) -> None:
        """From a revision on, a watch begins with what has happened since."""
        self.api.put(ingress("a"))
        revision = self.ask(ALL_INGRESSES).document["metadata"]["resourceVersion"]
        self.api.put(ingress("b"), ingress("a", "b.example"))
        self.api.delete("networking.k8s.io/v1", "Ingress", "b")
        watching = self.watch(ALL_INGRESSES, resourceVersion=revision)
        self.assertEqual(watching.names, [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")])
        self.assertEqual(int(revision) + 3, self.api.store.revision)

    def test_deleted(self) -> None:
        """A deletion reports the last state, at the revision of the deletion."""
        self.api.put(ingress("a"))
        watching = self.watch(ALL_INGRESSES, resourceVersion=self.api.store.revision)
        self.api.delete("networking.k8s.io/v1", "Ingress", "a")
        self.flush()
        [(kind, document)] = watching.events
        self.assertEqual(kind, "DELETED")
        self.assertEqual(document["spec"], ingress("a")["spec"])
        self.assertEqual(document["metadata"]["resourceVersion"], str(self.api.store.revision))

    def test_selected(self) -> None:
        """An object that no longer matches a selector is deleted for its watch, and one that begins to is added."""
        self.api.put(ingress("a", labels={"team": "red"}))
        watching = self.watch(ALL_INGRESSES, labelSelector="team%3Dred")
        self.assertEqual(watching.names, [("ADDED", "a")])
        self.api.put(ingress("a", labels={"team": "blue"}))
        self.api.put(ingress("a", labels={"team": "red"}))
        self.flush()
        self.assertEqual(watching.names, [("DELETED", "a"), ("ADDED", "a")])

    def test_one(self) -> None:
        """One object is watched by its name, in its namespace."""
        watching = self.watch(SECRETS, fieldSelector="metadata.name%3Dtls")
        for name in ("tls", "other"):
            self.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})
        elsewhere = {"name": "tls", "namespace": "kube-system"}
        self.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": elsewhere})
        self.flush()
        self.assertEqual(watching.names, [("ADDED", "tls")])

    def test_bookmarks(self) -> None:
        """Bookmarks come every minute, shortly before the end, and when a test asks for them."""
        watching = self.watch(ALL_INGRESSES, allowWatchBookmarks="true", timeoutSeconds=100)
        unasked = self.watch(ALL_INGRESSES)
        self.api.send_bookmarks()
        self.flush()
        self.assertEqual([kind for kind, _ in watching.events], ["BOOKMARK"])
        self.advance(60)
        self.assertEqual([kind for kind, _ in watching.events], ["BOOKMARK"])
        self.advance(38)
        self.assertEqual([kind for kind, _ in watching.events], ["BOOKMARK"])
        self.assertIsNone(watching.ended)
        self.advance(2)
        self.assertIsNotNone(watching.ended)
        self.assertEqual(unasked.events, [])

    def test_forgotten(self) -> None:
        """A watch that is open survives a compaction."""
        watching = self.watch(ALL_INGRESSES)
        self.api.forget_history()
        self.api.put(ingress("a"))
        self.flush()
        self.assertEqual(watching.names, [("ADDED", "a")])

    def test_silent(self) -> None:
        """A silent watch brings nothing and does not end, nor does it go on later."""
        watching = self.watch(ALL_INGRESSES, allowWatchBookmarks="true", timeoutSeconds=10)
        self.api.disturbances.are_watches_silent = True
        self.api.put(ingress("a"))
        self.advance(100)
        self.api.disturbances.are_watches_silent = False
        self.api.put(ingress("b"))
        self.flush()
        self.assertEqual((watching.events, watching.ended), ([], None))

    def test_cut(self) -> None:
        """A connection that is cut leaves half of an event."""
        watching = self.watch(ALL_INGRESSES)
        self.api.disturbances.cuts = 1
        self.api.put(ingress("a"))
        self.flush()
        self.assertEqual(watching.events, [])
        self.assertTrue(b"".join(watching.pieces).startswith(b'{"type":"ADDED"'))
        self.assertIsNotNone(watching.ended)
        self.assertEqual(self.api.resource.streams, set())

    def test_pieces(self) -> None:
        """Events come in pieces as small as a test wants."""
        watching = self.watch(ALL_INGRESSES)
        self.api.disturbances.piece = 1
        self.api.put(ingress("a"))
        self.flush()
        self.assertEqual(watching.names, [("ADDED", "a")])

    def test_ended(self) -> None:
        """All watches end when the test says so."""
        watching = self.watch(ALL_INGRESSES)
        self.api.end_watches()
        self.flush()
        self.assertIsNotNone(watching.ended)


class ListTests(FakeAPITestCase):
    """Pages and selectors."""

    def pages(self, path: str) -> tuple[list[str], list[str]]:
        """:return: the names on all pages, and their revisions."""
        names, revisions, token = [], [], ""
        while True:
            page = self.ask(f"{path}&continue={token}").document
            names += [each["metadata"]["name"] for each in page["items"]]
            revisions.append(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue", "")
            if not token:
                return names, revisions

    def test_snapshot(self) -> None:
        """All pages are of one moment, whatever is written meanwhile."""
        self.api.put(*(config_map(f"c{number}") for number in range(5)))
        first = self.ask(f"{CONFIG_MAPS}?limit=2").document
        self.api.put(config_map("c2", changed="yes"), config_map("c9"))
        self.api.delete("v1", "ConfigMap", "c4")
        token = first["metadata"]["continue"]
        rest = self.ask(f"{CONFIG_MAPS}?continue={token}").document
        self.assertEqual(
            [(each["metadata"]["name"], each.get("data")) for each in rest["items"]],
            [("c2", {}), ("c3", {}), ("c4", {})],
        )
        self.assertEqual(first["metadata"]["resourceVersion"], rest["metadata"]["resourceVersion"])

    def test_whole(self) -> None:
        """The pages have every object once."""
        self.api.put(*(config_map(f"c{number}") for number in range(5)))
        for limit in (1, 2, 5, 6):
            names, revisions = self.pages(f"{CONFIG_MAPS}?limit={limit}")
            self.assertEqual(names, [f"c{number}" for number in range(5)])
            self.assertEqual(len(set(revisions)), 1)

    def test_forgotten(self) -> None:
        """A page that is forgotten is 410, with a token for the rest as it is now."""
        self.api.put(*(config_map(f"c{number}") for number in range(4)))
        token = self.ask(f"{CONFIG_MAPS}?limit=2").document["metadata"]["continue"]
        self.api.put(config_map("c9"))
        self.api.forget_history()
        answer = self.ask(f"{CONFIG_MAPS}?limit=2&continue={token}")
        self.assertEqual((answer.code, answer.document["reason"]), (410, "Expired"))
        token = answer.document["metadata"]["continue"]
        rest = self.ask(f"{CONFIG_MAPS}?continue={token}").document["items"]
        self.assertEqual([each["metadata"]["name"] for each in rest], ["c2", "c3", "c9"])

    def test_selectors(self) -> None:
        """Labels and fields select in all their forms; an unknown field is refused."""
        self.api.put(
            ingress("a", labels={"team": "red", "tier": "1"}),
            ingress("b", labels={"team": "blue"}),
            ingress("c"),
        )
        for query, names in (
            ("labelSelector=team=red", "a"),
            ("labelSelector=team!=red", "bc"),
            ("labelSelector=team", "ab"),
            ("labelSelector=!team", "c"),
            ("labelSelector=team in (red,blue),tier=1", "a"),
            ("labelSelector=team notin (red)", "bc"),
            ("fieldSelector=metadata.name=b", "b"),
            ("fieldSelector=metadata.name!=b,metadata.namespace=default", "ac"),
        ):
            path = f"{ALL_INGRESSES}?{query}".replace(" ", "%20")
            found = [each["metadata"]["name"] for each in self.ask(path).document["items"]]
            self.assertEqual("".join(found), names, query)
        answer = self.ask(f"{ALL_INGRESSES}?fieldSelector=spec.x=1")
        self.assertEqual(answer.code, 400)
        self.assertIn("field label not supported: spec.x", answer.document["message"])

    def test_compressed(self) -> None:
        """Large lists are compressed for clients that accept it."""
        self.api.put(config_map("large", text="x" * 200_000))
        answer = self.ask(CONFIG_MAPS)
        # The client says that it can, and undoes it.
        self.assertLess(int(answer.field("content-length") or 0), 20_000)
        self.assertEqual(answer.document["items"][0]["metadata"]["name"], "large")


class WriteTests(FakeAPITestCase):
    """Writes."""

    def patch(self, path: str, body: Document, content_type: str = MERGE) -> Document:
        answer = self.ask(path, "PATCH", body, content_type=content_type)
        self.assertEqual(answer.code, 200, answer.body)
        return answer.document

    def test_unchanged(self) -> None:
        """A write that changes nothing has no revision, and causes no event."""
        self.api.put(ingress("a"))
        watching = self.watch(ALL_INGRESSES, resourceVersion=self.api.store.revision)
        before = self.ask(f"{INGRESSES}/a").document
        self.assertEqual(self.ask(f"{INGRESSES}/a", "PUT", before).document, before)
        self.assertEqual(self.patch(f"{INGRESSES}/a", {"metadata": {"labels": None}}), before)
        self.flush()
        self.assertEqual(watching.events, [])

    def test_generated_name(self) -> None:
        """A prefix of a generated name may end in a hyphen, and not in a dot."""
        for prefix, code in (("a-", 201), ("a", 201), ("a.", 422), ("A-", 422)):
            document = {**ingress("x"), "metadata": {"generateName": prefix}}
            answer = self.ask(INGRESSES, "POST", document)
            self.assertEqual(answer.code, code, prefix)

    def test_status(self) -> None:
        """The status is written through its subresource alone, and nothing else through that."""
        self.api.put(ingress("a"))
        status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
        patched = self.patch(f"{INGRESSES}/a", {"status": status})
        self.assertEqual(patched["status"], {"loadBalancer": {}})
        both = {"status": status, "spec": {"rules": []}}
        patched = self.patch(f"{INGRESSES}/a/status", both)
        self.assertEqual(patched["status"], status)
        self.assertEqual(patched["spec"], ingress("a")["spec"])
        self.assertEqual(patched["metadata"]["generation"], 1)
        cleared = self.patch(f"{INGRESSES}/a/status", {"status": {"loadBalancer": None}})
        self.assertEqual(cleared["status"], {"loadBalancer": {}})

    def test_generation(self) -> None:
        """The generation counts what is asked for, and not what is said about it."""
        self.api.put(ingress("a"))
        self.patch(f"{INGRESSES}/a", {"metadata": {"labels": {"a": "b"}}})
        changed = self.patch(f"{INGRESSES}/a", {"spec": {"ingressClassName": "x"}})
        self.assertEqual(changed["metadata"]["generation"], 2)

    def test_strategic(self) -> None:
        """Ports of a Service are merged one by one; rules of an Ingress are replaced."""
        ports = [{"name": "http", "port": 80}, {"name": "https", "port": 443}]
        self.api.put(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web"},
                "spec": {"ports": ports},
            }
        )
        patch = {
            "spec": {
                "$setElementOrder/ports": [{"port": 81}, {"port": 80}],
                "ports": [{"port": 443, "$patch": "delete"}, {"port": 81, "name": "more"}],
            }
        }
        path = "/api/v1/namespaces/default/services/web"
        changed = self.patch(path, patch, STRATEGIC)
        self.assertEqual([each["port"] for each in changed["spec"]["ports"]], [80, 81])

    def test_dry_run(self) -> None:
        """A dry run changes nothing."""
        answer = self.ask(f"{INGRESSES}?dryRun=All", "POST", ingress("a"))
        self.assertEqual(answer.code, 201)
        self.assertEqual(self.ask(ALL_INGRESSES).document["items"], [])

    def test_default_class(self) -> None:
        """A new Ingress without a class gets the newest default class."""
        for name in ("old", "new"):
            self.advance(10)
            annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
            metadata = {"name": name, "annotations": annotations}
            spec = {"controller": "example.com/a"}
            self.api.put(
                {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "IngressClass",
                    "metadata": metadata,
                    "spec": spec,
                }
            )
        created = self.ask(INGRESSES, "POST", ingress("a")).document
        self.assertEqual(created["spec"]["ingressClassName"], "new")
        old = ingress("b", annotations={"kubernetes.io/ingress.class": "x"})
        self.assertNotIn("ingressClassName", self.ask(INGRESSES, "POST", old).document["spec"])
        old["spec"]["ingressClassName"] = "new"
        self.assertEqual(self.ask(INGRESSES, "POST", {**old}).code, 422)

    def test_no_namespace(self) -> None:
        """Nothing is created in a namespace that is not there, which takes all with it."""
        path = "/api/v1/namespaces/gone/configmaps"
        answer = self.ask(path, "POST", {"metadata": {"name": "a"}})
        self.assertEqual((answer.code, answer.document["details"]["kind"]), (404, "namespaces"))
        self.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gone"}})
        self.assertEqual(self.ask(path, "POST", {"metadata": {"name": "a"}}).code, 201)
        self.assertEqual(self.ask("/api/v1/namespaces/gone", "DELETE").code, 200)
        self.assertEqual(self.ask("/api/v1/configmaps").document["items"], [])

    def test_time(self) -> None:
        """A time without microseconds cannot be read."""
        spec = {"holderIdentity": "a", "renewTime": "2026-11-23T01:00:00Z"}
        answer = self.ask(LEASES, "POST", {"metadata": {"name": "a"}, "spec": spec})
        self.assertEqual((answer.code, answer.document["reason"]), (400, "BadRequest"))
        self.assertIn("parsing time", answer.document["message"])

    def test_two_forms(self) -> None:
        """An event that is written in one form is found in the other, by what it is about."""
        regarding = {"kind": "Ingress", "namespace": "default", "name": "a"}
        event = {
            "metadata": {"name": "e"},
            "eventTime": "2026-11-23T01:00:00.000000Z",
            "reportingController": "example.com/a",
            "reportingInstance": "a-0",
            "action": "Sync",
            "reason": "Odd",
            "type": "Warning",
            "note": "It is odd.",
            "regarding": regarding,
        }
        self.assertEqual(self.ask(EVENTS, "POST", event).code, 201)
        core = "/api/v1/namespaces/default/events"
        path = f"{core}?fieldSelector=involvedObject.name=a,involvedObject.kind=Ingress"
        [found] = self.ask(path).document["items"]
        self.assertEqual((found["involvedObject"], found["message"]), (regarding, "It is odd."))
        self.assertEqual(found["reportingComponent"], "example.com/a")
        answer = self.ask(f"{EVENTS}/e", "PATCH", {"note": "It is even."}, content_type=MERGE)
        self.assertEqual(answer.code, 422)
        answer = self.ask(f"{EVENTS}/e", "PATCH", {"series": {"count": 1}}, content_type=MERGE)
        self.assertEqual(answer.code, 422)


class AccessTests(FakeAPITestCase):
    """Tokens and rights."""

    def setUp(self) -> None:
        super().setUp()
        self.user = service_account("ingress", "ingress")
        self.api.access.tokens["token"] = self.user

    def codes(self, *asked: tuple[str, str]) -> list[int]:
        headers = {"Authorization": "Bearer token"}
        return [self.ask(path, method, headers=headers).code for method, path in asked]

    def test_granted(self) -> None:
        """A user may do what the rules say: by verb, group, resource, name and namespace."""
        self.api.put(
            ingress("a"), {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}}
        )
        self.api.grant(
            self.user,
            Rule(("list", "get"), ("networking.k8s.io",), ("ingresses",)),
            Rule(("patch",), ("networking.k8s.io",), ("ingresses/status",)),
            Rule(("list",), ("",), ("secrets",), names=("tls",), namespace="default"),
        )
        self.assertEqual(
            self.codes(
                ("GET", ALL_INGRESSES),
                ("GET", f"{INGRESSES}/a"),
                ("DELETE", f"{INGRESSES}/a"),
                ("PATCH", f"{INGRESSES}/a"),
                ("GET", SECRETS),
                ("GET", f"{SECRETS}?fieldSelector=metadata.name=tls"),
                ("GET", "/api/v1/secrets?fieldSelector=metadata.name=tls"),
            ),
            [200, 200, 403, 403, 403, 200, 403],
        )

    def test_starting(self) -> None:
        """A server that starts refuses everything until it has loaded its rules."""
        self.api.grant(self.user, Rule(("list",), ("networking.k8s.io",), ("ingresses",)))
        self.api.restart(loading=2.0)
        self.assertEqual(self.codes(("GET", ALL_INGRESSES)), [403])
        self.assertEqual(self.ask(ALL_INGRESSES).code, 200)
        self.clock.advance(2.0)
        self.assertEqual(self.codes(("GET", ALL_INGRESSES)), [200])

    def test_bound(self) -> None:
        """Roles in the store count as well: for all namespaces, or for the one that they are in."""
        rbac = "rbac.authorization.k8s.io"
        subjects = [{"kind": "ServiceAccount", "name": "ingress", "namespace": "ingress"}]
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
        named = {"apiVersion": f"{rbac}/v1", "metadata": {"name": "a"}}
        reference = {"apiGroup": rbac, "kind": "Role", "name": "a"}
        bound = {"roleRef": reference, "subjects": subjects}
        asked = (("GET", CONFIG_MAPS), ("GET", "/api/v1/configmaps"))
        self.assertEqual(self.codes(*asked), [403, 403])
        self.api.put({**named, "kind": "Role", "rules": rules})
        self.api.put({**named, "kind": "RoleBinding", **bound})
        self.assertEqual(self.codes(*asked), [200, 403])
        everywhere = {"roleRef": {**reference, "kind": "ClusterRole"}, "subjects": subjects}
        self.api.put({**named, "kind": "ClusterRole", "rules": rules})
        self.api.put({**named, "kind": "ClusterRoleBinding", **everywhere})
        self.assertEqual(self.codes(*asked), [200, 200])

    def test_log(self) -> None:
        """The log has each request for a resource, with its user and its result."""
        self.codes(("GET", f"{LEASES}/a"))
        self.ask(f"{LEASES}/a")
        self.ask("/version")
        self.assertEqual(
            [
                (each.user, each.verb, each.resource, each.name, each.code)
                for each in self.api.requests
            ],
            [
                (self.user.name, "get", "leases", "a", 403),
                ("admin", "get", "leases", "a", 404),
            ],
        )

    def test_replaced(self) -> None:
        """A token that is taken away is 401 from then on."""
        self.api.grant(self.user, Rule(("list",), ("",), ("configmaps",)))
        self.assertEqual(self.codes(("GET", CONFIG_MAPS)), [200])
        del self.api.access.tokens["token"]
        self.assertEqual(self.codes(("GET", CONFIG_MAPS)), [401])


class FaultTests(FakeAPITestCase):
    """Faults that tests ask for."""

    def test_shed(self) -> None:
        """Requests are turned away for a while, with the time to wait, in one form or the other."""
        self.api.fail(Fault(429, verb="list", retry_after=3))
        self.api.fail(Fault(429, retry_after=1, is_plain=True))
        answer = self.ask(ALL_INGRESSES)
        self.assertEqual((answer.code, answer.phrase), (429, "Too Many Requests"))
        self.assertEqual(answer.field("retry-after"), "3")
        self.assertEqual(answer.document["details"], {"retryAfterSeconds": 3})
        answer = self.ask(ALL_INGRESSES)
        self.assertEqual((answer.code, answer.field("retry-after")), (429, "1"))
        self.assertEqual(answer.field("content-type"), "text/plain; charset=utf-8")
        self.assertEqual(self.ask(ALL_INGRESSES).code, 200)

    def test_always(self) -> None:
        """A fault lasts as long as a test wants."""
        self.api.fail(Fault(503, times=None, resource="ingresses"))
        self.assertEqual([self.ask(ALL_INGRESSES).code for _ in range(3)], [503] * 3)
        self.assertEqual(self.ask(CONFIG_MAPS).code, 200)

    def test_lost(self) -> None:
        """A server that has lost its state is empty, at a later revision, and reports nothing."""
        self.api.put(ingress("a"))
        before = self.api.store.revision
        watching = self.watch(ALL_INGRESSES, resourceVersion=before)
        self.api.lose_state()
        self.flush()
        self.assertEqual(watching.events, [])
        self.assertEqual(self.ask(ALL_INGRESSES).document["items"], [])
        late: Watching = self.watch(ALL_INGRESSES, resourceVersion=before)
        self.assertEqual([kind for kind, _ in late.events], ["ERROR"])

    def test_unknown(self) -> None:
        """Paths that lead nowhere, and methods that a resource does not have."""
        for method, path, code in (
            ("GET", "/apis/example.com/v1/things", 404),
            ("GET", f"{INGRESSES}/a/scale", 404),
            ("PUT", INGRESSES, 405),
            ("POST", ALL_INGRESSES, 405),
        ):
            self.assertEqual(self.ask(path, method).code, code, path)
        for path in ("/readyz", "/livez", "/apis", "/api", "/apis/networking.k8s.io"):
            self.assertEqual(self.ask(path).code, 200, path)
