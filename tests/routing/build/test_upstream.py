"""Tests of the endpoints of a Service port, beyond the golden cases."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import FilesSource
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.kube.objects import EndpointPort, EndpointSlice, Service, ServicePort
from ingress.routing.build.upstream import ResolvedUpstream, ServiceObjects, resolve_upstream
from ingress.steps import STRIDE, finish
from tests.support.objects import FILES, LEAVING, STARTING, endpoint_slice, resolved_name, service

KEY = UpstreamKey("default", "web", "80")


def resolve(
    *slices: EndpointSlice,
    of: Service | None = None,
    key: UpstreamKey = KEY,
    source: FilesSource = FILES.source,
) -> ResolvedUpstream:
    objects = ServiceObjects(of or service("web"), slices, None)
    return finish(resolve_upstream(key, objects, source))


def texts(resolved: ResolvedUpstream) -> tuple[list[str], list[str]]:
    """The endpoints and the lingering ones."""
    upstream = resolved.upstream
    return list(map(str, upstream.endpoints)), list(map(str, upstream.lingering))


class ResolveUpstreamTests(SynchronousTestCase):
    def test_merged(self) -> None:
        """An endpoint that several slices list is one; ready in one of them is ready."""
        resolved = resolve(
            endpoint_slice("web", ("10.0.0.1", LEAVING), "10.0.0.2"),
            endpoint_slice("web", "10.0.0.1", ("10.0.0.3", LEAVING), name="web-2"),
        )
        self.assertEqual(texts(resolved), (["10.0.0.1:8080", "10.0.0.2:8080"], ["10.0.0.3:8080"]))

    def test_order(self) -> None:
        """The order of slices and of endpoints does not matter."""
        one, two = endpoint_slice("web", "10.0.0.2", "10.0.0.1"), endpoint_slice("web", "10.0.0.3")
        self.assertEqual(resolve(one, two), resolve(two, one))

    def test_family_without_ready(self) -> None:
        """The other family serves where the preferred one has none ready."""
        four = endpoint_slice("web", ("10.0.0.1", LEAVING))
        six = endpoint_slice("web", "fd00::1", family="IPv6")
        self.assertEqual(texts(resolve(four, six)), (["[fd00::1]:8080"], []))
        starting = endpoint_slice("web", ("fd00::1", STARTING), family="IPv6")
        self.assertEqual(texts(resolve(four, starting)), (["10.0.0.1:8080"], []))

    def test_bad_address(self) -> None:
        """An IPv6 address that is none is kept as written: its dial fails, nothing else."""
        bad = endpoint_slice("web", "fd00:::1", "fd00::2", family="IPv6")
        self.assertEqual(len(resolve(bad).upstream.endpoints), 2)

    def test_other_port_name(self) -> None:
        """Ports meet by name: a slice with another name has no endpoint, and the fault says so."""
        named = service("web", ServicePort(name="http", port=80))
        resolved = resolve(endpoint_slice("web", "10.0.0.1"), of=named)
        self.assertEqual(resolved.upstream.endpoints, ())
        self.assertIn("list no address with a TCP port named http", resolved.fault)

    def test_open_port(self) -> None:
        """A slice that leaves its port open means the number of the target port."""
        open_slice = endpoint_slice("web", "10.0.0.1", ports=(EndpointPort(),))
        for target, expected in ((3000, "10.0.0.1:3000"), (0, "10.0.0.1:80")):
            of = service("web", ServicePort(port=80, target_port=target))
            self.assertEqual(texts(resolve(open_slice, of=of))[0], [expected])

    def test_unnumbered_port(self) -> None:
        """Without any number nothing is guessed; slices with a number are served."""
        open_slice = endpoint_slice("web", "10.0.0.1", ports=(EndpointPort(),))
        of = service("web", ServicePort(port=80, target_port="http"))
        resolved = resolve(open_slice, of=of)
        self.assertEqual(resolved.upstream.endpoints, ())
        self.assertIn(
            "the EndpointSlices of Service default/web give no number for the TCP port without"
            " name, and its targetPort, http, is a name; one of them must be a number",
            resolved.fault,
        )
        both = resolve(open_slice, endpoint_slice("web", "10.0.0.2", name="web-2"), of=of)
        self.assertEqual(texts(both)[0], ["10.0.0.2:8080"])

    def test_external_without_name(self) -> None:
        """An ExternalName without name has no endpoint."""
        resolved = resolve(of=service("web", kind="ExternalName"))
        self.assertEqual(resolved.upstream.endpoints, ())
        self.assertIn("ExternalName without name", resolved.fault)

    def test_external_pending(self) -> None:
        """A name of which nothing is known yet is asked for, and no fault."""
        resolved = resolve(of=service("web", kind="ExternalName", external="api.example."))
        self.assertEqual(resolved.upstream, Upstream(KEY))
        self.assertEqual((resolved.fault, resolved.names), ("", {"api.example."}))

    def test_external(self) -> None:
        """A name leads to its addresses, by which it is known to its endpoints."""
        of = service("web", kind="ExternalName", external="api.example")
        names = {("", "api.example"): resolved_name("api.example", "10.0.0.1")}
        resolved = finish(resolve_upstream(KEY, ServiceObjects(of, (), None, names), FILES.source))
        self.assertEqual(resolved.upstream.endpoints, (Endpoint("10.0.0.1", 80, "api.example"),))

    def test_cluster(self) -> None:
        """In a cluster the fault gives no advice about files."""
        resolved = resolve(source=FilesSource())
        self.assertEqual(resolved.fault, "Service default/web has no endpoints; answered with 503")

    def test_steps(self) -> None:
        """Thousands of endpoints are resolved in steps, to the same."""
        addresses = [f"10.0.{number >> 8}.{number & 255}" for number in range(4 * STRIDE)]
        slices = endpoint_slice("web", *reversed(addresses))
        steps = resolve_upstream(KEY, ServiceObjects(service("web"), (slices,), None), FILES.source)
        count = 0
        try:
            while True:
                next(steps)
                count += 1
        except StopIteration as end:
            endpoints = end.value.upstream.endpoints
        self.assertEqual(endpoints, tuple(sorted(Endpoint(each, 8080) for each in addresses)))
        self.assertGreater(count, 8)
