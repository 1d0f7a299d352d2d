"""
The fake answers as a real server was recorded to answer.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tests.fake_api.case import BEARER, INGRESSES, LEASES, Answer, FakeAPITestCase
from tests.support.fake_api.access import service_account
from tests.support.fake_api.kind import Document
from tests.support.recorded import Exchange, exchange

VARYING = ("uid", "resourceVersion", "creationTimestamp", "time")
"""Fields whose values are another server's; that they are there is compared."""


def comparable(document: Any, names_vary: bool = False) -> Any:
    """
    A document without the values that no two servers have in common.

    Of managedFields only the managers, their operations and subresources are left:
    the fake keeps the account of lists and maps more simply.
    """
    if isinstance(document, list):
        return [comparable(each, names_vary) for each in document]
    if not isinstance(document, dict):
        return document
    found = {key: comparable(value, names_vary) for key, value in document.items()}
    for key in VARYING:
        if key in found:
            found[key] = "..."
    if names_vary and "generateName" in found:
        found["name"] = "..."
    if "managedFields" in found:
        found["managedFields"] = sorted(
            (each["manager"], each["operation"], each["apiVersion"], each.get("subresource", ""))
            for each in found["managedFields"]
        )
    return found


class RecordedTestCase(FakeAPITestCase):
    """Sends recorded requests again."""

    def repeat(
        self, recorded: Exchange, path: str | None = None, sent: Any = None, **headers: str
    ) -> Answer:
        """:param sent: the body, if another than the recorded one."""
        names = ("Accept", "User-Agent", "Content-Type")
        fields = {name: recorded.fields[name] for name in names if name in recorded.fields}
        return self.ask(
            path or recorded.path,
            recorded.method,
            recorded.sent if sent is None else sent,
            {**BEARER, **fields, **headers},
            recorded.fields.get("Content-Type", "application/json"),
        )

    def assert_alike(self, answer: Answer, recorded: Exchange, **options: bool) -> None:
        self.assertEqual(answer.code, recorded.status, answer.body)
        self.assertEqual(
            comparable(answer.document, **options),
            comparable(json.loads(recorded.answer), **options),
        )
        self.assert_order(answer.document, json.loads(recorded.answer))

    def assert_order(self, ours: Document, theirs: Document) -> None:
        """Metadata has its fields in the order of the real server."""
        for key in ("kind", "metadata"):
            self.assertIn(key, ours)
        self.assertEqual(list(ours["metadata"]), list(theirs["metadata"]))


class WriteTests(RecordedTestCase):
    """Writes of Ingresses."""

    def test_ingress(self) -> None:
        """An Ingress is created, its status patched, and it is deleted."""
        file = "ingress-writes"
        self.api.put(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "IngressClass",
                "metadata": {"name": "twisted"},
                "spec": {"controller": "example.com/twisted-ingress"},
            }
        )
        created = exchange(file, "create ingress")
        self.assert_alike(self.repeat(created), created)
        annotation = {"metadata": {"annotations": {"note": "changed"}}}
        self.ask(
            f"{INGRESSES}/rec?fieldManager=kubectl-annotate",
            "PATCH",
            annotation,
            content_type="application/merge-patch+json",
        )
        for name in (
            "patch ingress status (merge patch)",
            "update ingress with a stale resourceVersion: conflict",
            "create ingress with a wrong pathType: invalid",
            "delete ingress",
        ):
            recorded = exchange(file, name)
            self.assert_alike(self.repeat(recorded), recorded)

    def test_kubectl(self) -> None:
        """The requests of kubectl apply are answered as it expects, server-side apply too."""
        for name in (
            "apply: the object does not exist",
            "apply: create",
            "apply: strategic merge patch",
            "server-side apply",
            "status patch with a stale resourceVersion: conflict",
            "status patch of a missing object",
            "delete",
        ):
            recorded = exchange("kubectl", name)
            self.assert_alike(self.repeat(recorded), recorded)

    def test_lease(self) -> None:
        """A Lease is created once, renewed, and not renewed from a stale copy."""
        file = "lease"
        for name in ("missing lease", "create lease", "create it again: already exists"):
            recorded = exchange(file, name)
            self.assert_alike(self.repeat(recorded), recorded)
        held = self.ask(f"{LEASES}/rec-leader").document
        for name in ("renew lease", "renew from a stale copy: conflict"):
            recorded = exchange(file, name)
            sent = {**recorded.sent, "metadata": held["metadata"]}
            self.assert_alike(self.repeat(recorded, sent=sent), recorded)

    def test_event(self) -> None:
        """Events get a name, may be repeated as a series, and are refused without a name."""
        for file, name in (
            ("event", "create event"),
            ("event", "create event without a name: invalid"),
            ("more", "create event"),
            ("more", "the event again, as a series"),
        ):
            recorded = exchange(file, name)
            self.assert_alike(self.repeat(recorded), recorded, names_vary=True)

    def test_loopback(self) -> None:
        """An EndpointSlice with a loopback address is refused."""
        recorded = exchange("more", "an EndpointSlice with a loopback address: refused")
        self.assert_alike(self.repeat(recorded), recorded)


class ReadTests(RecordedTestCase):
    """Lists and watches."""

    def restore(self, file: str, name: str) -> Exchange:
        """
        Put the objects of a recorded list into the server as they were.

        :return: the exchange.
        """
        recorded = exchange(file, name)
        answer = json.loads(recorded.answer)
        kind = answer["kind"].removesuffix("List")
        for item in answer["items"]:
            self.api.put({"apiVersion": answer["apiVersion"], "kind": kind, **item})
        return recorded

    def assert_listed(self, recorded: Exchange) -> None:
        """The list is like the recorded one, apart from whom its fields belong to."""
        ours, theirs = self.repeat(recorded), json.loads(recorded.answer)
        found = ours.document
        self.assertEqual(list(found), list(theirs))
        for document in (found, theirs):
            for item in document["items"]:
                del item["metadata"]["managedFields"]
                item["metadata"].pop("generation", None)
        self.assertEqual(comparable(found), comparable(theirs))
        for mine, real in zip(found["items"], theirs["items"], strict=True):
            self.assertEqual(list(mine["metadata"]), list(real["metadata"]))

    def test_lists(self) -> None:
        """Lists of each kind have the form of the recorded ones."""
        for name in (
            "list ingressclasses",
            "list services",
            "list endpointslices",
            "list secrets?fieldSelector=metadata.name%3Dtls-secret",
        ):
            self.assert_listed(self.restore("list", name))

    def test_obsolete(self) -> None:
        """Endpoints come with the server's warning."""
        recorded = self.restore("more", "list endpoints")
        self.assert_listed(recorded)
        self.assertIn("deprecated", self.repeat(recorded).field("warning") or "")

    def test_nodes(self) -> None:
        """Nodes and their addresses."""
        self.assert_listed(self.restore("more", "list nodes"))

    def test_ingresses(self) -> None:
        """Ingresses, of before there was a default class."""
        self.assert_listed(self.restore("list", "list ingresses"))

    def test_pages(self) -> None:
        """The token of a page is what the real server would have given, but for the revision."""
        for name in ("list configmaps?limit=2", "list configmaps, second page"):
            for item in json.loads(exchange("list", name).answer)["items"]:
                namespace = item["metadata"]["namespace"]
                self.api.put({"apiVersion": "v1", "kind": "ConfigMap", **item})
                self.assertIsNotNone(self.api.get("v1", "Namespace", namespace))
        recorded = exchange("list", "list configmaps?limit=2")
        first = self.repeat(recorded).document
        theirs = json.loads(recorded.answer)
        self.assertEqual(list(first["metadata"]), list(theirs["metadata"]))
        self.assertEqual(first["metadata"]["remainingItemCount"], 2)
        token = quote(first["metadata"]["continue"])
        second = self.ask(f"/api/v1/configmaps?limit=2&continue={token}").document
        self.assertEqual(
            [each["metadata"]["name"] for each in second["items"]],
            [
                each["metadata"]["name"]
                for each in json.loads(exchange("list", "list configmaps, second page").answer)[
                    "items"
                ]
            ],
        )
        self.assertEqual(list(second["metadata"]), ["resourceVersion"])

    def test_table(self) -> None:
        """``kubectl get ingress`` gets a Table."""
        self.restore("list", "list ingresses")
        recorded = exchange("list", "list ingresses as a table (kubectl get)")
        ours, theirs = self.repeat(recorded).document, json.loads(recorded.answer)
        names = [
            [column["name"] for column in each["columnDefinitions"]] for each in (ours, theirs)
        ]
        self.assertEqual(names[0], names[1])
        self.assertEqual(ours["rows"][0]["cells"][:-1], theirs["rows"][0]["cells"][:-1])
        self.assertEqual(list(ours["rows"][0]["object"]), list(theirs["rows"][0]["object"]))

    def test_watch(self) -> None:
        """A watch reports changes of an Ingress, and its own progress."""
        recorded = exchange(
            "watch",
            "watch ingresses: added, modified, status, deleted, then the server's own timeout",
        )
        query = {"allowWatchBookmarks": "true", "timeoutSeconds": 9}
        now = self.api.store.revision
        watching = self.watch("/apis/networking.k8s.io/v1/ingresses", resourceVersion=now, **query)
        WriteTests.test_ingress(self)  # type: ignore[arg-type]
        self.advance(7)
        self.advance(2)
        theirs = [json.loads(line) for line in recorded.answer.splitlines()]
        ours = [{"type": kind, "object": each} for kind, each in watching.events]
        # Two bookmarks came then, and one comes here.
        self.assertEqual(comparable(ours), comparable(theirs[:-1]))
        self.assertIsNotNone(watching.ended)

    def test_no_watch_list(self) -> None:
        """A streaming list is refused in the way of a server that has it switched off."""
        recorded = exchange(
            "watch",
            "watch with sendInitialEvents (streaming list) where the server has that switched off",
        )
        self.assertEqual(self.repeat(recorded).document, json.loads(recorded.answer))


class RefusalTests(RecordedTestCase):
    """Errors."""

    def test_rights(self) -> None:
        """A request without a token is anonymous, a wrong token is 401, a missing right 403."""
        norights = service_account("default", "norights")
        self.api.access.tokens["norights"] = norights
        for name, token in (
            ("no credentials", None),
            ("bad token", "wrong"),
            ("service account without rights", "norights"),
            ("watch without rights", "norights"),
        ):
            recorded = exchange("errors", name)
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = self.ask(recorded.path, headers=headers)
            self.assertEqual(answer.code, recorded.status)
            self.assertEqual(answer.document, json.loads(recorded.answer))

    def test_missing(self) -> None:
        """An object that is not there."""
        recorded = exchange("errors", "missing object")
        answer = self.repeat(recorded)
        self.assertEqual((answer.code, answer.phrase), (404, "Not Found"))
        self.assertEqual(answer.body, recorded.answer)

    def test_too_old(self) -> None:
        """A forgotten version is 410, as an event on a watch and as a status on a list."""
        for number in range(10):
            self.api.put(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n{number}"}}
            )
        self.api.forget_history()
        watch = exchange("too-old", "watch from a resourceVersion that is too old: gone")
        answer = self.repeat(watch)
        ours, theirs = answer.document, json.loads(watch.answer)
        self.assertEqual(answer.code, 200)
        ours["object"]["message"] = ours["object"]["message"].replace(
            f"({self.api.store.revision})", "(541)"
        )
        self.assertEqual(ours, theirs)
        listed = exchange("too-old", "list at an exact resourceVersion that was compacted: gone")
        answer = self.repeat(listed)
        self.assertEqual((answer.code, answer.phrase), (410, "Gone"))
        self.assertEqual(answer.body, listed.answer)

    def test_future(self) -> None:
        """A watch from the future is silent until its time is over."""
        recorded = exchange("errors", "future resourceVersion on a watch")
        watching = self.watch(
            recorded.path.partition("?")[0], resourceVersion=99999999, timeoutSeconds=4
        )
        self.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}})
        self.advance(4)
        self.assertEqual(watching.pieces, [])
        self.assertIsNotNone(watching.ended)


class SigningRequestTests(RecordedTestCase):
    """A CertificateSigningRequest from its creation to the certificate."""

    def test_signing(self) -> None:
        """It is created, approved and signed, and a watch sees it."""
        names = (
            "create request",
            "approve it (what kubectl certificate approve does)",
            "the signer stores the certificate",
        )
        watching = None
        for name in names:
            recorded = exchange("certificate-signing-request", name)
            sent = recorded.sent
            if "spec" in sent and "username" in sent["spec"]:
                ours = self.api.get(sent["apiVersion"], sent["kind"], "kubia-tls")
                assert ours is not None
                sent = {**sent, "metadata": ours["metadata"], "spec": ours["spec"]}
            answer = self.repeat(recorded, sent=sent)
            self.assertEqual(answer.code, recorded.status, answer.body)
            found, theirs = answer.document, json.loads(recorded.answer)
            self.assertEqual(_of_signing(found), _of_signing(theirs))
            if watching is None:
                watching = self.watch(
                    recorded.path,
                    fieldSelector="metadata.name=kubia-tls",
                    resourceVersion=found["metadata"]["resourceVersion"],
                )
        assert watching is not None
        self.advance(0)
        events = [json.loads(piece) for piece in watching.pieces]
        self.assertEqual([each["type"] for each in events], ["MODIFIED", "MODIFIED"])
        self.assertTrue(events[-1]["object"]["status"]["certificate"])


def _of_signing(document: Document) -> Document:
    """:return: what the servers have in common: not who asked, and when."""
    document = comparable(document)
    document["metadata"].pop("managedFields", None)
    for field in ("groups", "extra"):
        document["spec"].pop(field, None)
    for condition in document["status"].get("conditions", ()):
        for field in ("lastUpdateTime", "lastTransitionTime"):
            condition[field] = "..." if condition.get(field) else ""
    return document


class DiscoveryTests(RecordedTestCase):
    """Discovery."""

    def test_groups(self) -> None:
        """The resources that both have are described alike."""
        for name in ("networking.k8s.io resources", "discovery.k8s.io resources"):
            recorded = exchange("discovery", name)
            ours, theirs = self.repeat(recorded).document, json.loads(recorded.answer)
            found = {each["name"]: each for each in ours.pop("resources")}
            real = {each["name"]: each for each in theirs.pop("resources")}
            self.assertEqual(ours, theirs)
            for key, resource in found.items():
                real[key].pop("storageVersionHash", None)
                self.assertEqual(resource, real[key])

    def test_aggregated(self) -> None:
        """The discovery in the form that kubectl asks for has a content type of its own."""
        for name in ("aggregated discovery, core", "aggregated discovery, groups"):
            recorded = exchange("kubectl", name)
            answer = self.repeat(recorded)
            ours = _resources(answer.document)
            theirs = _resources(json.loads(recorded.answer))
            self.assertIn("as=APIGroupDiscoveryList", answer.field("content-type") or "")
            for key, resource in ours.items():
                for each in (resource, theirs[key]):
                    each.pop("categories", None)
                    each["subresources"] = [
                        sub
                        for sub in each.get("subresources", ())
                        if sub["subresource"] == "status"
                    ]
                self.assertEqual(resource, {**theirs[key], "verbs": resource["verbs"]})

    def test_version(self) -> None:
        """The version has the fields of old."""
        recorded = exchange("discovery", "version")
        ours = self.repeat(recorded).document
        self.assertLessEqual(set(ours), set(json.loads(recorded.answer)))


def _resources(document: Document) -> dict[tuple[str, str], Document]:
    return {
        (item["metadata"].get("name", ""), resource["resource"]): resource
        for item in document["items"]
        for version in item["versions"][:1]
        for resource in version["resources"]
    }
