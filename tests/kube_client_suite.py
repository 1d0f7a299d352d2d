"""
What holds of an API server, whoever it is: one suite, through the real client.

`tests.fake_api.test_client_suite` runs it on the fake API server, which is thereby shown
to be like a real one, and on the cluster that ``INGRESS_TEST_KUBECONFIG`` names, if it
names one. On a cluster it makes a namespace of its own, and takes that away again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SkipTest, TestCase

from ingress.kube.api.client import MERGE_PATCH, APIClient
from ingress.kube.api.errors import APIError

Document = dict[str, Any]

NAMESPACES = "/api/v1/namespaces"
INGRESSES = "/apis/networking.k8s.io/v1"
LEASES = "/apis/coordination.k8s.io/v1"
EVENTS = "/apis/events.k8s.io/v1"
SLICES = "/apis/discovery.k8s.io/v1"


class Watching:
    """A watch that is under way."""

    def __init__(self, client: APIClient, path: str, query: Mapping[str, str]) -> None:
        self.events: list[Document] = []
        self._waiting: list[tuple[int, Deferred[None]]] = []
        self.ended: Deferred[None] = Deferred.fromCoroutine(
            client.watch(path, {"watch": "1", **query}, self._receive)
        )

    def _receive(self, data: bytes) -> None:
        self.events.append(json.loads(data))
        for count, waiting in tuple(self._waiting):
            if len(self.events) >= count:
                self._waiting.remove((count, waiting))
                waiting.callback(None)

    async def received(self, count: int) -> list[tuple[str, str]]:
        """Type and name of the object of each event, once so many have come."""
        if len(self.events) < count:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((count, waiting))
            await waiting
        return [(event["type"], event["object"]["metadata"]["name"]) for event in self.events]


class APIServerSuite(TestCase):
    """
    Whoever runs it overrides `connect`, and `forget_history` where that can be done.
    """

    timeout = 60.0
    """Seconds for a test; trial's attribute."""

    client: APIClient
    namespace: str

    async def connect(self) -> APIClient:
        """A client that may do everything; the suite closes it."""
        raise NotImplementedError

    def forget_history(self) -> bool:
        """
        Have the server compact.

        :return: whether it can be told to.
        """
        return False

    def setUp(self) -> Any:
        return Deferred.fromCoroutine(self.begin())

    def tearDown(self) -> Any:
        return Deferred.fromCoroutine(self.end())

    async def begin(self) -> None:
        self.client = await self.connect()
        self.namespace = f"ingress-test-{uuid4().hex[:12]}"
        named = {"metadata": {"name": self.namespace}}
        await self.client.send("POST", NAMESPACES, _named("v1", "Namespace", named))

    async def end(self) -> None:
        await self.client.send("DELETE", f"{NAMESPACES}/{self.namespace}", None)
        await self.client.close()

    # Requests in the namespace of the test.

    def path(self, group: str, plural: str, name: str = "") -> str:
        path = f"{group}/namespaces/{self.namespace}/{plural}"
        return f"{path}/{name}" if name else path

    def config_maps(self, name: str = "") -> str:
        return self.path("/api/v1", "configmaps", name)

    def ingresses(self, name: str = "") -> str:
        return self.path(INGRESSES, "ingresses", name)

    async def ask(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Document:
        answer = await self.client.send(method, path, body, content_type=content_type)
        return _object(answer)

    async def list(self, path: str, **query: str) -> Document:
        return _object(await self.client.get(path, query))

    async def create_config_map(self, name: str, **metadata: object) -> Document:
        document = {"metadata": {"name": name, **metadata}, "data": {"a": "b"}}
        return await self.ask("POST", self.config_maps(), _named("v1", "ConfigMap", document))

    async def refused(self, method: str, path: str, body: object = None, **query: str) -> APIError:
        """The error that a request gets."""
        sent: Deferred[Any] = Deferred.fromCoroutine(
            self.client.send(method, path, body, query=query)
        )
        error: APIError = await self.assertFailure(sent, APIError)
        return error

    async def give_up(self, watching: Watching) -> None:
        watching.ended.cancel()
        await self.assertFailure(watching.ended, CancelledError)

    # Reading.

    async def test_pages(self) -> None:
        """A list in pages has every object once, all of one moment."""
        for number in range(5):
            await self.create_config_map(f"c{number}", labels={"test": "pages"})
        first = await self.list(self.config_maps(), limit="2", labelSelector="test=pages")
        await self.create_config_map("c5", labels={"test": "pages"})
        names, revisions, page = [], set(), first
        while True:
            names += [each["metadata"]["name"] for each in page["items"]]
            revisions.add(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue")
            if not token:
                break
            query = {"limit": "2", "continue": token, "labelSelector": "test=pages"}
            page = _object(await self.client.get(self.config_maps(), query))
        self.assertEqual(names, [f"c{number}" for number in range(5)])
        self.assertEqual(len(revisions), 1)

    async def test_list_form(self) -> None:
        """The items of a list leave out what kind they are; the list says it."""
        await self.create_config_map("c")
        query = {"fieldSelector": "metadata.name=c"}
        listed = _object(await self.client.get(self.config_maps(), query))
        self.assertEqual((listed["kind"], listed["apiVersion"]), ("ConfigMapList", "v1"))
        [item] = listed["items"]
        self.assertNotIn("kind", item)
        self.assertEqual(item["data"], {"a": "b"})

    async def test_large(self) -> None:
        """A list of some megabytes arrives whole."""
        text = "x" * 500_000
        for number in range(4):
            document = {"metadata": {"name": f"large{number}"}, "data": {"text": text}}
            await self.ask("POST", self.config_maps(), _named("v1", "ConfigMap", document))
        listed = await self.list(self.config_maps())
        found = [each for each in listed["items"] if each["metadata"]["name"].startswith("large")]
        self.assertEqual([len(each["data"]["text"]) for each in found], [len(text)] * 4)

    async def test_missing(self) -> None:
        """What is not there is 404, and says so in a sentence."""
        error = await self.refused("GET", self.ingresses("none"))
        self.assertEqual((error.code, error.reason), (404, "NotFound"))
        self.assertEqual(error.message, 'ingresses.networking.k8s.io "none" not found')

    # Watching.

    async def now(self) -> str:
        """The revision from which on a watch tells what is written next."""
        listed = await self.list(self.config_maps())
        revision: str = listed["metadata"]["resourceVersion"]
        return revision

    async def test_watch(self) -> None:
        """From a list's revision on, a watch tells each change in its order."""
        query = {"resourceVersion": await self.now(), "allowWatchBookmarks": "true"}
        watching = Watching(self.client, self.ingresses(), query)
        created = await self.ask("POST", self.ingresses(), _ingress("a"))
        changed = await self.ask(
            "PATCH", self.ingresses("a"), {"metadata": {"labels": {"b": "c"}}}, MERGE_PATCH
        )
        await self.ask("DELETE", self.ingresses("a"))
        told = await watching.received(3)
        self.assertEqual(told[:3], [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")])
        objects = [event["object"] for event in watching.events]
        self.assertEqual(objects[0], created)
        self.assertEqual(objects[1], changed)
        self.assertEqual(objects[2]["spec"], created["spec"])
        revisions = [int(each["metadata"]["resourceVersion"]) for each in objects[:3]]
        self.assertEqual(revisions, sorted(set(revisions)))
        await self.give_up(watching)

    async def test_watch_present(self) -> None:
        """
        Without a revision a watch begins with what there is, except for what a selector
        leaves out; it ends when its time is over.
        """
        await self.create_config_map("a", labels={"test": "yes"})
        await self.create_config_map("b", labels={"test": "no"})
        query = {"labelSelector": "test=yes", "timeoutSeconds": "1"}
        watching = Watching(self.client, self.config_maps(), query)
        await watching.ended
        self.assertEqual(await watching.received(0), [("ADDED", "a")])

    async def test_watch_one(self) -> None:
        """One object is watched by its name: that it comes, and that it goes."""
        query = {"fieldSelector": "metadata.name=a", "resourceVersion": await self.now()}
        watching = Watching(self.client, self.config_maps(), query)
        await self.create_config_map("b")
        await self.create_config_map("a")
        await self.ask("DELETE", self.config_maps("a"))
        told = await watching.received(2)
        self.assertEqual(told, [("ADDED", "a"), ("DELETED", "a")])
        await self.give_up(watching)

    async def test_watch_cancelled(self) -> None:
        """A watch that is given up is no reason to tell, and leaves the client usable."""
        await self.create_config_map("a")
        watching = Watching(self.client, self.config_maps(), {"fieldSelector": "metadata.name=a"})
        await watching.received(1)
        await self.give_up(watching)
        await self.list(self.config_maps())

    async def test_too_old(self) -> None:
        """What is forgotten is 410: an event on a watch, a status on a list."""
        await self.create_config_map("a")
        if not self.forget_history():
            raise SkipTest("the history of a real server is forgotten when it wants to")
        watching = Watching(self.client, self.config_maps(), {"resourceVersion": "1"})
        await watching.ended
        [event] = watching.events
        self.assertEqual((event["type"], event["object"]["code"]), ("ERROR", 410))
        query = {"resourceVersion": "1", "resourceVersionMatch": "Exact"}
        error = await self.refused("GET", self.config_maps(), **query)
        self.assertEqual((error.code, error.reason), (410, "Expired"))

    # Writing.

    async def test_create_twice(self) -> None:
        """What is there already is 409, and AlreadyExists."""
        await self.create_config_map("a")
        document = _named("v1", "ConfigMap", {"metadata": {"name": "a"}})
        error = await self.refused("POST", self.config_maps(), document)
        self.assertEqual((error.code, error.reason), (409, "AlreadyExists"))

    async def test_conflict(self) -> None:
        """A write that is based on an old version is 409, and Conflict."""
        created = await self.ask("POST", self.ingresses(), _ingress("a"))
        annotated = {"metadata": {"annotations": {"a": "b"}}}
        await self.ask("PATCH", self.ingresses("a"), annotated, MERGE_PATCH)
        error = await self.refused("PUT", self.ingresses("a"), created)
        self.assertEqual((error.code, error.reason), (409, "Conflict"))

    async def test_invalid(self) -> None:
        """What breaks the rules is 422, with the field that does."""
        wrong = _ingress("a")
        wrong["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = "Wrong"
        error = await self.refused("POST", self.ingresses(), wrong)
        self.assertEqual((error.code, error.reason), (422, "Invalid"))
        self.assertIn("spec.rules[0].http.paths[0].pathType", error.message)

    async def test_loopback(self) -> None:
        """No EndpointSlice has a loopback address."""
        slices = self.path(SLICES, "endpointslices")
        document = {
            "metadata": {"name": "a"},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"]}],
            "ports": [{"port": 80}],
        }
        document = _named("discovery.k8s.io/v1", "EndpointSlice", document)
        error = await self.refused("POST", slices, document)
        self.assertEqual((error.code, error.reason), (422, "Invalid"))

    async def test_unchanged(self) -> None:
        """A patch that changes nothing makes no version."""
        created = await self.ask("POST", self.ingresses(), _ingress("a"))
        patch = {"spec": {"rules": created["spec"]["rules"]}}
        patched = await self.ask("PATCH", self.ingresses("a"), patch, MERGE_PATCH)
        ours, theirs = created["metadata"], patched["metadata"]
        self.assertEqual(ours["resourceVersion"], theirs["resourceVersion"])

    async def test_status(self) -> None:
        """The status has a path of its own, by which nothing else is written."""
        created = await self.ask("POST", self.ingresses(), _ingress("a"))
        status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}}
        patch = {"status": status, "spec": {"ingressClassName": "other"}}
        patched = await self.ask("PATCH", f"{self.ingresses('a')}/status", patch, MERGE_PATCH)
        self.assertEqual(patched["status"], status)
        self.assertEqual(patched["spec"], created["spec"])
        self.assertEqual(patched["metadata"]["generation"], created["metadata"]["generation"])
        elsewhere: Document = {"status": {"loadBalancer": {"ingress": []}}}
        again = await self.ask("PATCH", self.ingresses("a"), elsewhere, MERGE_PATCH)
        self.assertEqual(again["status"], status)

    async def test_lease(self) -> None:
        """A Lease is taken by one who has seen its last version, to the microsecond."""
        leases = self.path(LEASES, "leases")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": now}
        document = {"metadata": {"name": "leader"}, "spec": {**spec, "acquireTime": now}}
        document = _named("coordination.k8s.io/v1", "Lease", document)
        held = await self.ask("POST", leases, document)
        self.assertEqual(held["spec"]["renewTime"], now)
        taken = {**held, "spec": {**held["spec"], "holderIdentity": "b"}}
        await self.ask("PUT", f"{leases}/leader", taken)
        error = await self.refused("PUT", f"{leases}/leader", held)
        self.assertEqual((error.code, error.reason), (409, "Conflict"))
        # Given back as client-go does.
        held = await self.list(f"{leases}/leader")
        empty = {**held["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        released = await self.ask("PUT", f"{leases}/leader", {**held, "spec": empty})
        self.assertFalse(released["spec"].get("holderIdentity"), released)

    async def test_event(self) -> None:
        """An event gets a name, becomes a series, and is found by what it is about."""
        events = self.path(EVENTS, "events")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        regarding = {"kind": "Ingress", "name": "a", "namespace": self.namespace}
        document = {
            "metadata": {"generateName": "a-"},
            "eventTime": now,
            "reportingController": "txingress.dev/ingress",
            "reportingInstance": "test",
            "action": "Sync",
            "reason": "Odd",
            "type": "Warning",
            "note": "It is odd.",
            "regarding": {**regarding, "apiVersion": "networking.k8s.io/v1"},
        }
        created = await self.ask("POST", events, _named("events.k8s.io/v1", "Event", document))
        name = created["metadata"]["name"]
        self.assertTrue(name.startswith("a-"), name)
        patch = {"series": {"count": 2, "lastObservedTime": now}}
        await self.ask("PATCH", f"{events}/{name}", patch, MERGE_PATCH)
        query = {"fieldSelector": "involvedObject.kind=Ingress,involvedObject.name=a"}
        path = self.path("/api/v1", "events")
        [found] = _object(await self.client.get(path, query))["items"]
        self.assertEqual(found["message"], "It is odd.")
        self.assertEqual(found["series"]["count"], 2)


def _named(api_version: str, kind: str, document: Document) -> Document:
    return {"apiVersion": api_version, "kind": kind, **document}


def _ingress(name: str) -> Document:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    rules = [{"host": "a.example", "http": {"paths": [path]}}]
    # With a class, so that no default one is added.
    spec = {"ingressClassName": "ingress-test", "rules": rules}
    document = {"metadata": {"name": name}, "spec": spec}
    return _named("networking.k8s.io/v1", "Ingress", document)


def _object(data: bytes) -> Document:
    found = json.loads(data)
    assert isinstance(found, dict)
    return found
