"""
Tests for `ingress.migration.controller`, `ingress.migration.raw` and what is made of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.document import load_documents
from ingress.migration.config_maps import judge_others
from ingress.migration.controller import Installation, find_installations, parse_reference
from ingress.migration.helm import objects_of
from ingress.migration.manifests import File, manifest_files
from ingress.migration.raw import RawObject, read_raw
from ingress.migration.services import judge_services, moved_service, new_labels
from ingress.migration.verdict import Verdict
from tests.support.deploy import DEPLOY, only, written
from tests.support.kubernetes_rules import faults
from tests.support.kubernetes_schema import complaints
from tests.support.process import CHECKOUT

FIXTURE = CHECKOUT / "tests" / "fixtures" / "migration" / "ingress-nginx.yaml"


def raw(*documents: Any) -> list[RawObject]:
    """Objects, read as from a file."""
    text = yaml.safe_dump_all(documents)
    return [each for one in load_documents(text) for each in read_raw(one, "a.yaml")]


def fixture() -> Installation:
    """The installation of the fixture."""
    objects = [each for one in load_documents(FIXTURE.read_text()) for each in read_raw(one, "f")]
    [found] = find_installations(objects)
    return found


def made(installation: Installation, name: str = "txingress") -> dict[str, list[Any]]:
    """The documents of each file that is made."""
    files: list[File] = list(manifest_files(installation, name, "registry.example.com/a:1"))
    return {file.path: list(yaml.safe_load_all(file.text)) for file in files}


def workload(kind: str = "Deployment", **pod: Any) -> dict[str, Any]:
    """A workload of ingress-nginx with these fields of its container."""
    container = {
        "name": "controller",
        "image": "registry.k8s.io/ingress-nginx/controller:v1",
        **pod,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "door", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"app": "door"}},
            "template": {
                "metadata": {"labels": {"app": "door", "tier": "edge"}},
                "spec": {"containers": [{"name": "sidecar", "image": "x"}, container]},
            },
        },
    }


class FindTests(SynchronousTestCase):
    """What is found among objects."""

    def test_fixture(self) -> None:
        """All that belongs to a controller is found, and nothing that does not."""
        found = fixture()
        self.assertEqual([each.name for each in found.services], ["ingress-nginx-controller"])
        self.assertEqual([each.name for each in found.classes], ["nginx"])
        self.assertEqual(len(found.autoscalers), 1)
        self.assertEqual(len(found.budgets), 1)
        self.assertEqual([each.name for each in found.webhooks], ["ingress-nginx-admission"])
        assert found.config_map is not None
        self.assertIn("use-gzip", found.config_map.at("data"))

    def test_several(self) -> None:
        """Each controller is found by its program or its image, and no other program is."""
        named = workload(image="mirror.example/copy:1", args=["/nginx-ingress-controller", "--v=2"])
        named["metadata"]["name"] = "another"
        others = [workload(image=image) for image in ("nginx/nginx-ingress:5", "nginx:1")]
        found = find_installations(raw(workload("DaemonSet"), named, *others))
        self.assertEqual(
            [each.name for each in found],
            ["Deployment kube-system/another", "DaemonSet kube-system/door"],
        )

    def test_lists(self) -> None:
        """Lists of every kind are opened, items without a kind included; Secrets are never kept."""
        deployment = {**workload()}
        del deployment["kind"], deployment["apiVersion"]
        secret = {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "hidden"}}
        found = raw(
            {"kind": "DeploymentList", "apiVersion": "apps/v1", "items": [deployment]},
            {"kind": "List", "items": [secret, {"kind": "Service", "metadata": {"name": "a"}}]},
        )
        self.assertEqual([each.kind for each in found], ["Deployment", "Service"])
        self.assertEqual(found[1].namespace, "default")

    def test_nonsense(self) -> None:
        """Objects with fields of any type are read, and raise nothing."""
        values: tuple[Any, ...] = (None, 1, "x", [], [None], {"a": []})
        for value in values:
            objects = raw(
                {"kind": "Deployment", "metadata": {"name": "a"}, "spec": value},
                {"kind": "Service", "metadata": {"name": "a", "labels": value}, "spec": value},
                {"kind": "ConfigMap", "metadata": value, "data": value},
                workload(args=value, env=value, ports=value, resources=value),
            )
            for found in find_installations(objects):
                made(found)

    def test_references(self) -> None:
        """A name without a namespace is one of the pod's."""
        self.assertEqual(parse_reference("a/b", "x"), ("a", "b"))
        self.assertEqual(parse_reference("b", "x"), ("x", "b"))
        self.assertEqual(parse_reference("", "x"), None)
        self.assertEqual(parse_reference("a/b/c", "x"), None)


class ManifestTests(SynchronousTestCase):
    """The manifests that are made."""

    def test_as_deployed(self) -> None:
        """Rights, container and probes are those of etc/deploy."""
        deploy = written(DEPLOY)
        files = made(fixture())
        roles = {each["kind"]: each for each in files["base/rights.yaml"]}

        def rights(role: Any) -> list[Any]:
            return sorted(role["rules"], key=repr)

        self.assertEqual(rights(roles["ClusterRole"]), rights(only(deploy, "ClusterRole")))
        self.assertEqual(rights(roles["Role"]), rights(only(deploy, "Role")))
        [own] = files["base/deployment.yaml"]
        [mine] = own["spec"]["template"]["spec"]["containers"]
        theirs = only(deploy, "Deployment")["spec"]["template"]["spec"]
        [container] = theirs["containers"]
        for name in (
            "securityContext",
            "startupProbe",
            "livenessProbe",
            "readinessProbe",
            "lifecycle",
        ):
            self.assertEqual(mine[name], container[name], name)
        self.assertEqual(mine["env"], container["env"])
        self.assertEqual(
            own["spec"]["template"]["spec"]["securityContext"], theirs["securityContext"]
        )

    def test_carried_over(self) -> None:
        """Pods are placed as before, away from each other and not from those of ingress-nginx."""
        [own] = made(fixture())["base/deployment.yaml"]
        pod = own["spec"]["template"]["spec"]
        self.assertEqual(pod["priorityClassName"], "system-cluster-critical")
        self.assertEqual(pod["terminationGracePeriodSeconds"], 300)
        rules = pod["affinity"]["podAntiAffinity"]
        [rule] = rules["preferredDuringSchedulingIgnoredDuringExecution"]
        labels = rule["podAffinityTerm"]["labelSelector"]["matchLabels"]
        self.assertEqual(labels["app.kubernetes.io/name"], "txingress")
        self.assertNotIn("replicas", own["spec"])

    def test_service(self) -> None:
        """The Service has the same name and the same keys of its selector, which an apply merges."""
        installation = fixture()
        files = made(installation)
        [moved], [former] = files["instead/service.yaml"], files["back/service.yaml"]
        self.assertEqual(moved["metadata"]["name"], "ingress-nginx-controller")
        self.assertNotIn("meta.helm.sh/release-name", moved["metadata"]["annotations"])
        self.assertEqual(moved["spec"]["selector"].keys(), former["spec"]["selector"].keys())
        old, new = installation.pod_labels, new_labels(installation, "txingress")
        self.assertLessEqual(moved["spec"]["selector"].items(), new.items())
        self.assertFalse(former["spec"]["selector"].items() <= new.items())
        self.assertFalse(moved["spec"]["selector"].items() <= old.items())
        targets = {port["name"]: port["targetPort"] for port in moved["spec"]["ports"]}
        self.assertEqual(targets, {"http": "http", "https": "https", "5432-tcp": "5432-tcp"})

    def test_other_labels(self) -> None:
        """Whatever the selectors are, neither workload takes the pods of the other one."""
        for selector in ({"app": "door"}, {"tier": "edge"}, {"app": "door", "tier": "edge"}):
            service = {
                "kind": "Service",
                "metadata": {"name": "door", "namespace": "kube-system"},
                "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 80}]},
            }
            [found] = find_installations(raw(workload(), service))
            labels = new_labels(found, "txingress")
            self.assertFalse({"app": "door"}.items() <= labels.items(), selector)
            moved = moved_service(found.services[0], found, "txingress")["spec"]
            self.assertLessEqual(moved["selector"].items(), labels.items())
            self.assertFalse(moved["selector"].items() <= found.pod_labels.items())
            self.assertEqual(moved["ports"], [{"port": 80, "targetPort": "http"}])

    def test_no_ports(self) -> None:
        """Keys that are no ports are told, whatever digits they are made of."""
        data = dict.fromkeys(("0", "65536", "\N{SUPERSCRIPT TWO}", "9" * 5000), "default/db:5432")
        [found] = find_installations(
            raw(
                workload(args=["--tcp-services-configmap=kube-system/tcp"]),
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "tcp", "namespace": "kube-system"},
                    "data": data,
                },
            )
        )
        verdicts = [row.verdict for row in judge_others(found)]
        self.assertEqual(verdicts, [Verdict.DIFFERS] * len(data))

    def test_ports(self) -> None:
        """Ports keep their numbers and names; one that leads to somebody's own port is told."""
        service = {
            "kind": "Service",
            "metadata": {"name": "door", "namespace": "kube-system"},
            "spec": {
                "selector": {"app": "door"},
                "ports": [
                    {"name": "https", "port": 443, "targetPort": "http"},
                    {"name": "http", "port": 80, "targetPort": "tohttps"},
                    {"name": "db", "port": 5432, "targetPort": "postgres"},
                ],
            },
        }
        ports = [
            {"name": "http", "containerPort": 80},
            {"name": "tohttps", "containerPort": 2443},
            {"name": "postgres", "containerPort": 5432},
        ]
        config_map = {
            "kind": "ConfigMap",
            "metadata": {"name": "tcp", "namespace": "kube-system"},
            "data": {"5432": "a/b:1"},
        }
        door = workload(ports=ports, args=["--tcp-services-configmap=kube-system/tcp"])
        [found] = find_installations(raw(door, service, config_map))
        moved = moved_service(found.services[0], found, "txingress")["spec"]["ports"]
        self.assertEqual([port["targetPort"] for port in moved], ["http", "http", "postgres"])
        [own] = made(found)["base/deployment.yaml"]
        [container] = own["spec"]["template"]["spec"]["containers"]
        self.assertIn("postgres", [port["name"] for port in container["ports"]])
        told = [row.name for row in judge_services(found) if row.verdict is Verdict.DIFFERS]
        self.assertEqual(told, ["Service kube-system/door: port http"])

    def test_host_ports(self) -> None:
        """Ports of the node are taken at the switch, not beside ingress-nginx, which has them."""
        document = workload("DaemonSet")
        document["spec"]["template"]["spec"]["hostNetwork"] = True
        [found] = find_installations(raw(document))
        files = made(found)
        self.assertNotIn("hostPort", repr(files["base/daemonset.yaml"]))
        [patch] = files["instead/host-ports.yaml"]
        [container] = patch["spec"]["template"]["spec"]["containers"]
        self.assertEqual([port["hostPort"] for port in container["ports"]], [80, 443])

    def test_low_ports(self) -> None:
        """TCP and UDP services keep their ports of the node, and pods may listen on low ones."""
        services = {
            "kind": "ConfigMap",
            "metadata": {"name": "t", "namespace": "kube-system"},
            "data": {"22": "git/ssh:22", "53": "dns/dns:53", "x": "y"},
        }
        args = ["--tcp-services-configmap=kube-system/t"]
        ports = [
            {"name": "http", "containerPort": 80, "hostPort": 8080},
            {"name": "22-tcp", "containerPort": 22, "hostPort": 2222},
            {"name": "53-udp", "containerPort": 53, "protocol": "UDP"},
        ]
        document = workload("DaemonSet", args=args, ports=ports)
        [found] = find_installations(raw(document, services))
        files = made(found)
        [patch] = files["instead/host-ports.yaml"]
        [container] = patch["spec"]["template"]["spec"]["containers"]
        self.assertEqual([port["hostPort"] for port in container["ports"]], [8080, 2222])
        self.assertNotIn("hostPort", repr(files["base/daemonset.yaml"]))
        pod = files["base/daemonset.yaml"][0]["spec"]["template"]["spec"]
        [sysctl] = pod["securityContext"]["sysctls"]
        self.assertEqual(sysctl["name"], "net.ipv4.ip_unprivileged_port_start")
        self.assertEqual(complaints(files["base/daemonset.yaml"]), [])
        document = workload(args=args)
        document["spec"]["template"]["spec"]["hostNetwork"] = True
        [patch] = made(find_installations(raw(document, services))[0])["instead/host-ports.yaml"]
        [container] = patch["spec"]["template"]["spec"]["containers"]
        self.assertEqual([port["hostPort"] for port in container["ports"]], [80, 443, 22, 53])
        [high] = find_installations(raw(workload()))
        self.assertNotIn("sysctls", repr(made(high)))

    def test_own_rights(self) -> None:
        """What is for the whole cluster has not the names of etc/deploy and of the chart."""
        rights = made(fixture())["base/rights.yaml"]
        wide = [each for each in rights if each["kind"].startswith("Cluster")]
        self.assertEqual({each["metadata"]["name"] for each in wide}, {"txingress-ingress-nginx"})
        self.assertEqual(len(wide), 2)
        deployed = {each["metadata"]["name"] for each in written(DEPLOY)}
        self.assertNotIn("txingress-ingress-nginx", deployed)

    def test_one_namespace(self) -> None:
        """With a watched namespace, rights to Secrets are those of a Role in it."""
        [found] = find_installations(
            raw(workload(args=["--watch-namespace=shop", "--publish-service=kube-system/door"]))
        )
        rights = made(found)["base/rights.yaml"]
        wide = next(each for each in rights if each["kind"] == "ClusterRole")
        self.assertEqual([rule["resources"] for rule in wide["rules"]], [["ingressclasses"]])
        places = {each["metadata"]["namespace"] for each in rights if each["kind"] == "Role"}
        self.assertEqual(places, {"shop", "kube-system"})
        [config] = made(found)["beside/config-map.yaml"]
        settings = yaml.safe_load(config["data"]["ingress.yaml"])
        self.assertEqual(settings["source"]["kubernetes"]["namespaces"], ["shop"])

    def test_nodes(self) -> None:
        """Where the addresses of nodes are published, there is the right to read nodes."""
        [found] = find_installations(raw(workload()))
        files = made(found)
        [config] = files["instead/config-map.yaml"]
        settings = yaml.safe_load(config["data"]["ingress.yaml"])
        self.assertEqual(settings["source"]["kubernetes"]["status"], {"nodes": "external"})
        wide = next(each for each in files["base/rights.yaml"] if each["kind"] == "ClusterRole")
        self.assertIn(["nodes"], [rule["resources"] for rule in wide["rules"]])

    def test_statuses(self) -> None:
        """Only what takes the place of ingress-nginx writes statuses."""
        files = made(fixture())
        settings = {
            place: yaml.safe_load(files[f"{place}/config-map.yaml"][0]["data"]["ingress.yaml"])
            for place in ("beside", "instead")
        }
        self.assertNotIn("status", settings["beside"]["source"]["kubernetes"])
        self.assertEqual(
            settings["instead"]["source"]["kubernetes"]["status"],
            {"service": "ingress-nginx/ingress-nginx-controller"},
        )
        self.assertEqual(settings["instead"]["workers"], 2)


class AcceptedTests(SynchronousTestCase):
    """What Kubernetes says to the manifests."""

    def test_accepted(self) -> None:
        """An API server accepts them, and they fit each other, whatever they are made of."""
        daemon_set = workload("DaemonSet", args=["--watch-namespace=shop"])
        daemon_set["spec"]["template"]["spec"]["hostNetwork"] = True
        values = {
            "controller": {"replicaCount": 3, "autoscaling": {"enabled": True, "minReplicas": 2}},
            "tcp": {5432: "a/b:1"},
            "udp": {53: "a/b:2"},
        }
        for objects in (raw(daemon_set), objects_of(values), None):
            found = find_installations(objects)[0] if objects is not None else fixture()
            files = made(found)
            for stage in ("beside", "instead"):
                documents = [
                    document
                    for path, listed in files.items()
                    for document in listed
                    if path.startswith(("base/", f"{stage}/"))
                    and document["kind"] != "Kustomization"
                    and path != "instead/host-ports.yaml"
                ]
                self.assertGreater(len(documents), 7)
                self.assertEqual(faults(documents), [])
                self.assertEqual(complaints(documents), [])


class FileTests(SynchronousTestCase):
    """The fixture itself."""

    def test_there(self) -> None:
        """It has a ConfigMap of twenty keys."""
        found = fixture()
        assert found.config_map is not None
        self.assertGreaterEqual(len(found.config_map.at("data")), 20)
        self.assertTrue(Path(FIXTURE).exists())
