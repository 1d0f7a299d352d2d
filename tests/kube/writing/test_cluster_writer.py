"""
Tests for `ingress.kube.writing.cluster_writer`: replicas with the real client, on a fake API server.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, StatusAddresses
from ingress.kube.ingress_status import IngressRecord, IngressStatuses
from ingress.kube.objects import Ingress
from ingress.kube.store import ObjectStore
from ingress.kube.writing.cluster_writer import CLEAR_TIMEOUT, ClusterWriter, Runtime
from ingress.problem import Problem
from ingress.problem_log import ProblemLog
from tests.support.fake_api import FakeAPI, Fault, Rule, User
from tests.support.fake_api.kind import kind_of
from tests.support.fake_api.resource import LoggedRequest
from tests.support.log_lines import LogLines
from tests.support.memory_client import memory_client

NETWORKING = "networking.k8s.io/v1"
LEASE = ("coordination.k8s.io/v1", "Lease", "txingress-leader", "ingress")
LISTED = StatusAddresses(addresses=("192.0.2.1",))
FRONT = StatusAddresses(service=("ingress", "front"), clear_on_shutdown=True)

RIGHTS = (
    Rule(("get", "create", "update"), ("coordination.k8s.io",), ("leases",), namespace="ingress"),
    Rule(("list",), ("networking.k8s.io",), ("ingresses",)),
    Rule(("patch",), ("networking.k8s.io",), ("ingresses/status",)),
    Rule(("create", "patch"), ("events.k8s.io",), ("events",)),
    Rule(("list",), ("",), ("services",), namespace="ingress"),
    Rule(("list",), ("discovery.k8s.io",), ("endpointslices",), namespace="ingress"),
    Rule(("get",), ("",), ("nodes",)),
)
"""All that a replica needs for writing."""


def allows(rule: Rule, request: LoggedRequest) -> bool:
    """Whether the right to make this request comes from that rule."""
    return (
        request.verb in rule.verbs
        and request.group in rule.groups
        and request.resource in rule.resources
        and rule.namespace in (None, request.namespace)
    )


def ingress(name: str, host: str = "a.example") -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": NETWORKING,
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"rules": [{"host": host, "http": {"paths": [path]}}]},
    }


class Process:
    """A replica: its writer, and what the rest of it would do for that."""

    def __init__(
        self, case: WriterTestCase, pod: str, config: Cluster, token: str, **environment: str
    ) -> None:
        self._case = case
        self.store = ObjectStore()
        self.statuses = IngressStatuses()
        self.problems = ProblemLog(case.clock)
        self.writer = ClusterWriter(
            memory_client(case.api, case.clock, token=token, namespace="ingress"),
            config,
            self.store,
            self.statuses,
            self.problems,
            Runtime(
                clock=case.clock,
                random=Random(pod),
                environment={"POD_NAME": pod, "NODE_NAME": "n1", **environment},
                now=lambda: datetime.fromtimestamp(case.clock.seconds(), UTC),
                monotonic=case.clock.seconds,
            ),
        )
        self.writer.start()

    def sync(self, served: Iterable[str]) -> None:
        """See what the API server has, and serve these."""
        for name in "abc":
            found = self._case.api.get(NETWORKING, "Ingress", name)
            if found is None:
                self.statuses.lost(("default", name))
                self.store.apply(deletes=[("Ingress", "default", name)])
                continue
            self.statuses.put(msgspec.convert(found, IngressRecord))
            self.store.apply([msgspec.convert(found, Ingress)])
        ingresses = self.store.view().ingresses
        self.writer.serve({name: ingresses[name] for name in ingresses if name[1] in served})


class WriterTestCase(SynchronousTestCase):
    """Replicas of a process, and an API server that knows little of their cluster."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_795_000_000)
        self.api = FakeAPI(self.clock, Random(1))
        self.lines = LogLines(self, "ingress.kube.writing.cluster_writer.ClusterWriter")
        self.user = User("system:serviceaccount:ingress:txingress")
        self.api.grant(self.user, *RIGHTS, token="pod")
        self.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ingress"}})
        self.api.put(ingress("a"), ingress("b"), ingress("c"))
        self.processes: list[Process] = []

    def begin(self, pod: str, status: StatusAddresses = LISTED, *, events: bool = False) -> Process:
        config = Cluster(status=status, events=events)
        process = Process(self, pod, config, "pod")
        self.processes.append(process)
        return process

    def run_for(self, seconds: float, serve: Iterable[str] = "ab") -> None:
        """Time passes, and each replica sees what happens meanwhile."""
        for _ in range(int(seconds * 2)):
            for process in self.processes:
                process.sync(serve)
            self.clock.advance(0.5)

    def end(self, process: Process) -> Deferred[None]:
        """A replica stops."""
        stopped = process.writer.stop()
        self.processes.remove(process)
        return stopped

    def addresses(self) -> dict[str, list[dict[str, str]]]:
        """Those of each Ingress that has some."""
        found = {}
        for name in "abc":
            document = self.api.get(NETWORKING, "Ingress", name)
            status = document["status"]["loadBalancer"] if document is not None else {}
            if status:
                found[name] = status["ingress"]
        return found

    def events(self) -> list[str]:
        """Each as ``INGRESS TYPE REASON COUNT: NOTE``."""
        lines = []
        kind = kind_of({"apiVersion": "events.k8s.io/v1", "kind": "Event"})
        for _, event in self.api.store.objects(kind.stored):
            count = event.get("series", {}).get("count", 1)
            about = f"{event['regarding']['name']} {event['type']} {event['reason']}"
            lines.append(f"{about} {count}: {event['note']}")
        return sorted(lines)

    def holder(self) -> str:
        lease = self.api.get(*LEASE)
        return "" if lease is None else str(lease["spec"]["holderIdentity"])

    def front(self, *ips: str) -> None:
        """The Service in front of the replicas has these addresses."""
        self.api.put(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "front", "namespace": "ingress"},
                "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "clusterIP": "10.96.0.1"},
                "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}},
            }
        )

    def replicas(self, **ready: bool) -> None:
        """These pods are its endpoints."""
        self.api.put(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "front-1",
                    "namespace": "ingress",
                    "labels": {"kubernetes.io/service-name": "front"},
                },
                "addressType": "IPv4",
                "ports": [{"port": 80}],
                "endpoints": [
                    {
                        "addresses": [f"10.0.0.{number}"],
                        "conditions": {"ready": is_ready},
                        "targetRef": {"kind": "Pod", "name": pod, "namespace": "ingress"},
                    }
                    for number, (pod, is_ready) in enumerate(ready.items(), 1)
                ],
            }
        )


OURS = [{"ip": "192.0.2.1"}]


class ReplicaTests(WriterTestCase):
    """One of several replicas writes."""

    def test_one(self) -> None:
        """A replica that is alone leads, and writes the status of what it serves."""
        one = self.begin("pod-1")
        self.run_for(2)
        self.assertTrue(one.writer.is_leader)
        self.assertTrue(one.writer.holder.startswith("pod-1_"))
        self.assertEqual(one.writer.holder, self.holder())
        self.assertEqual(
            repr(one.writer), "<ClusterWriter: <Elector of ingress/txingress-leader: leads>>"
        )
        self.assertEqual(self.addresses(), {"a": OURS, "b": OURS})

    def test_take_over(self) -> None:
        """Of two one writes; when it stops, the other one does within seconds."""
        one, other = self.begin("pod-1"), self.begin("pod-2")
        self.run_for(5)
        self.assertEqual([one.writer.is_leader, other.writer.is_leader], [True, False])
        self.assertEqual(one.writer.leases(), {"txingress-leader": 1})
        self.assertEqual(other.writer.leases(), {"txingress-leader": 0})
        self.assertEqual(one.writer.holder, other.writer.holder)
        self.run_for(5, serve="bc")
        self.assertEqual(self.addresses(), {"b": OURS, "c": OURS})
        self.successResultOf(self.end(one))
        self.run_for(5, serve="bc")
        self.assertTrue(other.writer.is_leader)
        self.run_for(2, serve="a")
        self.assertEqual(self.addresses(), {"a": OURS})
        self.assertEqual(self.clock.seconds() // 1, 1_795_000_017)

    def test_killed(self) -> None:
        """When it is killed, the other one writes when the Lease has run out."""
        one, other = self.begin("pod-1"), self.begin("pod-2")
        self.run_for(5)
        self.processes.remove(one)
        one.writer._elector._running.cancel()  # type: ignore[union-attr]
        self.run_for(22, serve="c")
        self.assertTrue(other.writer.is_leader)
        self.assertEqual(self.addresses(), {"c": OURS})
        self.assertFalse(one.writer.is_leader)

    def test_quiet(self) -> None:
        """When all is as it should be, the Lease is all that is written."""
        self.begin("pod-1", events=True)
        self.run_for(10)
        self.api.requests.clear()
        self.run_for(60)
        self.assertEqual({each.resource for each in self.api.requests}, {"leases"})
        self.assertEqual({each.verb for each in self.api.requests}, {"update"})

    def test_rights(self) -> None:
        """No request was refused, so that these rights suffice; and each is needed."""
        self.front("192.0.2.1")
        self.replicas(**{"pod-1": True})
        self.api.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
        one = self.begin("pod-1", FRONT, events=True)
        one.problems.report("build", {"a": (Problem("bad", "Ingress", "default", "a"),)})
        self.run_for(10)
        one.problems.report("build", {})
        one.problems.report("build", {"a": (Problem("bad", "Ingress", "default", "a"),)})
        # It is served before the watch tells that it has changed.
        self.api.put(ingress("c", "c.example"))
        one.writer.serve(one.store.view().ingresses)
        self.clock.advance(0)
        self.begin("pod-2", StatusAddresses(nodes="internal"))
        self.end(one)
        self.run_for(20, serve="")
        self.assertEqual([each for each in self.api.requests if each.code == 403], [])
        unneeded = [
            rule for rule in RIGHTS if not any(allows(rule, each) for each in self.api.requests)
        ]
        self.assertEqual(unneeded, [])


class EventTests(WriterTestCase):
    """Problems, and that an Ingress is served, are Events that kubectl shows."""

    def test_events(self) -> None:
        """A Problem is a Warning, counted when it comes back, also by the next leader."""
        problem = Problem("no such port", "Ingress", "default", "a", "spec.rules[0]")
        one, other = (self.begin(pod, events=True) for pod in ("pod-1", "pod-2"))
        for process in (one, other):
            process.problems.report("build", {"a": (problem,)})
        self.run_for(5)
        served = [f"{name} Normal Served 1: Its rules are served for a.example" for name in "ab"]
        warning = "a Warning RuleProblem {}: spec.rules[0]: no such port"
        self.assertEqual(self.events(), [served[0], warning.format(1), served[1]])
        for process in (one, other):
            process.problems.report("build", {})
            process.problems.report("build", {"a": (problem,)})
        self.run_for(5)
        self.assertEqual(self.events(), [served[0], warning.format(2), served[1]])
        self.end(one)
        self.run_for(10)
        self.assertEqual(self.events(), [served[0], warning.format(2), served[1]])
        other.problems.report("build", {})
        other.problems.report("build", {"a": (problem,)})
        self.run_for(5)
        self.assertEqual(self.events(), [served[0], warning.format(3), served[1]])

    def test_off(self) -> None:
        """No Events are written if so configured, and no statuses without addresses."""
        self.begin("pod-1", StatusAddresses())
        self.run_for(5)
        self.assertEqual((self.events(), self.addresses()), ([], {}))


class NamespaceTests(WriterTestCase):
    def test_lease(self) -> None:
        """The Lease is in the configured namespace, else in that of the pod, else of the access."""
        pod = {"POD_NAMESPACE": "shop"}
        for namespace, environment, expected in (
            ("", {}, "ingress"),
            ("", pod, "shop"),
            ("other", pod, "other"),
        ):
            config = Cluster(lease=(namespace, "leader"))
            process = Process(self, "p", config, "pod", **environment)
            self.assertIn(f"<Elector of {expected}/leader: ", repr(process.writer))
            process.writer.stop()


class FailureTests(WriterTestCase):
    """A server that fails makes it late, and never wrong."""

    def test_hangs(self) -> None:
        """If the server does not answer, writing ends within the deadline."""
        one = self.begin("pod-1")
        self.run_for(5, serve="a")
        self.api.fail(Fault(0, times=None))
        self.run_for(10.5)
        self.assertFalse(one.writer.is_leader)
        self.api.disturbances.faults.clear()
        self.api.requests.clear()
        self.run_for(1)
        self.assertNotIn("ingresses", {each.resource for each in self.api.requests})
        self.run_for(25)
        self.assertEqual(self.addresses(), {"a": OURS, "b": OURS})

    def test_busy(self) -> None:
        """Conflicts, overload and failures are got over."""
        self.begin("pod-1")
        for code in (409, 429, 500, 503):
            self.api.fail(Fault(code, times=3, resource="ingresses/status"))
        self.run_for(60)
        self.assertEqual(self.addresses(), {"a": OURS, "b": OURS})

    def test_no_right(self) -> None:
        """Without the right to write statuses, Events are written all the same."""
        self.api.grant(
            self.user, *(each for each in RIGHTS if "patch" not in each.verbs[:1]), token="pod"
        )
        self.begin("pod-1", events=True)
        self.run_for(5)
        self.assertEqual(len(self.events()), 2)
        self.api.grant(self.user, *RIGHTS, token="pod")
        self.run_for(20)
        self.assertEqual(self.addresses(), {"a": OURS, "b": OURS})


class AddressTests(WriterTestCase):
    """The addresses come from the Service in front of the replicas."""

    def test_pending(self) -> None:
        """They are written when the load balancer has some, and again when it has others."""
        self.front()
        self.begin("pod-1", FRONT)
        self.run_for(5)
        self.assertEqual(self.addresses(), {})
        self.front("192.0.2.1")
        self.run_for(8)
        self.assertEqual(self.addresses(), {"a": OURS, "b": OURS})
        self.front("192.0.2.2")
        self.run_for(35)
        self.assertEqual(self.addresses()["a"], [{"ip": "192.0.2.2"}])
        self.api.delete("v1", "Service", "front", "ingress")
        self.run_for(35)
        self.assertEqual(self.addresses()["a"], [{"ip": "192.0.2.2"}])


class StopTests(WriterTestCase):
    """The last replica takes the addresses away, if that is to be."""

    def test_stay(self) -> None:
        """Otherwise the addresses stay when a replica stops."""
        one = self.begin("pod-1")
        self.run_for(5)
        self.successResultOf(self.end(one))
        self.assertEqual((self.holder(), self.addresses()), ("", {"a": OURS, "b": OURS}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def lead(self, **ready: bool) -> Process:
        self.front("192.0.2.1")
        self.replicas(**ready)
        one = self.begin("pod-1", FRONT)
        self.run_for(5)
        self.assertEqual(self.addresses(), {"a": OURS, "b": OURS})
        return one

    def test_last(self) -> None:
        """With no other replica ready they are taken away, and the Lease is released after that."""
        stopped = self.end(self.lead(**{"pod-1": True, "pod-2": False}))
        self.clock.pump([0] * 5)
        self.successResultOf(stopped)
        self.assertEqual((self.holder(), self.addresses()), ("", {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others(self) -> None:
        """With another one ready, also after a moment, they stay."""
        stopped = self.end(self.lead(**{"pod-1": False, "pod-2": True}))
        self.assertNoResult(stopped)
        self.clock.advance(2)
        self.successResultOf(stopped)
        self.assertEqual((self.holder(), self.addresses()), ("", {"a": OURS, "b": OURS}))

    def test_all_end(self) -> None:
        """If the other replicas end a moment later, this one was the last."""
        stopped = self.end(self.lead(**{"pod-1": False, "pod-2": True}))
        self.replicas(**{"pod-1": False, "pod-2": False})
        self.clock.advance(2)
        self.clock.pump([0] * 5)
        self.successResultOf(stopped)
        self.assertEqual(self.addresses(), {})

    def test_no_service(self) -> None:
        """Without a Service, the leader is the last one."""
        one = self.begin("pod-1", StatusAddresses(addresses=("192.0.2.1",), clear_on_shutdown=True))
        self.run_for(5)
        stopped = self.end(one)
        self.clock.pump([0] * 5)
        self.successResultOf(stopped)
        self.assertEqual(self.addresses(), {})

    def test_follower(self) -> None:
        """A replica that does not lead removes nothing."""
        self.lead(**{"pod-1": True, "pod-2": False})
        self.successResultOf(self.end(self.begin("pod-2", FRONT)))
        self.run_for(1)
        self.assertEqual(self.addresses(), {"a": OURS, "b": OURS})

    def test_hangs(self) -> None:
        """A server that does not answer any more delays the end for seconds."""
        one = self.lead(**{"pod-1": True})
        self.api.fail(Fault(0, times=None))
        stopped = self.end(one)
        self.clock.pump([1.0] * int(CLEAR_TIMEOUT + 10))
        self.successResultOf(stopped)
        self.assertIn(
            "The addresses of Ingresses are not removed: no answer within 10 s", self.lines.take()
        )
