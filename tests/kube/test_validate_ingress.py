"""
Tests for `ingress.kube.validate_ingress`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.fault import spell_field
from ingress.kube.objects import (
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressTLS,
    Metadata,
    PathType,
    ServiceBackendPort,
    TypedLocalObjectReference,
)
from ingress.kube.validate_ingress import ingress_faults

PORT = ServiceBackendPort(number=80)
WEB = IngressBackend(service=IngressServiceBackend(name="web", port=PORT))


def faults(spec: IngressSpec, annotations: dict[str, str] | None = None) -> list[tuple[str, str]]:
    """Field and message of every fault of an Ingress."""
    item = Ingress(metadata=Metadata(name="a", annotations=annotations or {}), spec=spec)
    return [(spell_field(fault.path), fault.message) for fault in ingress_faults(item)]


def path_faults(path: str, path_type: PathType) -> list[str]:
    """The message of every fault of one path."""
    http = HTTPIngressRuleValue(
        paths=(HTTPIngressPath(backend=WEB, path_type=path_type, path=path),)
    )
    found = faults(IngressSpec(rules=(IngressRule(http=http),)))
    for field, _ in found:
        assert field == "spec.rules[0].http.paths[0].path", field
    return [message for _, message in found]


def backend_faults(backend: IngressBackend) -> list[tuple[str, str]]:
    """The faults of one backend."""
    return faults(IngressSpec(default_backend=backend))


class SpecTests(SynchronousTestCase):
    """The spec as a whole."""

    def test_nothing(self) -> None:
        """Rules or a default backend must be there; either is enough."""
        self.assertEqual(faults(IngressSpec()), [("spec", "must have rules or a defaultBackend")])
        self.assertEqual(faults(IngressSpec(default_backend=WEB)), [])
        self.assertEqual(faults(IngressSpec(rules=(IngressRule(host="a"),))), [])

    def test_class_twice(self) -> None:
        """The field and the annotation for the class are refused together."""
        annotations = {"kubernetes.io/ingress.class": "nginx"}
        spec = IngressSpec(default_backend=WEB, ingress_class_name="nginx")
        [(field, _)] = faults(spec, annotations)
        self.assertEqual(field, "metadata.annotations[kubernetes.io/ingress.class]")
        self.assertEqual(faults(IngressSpec(default_backend=WEB), annotations), [])

    def test_class_name(self) -> None:
        """The class must be a DNS name, and not empty."""
        for name in ("", "A", "a b"):
            [(field, _)] = faults(IngressSpec(default_backend=WEB, ingress_class_name=name))
            self.assertEqual(field, "spec.ingressClassName")

    def test_tls(self) -> None:
        """Hosts of tls entries may be wildcards; what is wrong has its place."""
        tls = (
            IngressTLS(hosts=("a.b", "*.b"), secret_name="s"),
            IngressTLS(hosts=("a", "A"), secret_name="S"),
        )
        found = faults(IngressSpec(default_backend=WEB, tls=tls))
        self.assertEqual(
            [field for field, _ in found], ["spec.tls[1].hosts[1]", "spec.tls[1].secretName"]
        )

    def test_no_paths(self) -> None:
        """A rule with http must have a path."""
        spec = IngressSpec(rules=(IngressRule(http=HTTPIngressRuleValue(paths=())),))
        self.assertEqual(
            faults(spec), [("spec.rules[0].http.paths", "must have at least one path")]
        )


class HostTests(SynchronousTestCase):
    """Hosts of rules."""

    def test_accepted(self) -> None:
        """No host, names and wildcards."""
        for host in ("", "a", "a.b", "xn--bcher-kva.example", "*.a.b", "1.a", "1.2.3", "a.1"):
            self.assertEqual(faults(IngressSpec(rules=(IngressRule(host=host),))), [], host)

    def test_refused(self) -> None:
        """Anything else, with the mistake where it is a common one."""
        for host, hint in {
            "10.0.0.1": "not an IP address",
            "::1": "not an IP address",
            "[::1]": "not an IP address",
            "a.b:8080": "without a port",
            "http://a.b": "without a scheme",
            "a.b/c": "without a path",
            "A.b": "in lower case",
            "*.A.b": "in lower case",
            "bücher.example": "xn--",
            "*": "first label",
            "a.*.b": "first label",
            "*a.b": "first label",
            "a.b.": "without a dot at the end",
            "a_b.c": "lower-case letters",
            "a b": "lower-case letters",
            "a..b": "lower-case letters",
            "a\n": "lower-case letters",
            "a" * 254: "at most 253",
        }.items():
            [(field, message)] = faults(IngressSpec(rules=(IngressRule(host=host),)))
            self.assertEqual(field, "spec.rules[0].host")
            self.assertIn(hint, message)


class PathTests(SynchronousTestCase):
    """Paths, by their type."""

    def test_accepted(self) -> None:
        """Paths that the API server accepts."""
        for path in ("/", "/a", "/a/", "/a/b", "/.a", "/a..b", "/a/...", "/%20", "/a b", "/é"):
            self.assertEqual(path_faults(path, "Exact"), [], path)
            self.assertEqual(path_faults(path, "Prefix"), [], path)
        for path in ("", "/", "/a(.*)", "//", "/a/../b", "/%2f"):
            self.assertEqual(path_faults(path, "ImplementationSpecific"), [], path)

    def test_refused(self) -> None:
        """Paths that it refuses for Exact and Prefix."""
        for path in (
            "",
            "a",
            "//",
            "/a//b",
            "/./a",
            "/a/../b",
            "/a%2fb",
            "/a%2Fb",
            "/a/..",
            "/a/.",
            "/..",
        ):
            self.assertNotEqual(path_faults(path, "Exact"), [], path)
            self.assertNotEqual(path_faults(path, "Prefix"), [], path)
        self.assertEqual(path_faults("a", "ImplementationSpecific"), ["must start with /"])

    def test_every_fault(self) -> None:
        """Each thing that is wrong with one path is told."""
        self.assertEqual(
            path_faults("/a//b%2fc/..", "Prefix"),
            ["must not contain //", "must not contain %2f", "must not end in /.."],
        )


class BackendTests(SynchronousTestCase):
    """Backends."""

    def test_one_of_two(self) -> None:
        """Exactly one of service and resource."""
        resource = TypedLocalObjectReference(kind="Bucket", name="b", api_group="a.b")
        self.assertEqual(backend_faults(IngressBackend(resource=resource)), [])
        for backend in (IngressBackend(), IngressBackend(service=WEB.service, resource=resource)):
            [(field, _)] = backend_faults(backend)
            self.assertEqual(field, "spec.defaultBackend")

    def test_port(self) -> None:
        """Exactly one of name and number, each valid."""
        at = "spec.defaultBackend.service.port"
        for port, field in (
            (ServiceBackendPort(), at),
            (ServiceBackendPort(name="a", number=1), at),
            (ServiceBackendPort(name="A"), f"{at}.name"),
            (ServiceBackendPort(number=65536), f"{at}.number"),
            (ServiceBackendPort(number=-1), f"{at}.number"),
        ):
            service = IngressServiceBackend(name="web", port=port)
            self.assertEqual(
                [found for found, _ in backend_faults(IngressBackend(service=service))], [field]
            )

    def test_service_name(self) -> None:
        """The name must be one that a Service can have."""
        for name in ("", "0a", "A", "a.b", "ns/a"):
            service = IngressServiceBackend(name=name, port=PORT)
            [(field, _)] = backend_faults(IngressBackend(service=service))
            self.assertEqual(field, "spec.defaultBackend.service.name")

    def test_resource(self) -> None:
        """Kind and name must be there, the group a DNS name."""
        resource = TypedLocalObjectReference(kind="", name="a/b", api_group="A")
        self.assertEqual(
            [
                field.rpartition(".")[2]
                for field, _ in backend_faults(IngressBackend(resource=resource))
            ],
            ["apiGroup", "kind", "name"],
        )
