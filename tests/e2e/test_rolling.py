"""
Endpoints that turn unready, terminate, vanish and come back under load: no request is lost
that asking another endpoint can save.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.manifest import Manifest, ingress_manifest, service_manifest
from tests.support.pod import Pod
from tests.support.process import wait_until

READY = {"ready": True, "serving": True, "terminating": False}
LEAVING = {"ready": False, "serving": True, "terminating": True}


def slice_manifest(pod: Pod, conditions: dict[str, bool]) -> Manifest:
    """An EndpointSlice of one pod in this condition."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"web-{pod.name}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": conditions}],
        "ports": [{"port": pod.port}],
    }


class RollingUpdateTests(ProcessTestCase):
    """A Service of three pods, and users who ask one request after the other."""

    pods: ClassVar[list[Pod]]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.pods = [cls.pod(name) for name in ("one", "two", "three")]
        cls.serve(folder, ingress_manifest("web", "a.example", {"/": "web"}))
        cls.process.write("service.yaml", service_manifest("web"))
        cls.write(*[(pod, READY) for pod in cls.pods])

    @classmethod
    def pod(cls, name: str, port: int = 0) -> Pod:
        pod = Pod(name, port)
        cls.resources.callback(pod.kill)
        return pod

    @classmethod
    def write(cls, *pods: tuple[Pod, dict[str, bool]]) -> None:
        cls.process.write("slices.yaml", *[slice_manifest(*pod) for pod in pods])

    def setUp(self) -> None:
        super().setUp()
        wait_until(lambda: self.get().status == 200, "the first endpoint")
        self.users = [User(self.process.port("http")) for _ in range(4)]
        for user in self.users:
            self.addCleanup(user.stop)

    def seen(self) -> set[str]:
        """Who answers from now on, as soon as every user has asked some requests more."""
        for user in self.users:
            user.seen = set()
        marks = [user.count for user in self.users]
        wait_until(
            lambda: all(
                user.failure or user.count > mark + 20
                for user, mark in zip(self.users, marks, strict=True)
            ),
            "20 answers to each user",
        )
        return set().union(*(user.seen for user in self.users))

    def expect(self, *names: str) -> None:
        """Wait until these answer, and no others."""
        wait_until(lambda: self.failures() or self.seen() == set(names), f"answers of {names}")
        self.assertEqual(self.failures(), [])

    def failures(self) -> list[str]:
        return [user.failure for user in self.users if user.failure]

    def test_rolling_update(self) -> None:
        """Pods are drained, die and are replaced; one dies unannounced and comes back."""
        one, two, three = self.pods
        self.expect("one", "two", "three")
        # One is drained, as a Deployment does it, and ends.
        self.write((one, LEAVING), (two, READY), (three, READY))
        self.expect("two", "three")
        one.kill()
        four = self.pod("four")
        self.write((two, READY), (three, READY), (four, READY))
        self.expect("two", "three", "four")
        # One is gone before anybody says so: its requests are asked of others.
        two.kill()
        self.expect("three", "four")
        # It comes back at the same address, and is asked again after its time.
        again = self.pod("two-again", two.port)
        self.expect("three", "four", "two-again")
        # All but one leave: those who still serve are better than nobody.
        self.write((again, LEAVING), (three, LEAVING))
        self.expect("three", "two-again")
        self.assertGreater(min(user.count for user in self.users), 50)


class User:
    """Sends one request after the other in a thread until it is stopped."""

    def __init__(self, port: int) -> None:
        self.count = 0
        """Requests that were answered as they should."""

        self.seen: set[str] = set()
        """Who answered them."""

        self.failure: str | None = None
        self._port = port
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._is_stopping = True
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_stopping:
                with HTTPClient(self._port) as client:
                    for _ in range(100):
                        self._ask(client)
        except Exception as error:
            self.failure = repr(error)

    def _ask(self, client: HTTPClient) -> None:
        method, body = (("GET", b""), ("PUT", b"x" * 1000))[self.count % 2]
        reply = client.request("/", "a.example", method=method, body=body)
        assert reply.status == 200, reply
        self.seen.add(reply.echo["name"])
        self.count += 1
