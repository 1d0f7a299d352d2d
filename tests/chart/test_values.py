"""
Tests for etc/chart: what its values mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.migration import flags
from ingress.migration.flag import FlagVerdict
from ingress.migration.flag_table import FLAGS
from ingress.migration.flag_value import FlagKind
from tests.chart.test_objects import FURTHER, OF_INGRESS_NGINX, key, plain
from tests.support.chart import CHART, Document, Rendering, Values, merged
from tests.support.deploy import DEPLOY, written
from tests.support.kubernetes_schema import complaints


def controller(**values: Any) -> Values:
    return {"controller": values}


def pod_of(rendering: Rendering, kind: str = "Deployment") -> Document:
    spec: Document = rendering.get(kind)["spec"]["template"]["spec"]
    return spec


def found_at(configuration: Document, key: str) -> Any:
    """The value of a key, ports without the form of their addresses; None if there is none."""
    found: Any = configuration
    for name in key.split("."):
        found = (found or {}).get(name)
    if key.startswith("listen."):
        return sorted(re.findall(r"[0-9][0-9.]+", found))
    if key == "source.kubernetes.status":
        found = {name: value for name, value in (found or {}).items() if value is not None}
        # A process of ingress-nginx clears, unless it is told not to.
        found.pop("clear-on-shutdown", None)
        return found
    return found


def refused(**values: Any) -> str:
    """What Helm says of values that it refuses."""
    try:
        Rendering(values)
    except AssertionError as error:
        return str(error)
    raise AssertionError("it is accepted")


class RefusalTests(SynchronousTestCase):
    """Values that mean nothing, or that contradict each other, install nothing."""

    def test_unknown(self) -> None:
        """An unknown value is refused by its name; one that is nearly right, with that."""
        self.assertIn("'controler' not allowed", refused(controler={}))
        said = refused(controller={"replicas": 3, "service": {"load_balancer_ip": "192.0.2.1"}})
        self.assertIn("'/controller/replicas': value must be 'under the name replicaCount'", said)
        self.assertIn("load_balancer_ip': value must be 'under the name loadBalancerIP'", said)

    def test_configuration(self) -> None:
        """A key that the process would not start with is refused before."""
        own = {"wokers": 2, "access_log": "off", "limits": {"body_size": "1m", "heads": 1}}
        said = refused(controller={"configuration": own})
        self.assertIn("'/controller/configuration': additional properties 'wokers'", said)
        self.assertIn("access_log': value must be 'under the name access-log'", said)
        self.assertIn("limits/body_size': value must be 'under the name body-size'", said)
        self.assertIn("limits': additional properties 'heads'", said)

    def test_wrong_type(self) -> None:
        """A value of another type, or none of those that there are, is refused with its place."""
        said = refused(
            controller={
                "replicaCount": "3",
                "kind": "StatefulSet",
                "config": {"hsts": {"enabled": True}},
                "image": {"tag": 1.10},
                "service": {"type": "Balancer", "ports": {"http": 70000}},
            },
            tcp={"ssh": "default/git:22", "22": "git:22"},
        )
        for place in (
            *("controller/replicaCount", "controller/kind", "controller/config/hsts"),
            *("controller/image/tag", "controller/service/type", "controller/service/ports/http"),
            *("tcp/22", "tcp"),
        ):
            self.assertIn(f"'/{place}'", said)

    def test_other_image(self) -> None:
        """The image of ingress-nginx, of whom values are taken over, is not run."""
        image = {"repository": "registry.k8s.io/ingress-nginx/controller", "tag": "v1.15.1"}
        self.assertIn("is the image of ingress-nginx", refused(controller={"image": image}))

    def test_contradictions(self) -> None:
        """What cannot work, or would serve more than was asked for, is refused with a way out."""
        low = {"hostNetwork": True, "containerPort": {"http": 80, "https": 443}}
        for values, said in (
            (low, "use controller.hostPort"),
            ({"hostNetwork": True, "hostPort": {"enabled": True}}, "choose one of the two"),
            ({"scope": {"namespaceSelector": "team=a"}}, "name one in controller.scope.namespace"),
            ({"extraArgs": {"watch-namespace-selector": "team=a"}}, "are chosen by name"),
            ({"extraArgs": {"annotations-prefix": "x"}}, "would not be applied"),
            ({"extraArgs": {"watch-namespaces": "a"}}, "has no such flag"),
            ({"extraArgs": {"publish-service": "$(POD)/a"}}, "no variable but $(POD_NAMESPACE)"),
            ({"service": {"enableHttp": False, "enableHttps": False}}, "nothing would be served"),
        ):
            self.assertIn(said, refused(controller=values))
        self.assertIn("objects of all namespaces", refused(rbac={"scope": True}))
        self.assertIn("listens there itself (admin)", refused(tcp={"10254": "a/b:1"}))
        self.assertIn("the Service has that port", refused(tcp={"443": "a/b:1"}))
        self.assertIn("there is no default", refused(defaultBackend={"enabled": True}))


class OddTests(SynchronousTestCase):
    """Values that YAML could take for something else, and values that are taken away."""

    ALL: ClassVar[Values] = {
        "defaultBackend": {"enabled": True, "image": {"image": "errors"}},
        "controller": {
            "service": {"internal": {"enabled": True}},
            "metrics": {
                "enabled": True,
                "serviceMonitor": {"enabled": True},
                "podMonitor": {"enabled": True},
                "prometheusRule": {"enabled": True},
                "dashboards": {"enabled": True},
            },
        },
    }
    """All objects."""

    def leaves(self, value: Any, schema: Document, *place: str) -> Iterator[tuple[Any, ...]]:
        """Yield the place of each value, its schema, and whether there must be one."""
        for name, inner in value.items():
            known = schema["properties"].get(name, {})
            if "properties" in known:
                yield from self.leaves(inner, known, *place, name)
            else:
                is_required = name in schema.get("required", ())
                yield (*place, name), known, is_required

    def check(self, chosen: Callable[[Document, bool], bool], value: Any) -> None:
        """All values that are chosen have this value, at once."""
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        schema = json.loads((CHART / "values.schema.json").read_text())
        given = self.ALL
        count = 0
        for place, known, is_required in self.leaves(values, schema):
            is_given = place[:3] == ("defaultBackend", "image", "image")
            if place[0] != "global" and not is_given and chosen(known, is_required):
                count += 1
                odd: Any = value
                for name in reversed(place):
                    odd = {name: odd}
                given = merged(given, odd)
        self.assertGreater(count, 50)
        self.assertEqual(complaints(Rendering(given).documents), [])

    def test_words(self) -> None:
        """Every text stays text: words for booleans, numbers, and what begins a comment."""
        for value in ("yes", "1e3", "a: b #c"):
            self.check(lambda known, _: known == {"type": "string"}, value)

    def test_nulls(self) -> None:
        """A value without which nothing is missing may be null, as Helm removes values."""
        self.check(lambda _, is_required: not is_required, None)

    def test_all_used(self) -> None:
        """Each value that is accepted is in a template by its name, or told to have no effect."""
        schema = json.loads((CHART / "values.schema.json").read_text())
        told = list(yaml.safe_load((CHART / "unused.yaml").read_text()))
        templates = "".join(file.read_text() for file in (CHART / "templates").iterdir())

        def names(known: Document, place: str) -> Iterator[str]:
            for name, inner in known.get("properties", {}).items():
                yield f"{place}{name}"
                if name != "configuration":
                    yield from names(inner, f"{place}{name}.")

        accepted = list(names(schema, ""))
        self.assertGreater(len(accepted), 250)
        silent = [
            place
            for place in accepted
            if not any(f"{each}.".startswith(f"{place}.") for each in told)
            and not re.search(rf"[.\"]{place.rpartition('.')[2]}\b", templates)
        ]
        self.assertEqual(silent, [])

    def test_missing(self) -> None:
        """Any other one is missed by its name."""
        self.assertIn("missing property 'service'", refused(controller={"service": None}))

    def test_annotations(self) -> None:
        """Labels and annotations are text, whatever is written."""
        odd = {"example.com/a": True, "example.com/b": 1, "example.com/c": "x"}
        rendering = Rendering(
            {
                "commonLabels": odd,
                "controller": {
                    "annotations": odd,
                    "podAnnotations": odd,
                    "podLabels": odd,
                    "service": {"annotations": odd, "labels": odd},
                },
            }
        )
        self.assertEqual(complaints(rendering.documents), [])
        made = rendering.get("Service")["metadata"]["annotations"]
        self.assertEqual(
            made, {"example.com/a": "true", "example.com/b": "1", "example.com/c": "x"}
        )


class NotesTests(SynchronousTestCase):
    """The notes of a release name what has no effect, a line each, and say nothing else of it."""

    def test_none(self) -> None:
        """Without such values there is no such list."""
        self.assertNotIn("no effect", Rendering().notes)

    def test_unused(self) -> None:
        """Values and flags of ingress-nginx that do nothing."""
        rendering = Rendering(
            {
                "controller": {
                    "admissionWebhooks": {"enabled": True},
                    "enableAnnotationValidations": False,
                    "maxmindLicenseKey": "abc",
                    "keda": {"enabled": False},
                    "extraArgs": {
                        "enable-ssl-chain-completion": None,
                        "health-check-path": "/healthz",
                        "default-ssl-certificate": "default/tls",
                    },
                    "readinessProbe": {"httpGet": {"path": "/healthz"}, "periodSeconds": 9},
                },
                "dhParam": "c2VjcmV0",
            }
        )
        _, _, listed = rendering.notes.partition("These values have no effect:\n\n")
        self.assertEqual(
            [line.removeprefix("- ").partition(":")[0] for line in listed.splitlines()],
            [
                "controller.admissionWebhooks.enabled",
                "controller.enableAnnotationValidations",
                "controller.maxmindLicenseKey",
                "dhParam",
                "controller.extraArgs.enable-ssl-chain-completion",
                "controller.readinessProbe.httpGet",
            ],
        )
        [container] = pod_of(rendering)["containers"]
        probe = container["readinessProbe"]
        self.assertEqual((probe["httpGet"]["path"], probe["periodSeconds"]), ("/readyz", 9))
        self.assertNotIn("c2VjcmV0", rendering.notes)


class ScaleTests(SynchronousTestCase):
    """How many pods there are, and who says so."""

    def test_scaled(self) -> None:
        """The HorizontalPodAutoscaler alone decides, so that an upgrade does not reset it."""
        rendering = Rendering()
        self.assertNotIn("replicas", rendering.get("Deployment")["spec"])
        spec = rendering.get("HorizontalPodAutoscaler")["spec"]
        self.assertEqual((spec["minReplicas"], spec["maxReplicas"]), (2, 10))

    def test_fixed(self) -> None:
        """A number of replicas takes its place, unless both are asked for."""
        rendering = Rendering(controller(replicaCount=3))
        self.assertEqual(rendering.get("Deployment")["spec"]["replicas"], 3)
        self.assertEqual(rendering.all("HorizontalPodAutoscaler"), [])
        both = Rendering(controller(replicaCount=3, autoscaling={"enabled": True}))
        self.assertNotIn("replicas", both.get("Deployment")["spec"])
        neither = Rendering(controller(autoscaling={"enabled": False}))
        self.assertEqual(neither.get("Deployment")["spec"]["replicas"], 2)

    def test_percentages(self) -> None:
        """The targets of ingress-nginx take the place of the default one."""
        scaling = {"targetCPUUtilizationPercentage": 50, "targetMemoryUtilizationPercentage": 60}
        metrics = Rendering(controller(autoscaling=scaling)).get("HorizontalPodAutoscaler")
        self.assertEqual(
            {
                each["resource"]["name"]: each["resource"]["target"].get("averageUtilization")
                for each in metrics["spec"]["metrics"]
            },
            {"cpu": 50, "memory": 60},
        )

    def test_budget(self) -> None:
        """Of several pods one may be missing, or as many as are asked for; a single one may go."""
        for values, budget in (
            ({}, {"maxUnavailable": 1}),
            ({"minAvailable": "50%"}, {"minAvailable": "50%"}),
            ({"minAvailable": 1, "maxUnavailable": 2}, {"maxUnavailable": 2}),
        ):
            spec = Rendering(controller(**values)).get("PodDisruptionBudget")["spec"]
            del spec["selector"]
            self.assertEqual(spec, budget)
        self.assertEqual(Rendering(controller(replicaCount=1)).all("PodDisruptionBudget"), [])

    def test_both(self) -> None:
        """A Deployment and a DaemonSet never select the pods of each other."""
        rendering = Rendering(FURTHER["both"])
        selectors = []
        for kind in ("Deployment", "DaemonSet"):
            spec = rendering.get(kind)["spec"]
            labels = spec["template"]["metadata"]["labels"]
            selectors.append(spec["selector"]["matchLabels"])
            self.assertLessEqual(selectors[-1].items(), labels.items())
            service = rendering.get("Service")["spec"]["selector"]
            self.assertLessEqual(service.items(), labels.items())
        self.assertNotEqual(*selectors)

    def test_restart(self) -> None:
        """Pods are replaced for what a process reads only when it starts, and for nothing else."""

        def mark(**configuration: Any) -> str:
            template = Rendering(controller(configuration=configuration)).get("Deployment")
            found: str = template["spec"]["template"]["metadata"]["annotations"][
                "txingress.dev/restart-for"
            ]
            return found

        self.assertEqual(mark(log={"level": "debug"}), mark())
        self.assertNotEqual(mark(workers=2), mark())
        self.assertNotEqual(mark(admin={"health-path": "/alive"}), mark())
        self.assertEqual(mark(admin={"hosts": ["admin.example"]}), mark())


class PlaceTests(SynchronousTestCase):
    """Where it listens, and who may reach it."""

    def test_bare_metal(self) -> None:
        """Ports of the nodes, whose addresses are written to Ingresses; it may read nodes."""
        rendering = Rendering(FURTHER["bare metal"])
        self.assertNotIn("Service", rendering.kinds())
        [container] = pod_of(rendering, "DaemonSet")["containers"]
        ports = [(each["containerPort"], each.get("hostPort")) for each in container["ports"]]
        self.assertEqual(ports, [(8080, 80), (8443, 443), (10254, None)])
        status = rendering.configuration()["source"]["kubernetes"]["status"]
        self.assertEqual(status, {"nodes": "external"})
        self.assertIn(
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
            rendering.get("ClusterRole")["rules"],
        )
        self.assertIn("80 and 443", rendering.notes)

    def test_low_ports(self) -> None:
        """Ports below 1024 need no privileges: the pod opens them to everybody in it."""
        security = pod_of(Rendering(controller(containerPort={"http": 80})))["securityContext"]
        self.assertEqual(
            security["sysctls"],
            [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        )
        self.assertNotIn("sysctls", pod_of(Rendering())["securityContext"])

    def test_forwarded(self) -> None:
        """Forwarded ports are in the ConfigMaps, Service, pods and NetworkPolicy."""
        rendering = Rendering(OF_INGRESS_NGINX["ports"])
        self.assertEqual(
            rendering.get("ConfigMap", "txingress-tcp")["data"], {"9000": "default/test:8080"}
        )
        self.assertEqual(rendering.configuration()["tcp-services"], "txingress/txingress-tcp")
        self.assertEqual(rendering.configuration()["udp-services"], "txingress/txingress-udp")
        service = rendering.get("Service")["spec"]
        inside = Rendering(OF_INGRESS_NGINX["hpa"]).get("Service")["spec"]
        self.assertNotIn("externalTrafficPolicy", inside)
        self.assertIn(
            {
                "name": "port-9001-udp",
                "port": 9001,
                "targetPort": "port-9001-udp",
                "protocol": "UDP",
                "nodePort": 30091,
            },
            service["ports"],
        )
        [container] = pod_of(rendering)["containers"]
        named = {each["name"] for each in container["ports"]}
        self.assertLessEqual({each["targetPort"] for each in service["ports"]}, named)
        allowed = rendering.get("NetworkPolicy")["spec"]["ingress"][0]["ports"]
        self.assertIn({"port": 9001, "protocol": "UDP"}, allowed)

    def test_one_listener(self) -> None:
        """Without HTTP, nothing listens for it, and no Service leads to it."""
        rendering = Rendering(controller(service={"enableHttp": False}))
        self.assertIsNone(rendering.configuration()["listen"]["http"])
        [port] = rendering.get("Service")["spec"]["ports"]
        self.assertEqual(port["name"], "https")
        [container] = pod_of(rendering)["containers"]
        self.assertEqual([each["name"] for each in container["ports"]], ["https", "admin"])

    def test_internal(self) -> None:
        """The internal Service has its own annotations, and the ports and type of the other."""
        rendering = Rendering(OF_INGRESS_NGINX["internal service"])
        service, internal = rendering.get("Service"), rendering.get("Service", "txingress-internal")
        self.assertEqual(internal["spec"]["ports"], service["spec"]["ports"])
        self.assertEqual(internal["spec"]["type"], "ClusterIP")
        self.assertIn("annotations", internal["metadata"])
        self.assertNotIn("annotations", service["metadata"])
        only = {"external": {"enabled": False}, "internal": {"enabled": True}}
        status = Rendering(controller(service=only)).configuration()["source"]["kubernetes"]
        self.assertEqual(status["status"], {"service": "txingress/txingress-internal"})

    def test_scoped(self) -> None:
        """One namespace is served with Roles alone."""
        rendering = Rendering(FURTHER["scoped"])
        self.assertEqual({each for each in rendering.kinds() if "Cluster" in each}, set())
        kubernetes = rendering.configuration()["source"]["kubernetes"]
        self.assertEqual(kubernetes["namespaces"], ["shop"])
        self.assertEqual(rendering.get("Role", "txingress-scope")["metadata"]["namespace"], "shop")

    def test_scoped_default_backend(self) -> None:
        """A default backend outside of the namespace that is served is said to have no effect."""
        values = {**FURTHER["default backend"], **FURTHER["scoped"]}
        self.assertIn(
            "- defaultBackend: only Services of the namespace shop", Rendering(values).notes
        )
        beside = {**values, "controller": {"scope": {"enabled": True}}, "rbac": {}}
        self.assertNotIn("- defaultBackend", Rendering(beside).notes)


class RightsTests(SynchronousTestCase):
    """The rights beside those without which nothing is served."""

    def test_certificates(self) -> None:
        """Those of etc/deploy/certificates, where they are asked for; a note says who misses them."""
        signers = controller(configuration={"certificate-signers": ["example.com/ingress"]})
        self.assertIn("set rbac.certificates to true", Rendering(signers).notes)
        rendering = Rendering({**signers, "rbac": {"certificates": True}})
        self.assertNotIn("set rbac.certificates", rendering.notes)
        more = [each for each in rendering.documents if "-certificate-" in each["metadata"]["name"]]
        expected = written(DEPLOY / "certificates")
        self.assertEqual(
            {key(each): plain(each) for each in more}, {key(each): plain(each) for each in expected}
        )

    def test_scoped(self) -> None:
        """With one namespace, its Secrets alone may be changed."""
        values = FURTHER["scoped"]
        rendering = Rendering({**values, "rbac": {"scope": True, "certificates": True}})
        [bound] = [
            each
            for each in rendering.documents
            if each["kind"].endswith("Binding") and each["metadata"]["name"].endswith("-secrets")
        ]
        self.assertEqual((bound["kind"], bound["metadata"]["namespace"]), ("RoleBinding", "shop"))


class ConfigurationTests(SynchronousTestCase):
    """What values become in the configuration."""

    def test_config_map(self) -> None:
        """The keys of ingress-nginx are in a ConfigMap that is named, as text, with templates."""
        rendering = Rendering(
            {
                "controller": {
                    "config": {"keep-alive-requests": 10000000, "use-gzip": True, "a": "{{ 1 }}"},
                    "addHeaders": {"X-Frame-Options": "deny"},
                    "allowSnippetAnnotations": True,
                }
            },
            namespace="edge",
        )
        self.assertEqual(rendering.configuration()["config-map"], "edge/txingress-nginx")
        self.assertEqual(
            rendering.get("ConfigMap", "txingress-nginx")["data"],
            {
                "a": "1",
                "add-headers": "edge/txingress-add-headers",
                "allow-snippet-annotations": "true",
                "keep-alive-requests": "10000000",
                "use-gzip": "true",
            },
        )
        added = rendering.get("ConfigMap", "txingress-add-headers")["data"]
        self.assertEqual(added, {"X-Frame-Options": "deny"})

    def test_class(self) -> None:
        """The IngressClass, its copies, and the class without an object."""
        resource = {"name": "edge", "aliases": ["old"], "default": True}
        rendering = Rendering(controller(ingressClassResource=resource, ingressClass="nginx"))
        self.assertEqual(
            rendering.configuration()["class"],
            {"name": "nginx", "controller": "txingress.dev/ingress"},
        )
        by_name = Rendering(controller(ingressClassByName=True, healthCheckPath="/alive"))
        self.assertIs(by_name.configuration()["class"]["by-name"], True)
        self.assertEqual(by_name.configuration()["admin"], {"health-path": "/alive"})
        self.assertIn("annotations", rendering.get("IngressClass", "edge")["metadata"])
        self.assertNotIn("annotations", rendering.get("IngressClass", "old")["metadata"])

    def test_flags(self) -> None:
        """Flags set what they stand for; what the values say of txingress itself comes last."""
        given = FURTHER["flags"]["controller"]["extraArgs"]
        self.assertIs(given["update-status-on-shutdown"], False)
        own = {"tls": {"default": "edge/tls"}, "listen": {"https": None}}
        found = Rendering(controller(extraArgs=given, configuration=own)).configuration()
        self.assertEqual(found["tls"], {"default": "edge/tls"})
        self.assertIsNone(found["listen"]["https"])
        self.assertEqual(found["source"]["kubernetes"]["namespaces"], ["shop"])

    def test_flags_of_process(self) -> None:
        """Each flag sets what it sets in `txingress nginx-ingress-controller`."""
        texts = {
            "kubeconfig": "/etc/kubeconfig",
            "watch-namespace": "$(POD_NAMESPACE)",
            "ingress-class": "edge",
            "controller-class": "example.com/edge",
            "publish-status-address": "192.0.2.1,a.example",
            "election-id": "edge-leader",
            "healthz-host": "192.0.2.2",
            "http-port": "8081",
            "https-port": "8444",
            "healthz-port": "10255",
            "health-check-path": "/alive",
            "shutdown-grace-period": "20",
            "v": "4",
        }
        environment = {"POD_NAMESPACE": "txingress", "NODE_NAME": "node"}
        sets = [each for each in FLAGS.values() if each.verdict is FlagVerdict.SETS]
        named = [each for each in sets if each.becomes]
        # Those about the status change what others mean; all others may stand together.
        is_alone = ["kubernetes.status" in each.becomes for each in named]
        groups = [[each] for each, alone in zip(named, is_alone, strict=True) if alone]
        groups.append([each for each, alone in zip(named, is_alone, strict=True) if not alone])
        for group in groups:
            given = {
                each.name: texts.get(each.name, "edge/name")
                if each.kind is not FlagKind.BOOLEAN
                else str(each.default != "true").lower()
                for each in group
            }
            if "update-status-on-shutdown" in given:
                # It needs one, because nobody else tells of other replicas.
                given["publish-service"] = "edge/name"
            # Without a Service there is nothing before the addresses of nodes.
            values = controller(extraArgs=given, publishService={"enabled": False})
            made = Rendering(values).configuration()
            read = flags.read([f"--{name}={value}" for name, value in given.items()], environment)
            for each in group:
                self.assertEqual(
                    found_at(made, each.becomes), found_at(read.settings, each.becomes), each.name
                )

    def test_grace(self) -> None:
        """Requests may take as long as the pod may, less the hook and the Lease."""
        rendering = Rendering(controller(terminationGracePeriodSeconds=300))
        self.assertEqual(rendering.configuration()["shutdown-grace"], 270)
        delayed = Rendering(controller(extraArgs={"shutdown-grace-period": 20}))
        self.assertEqual(delayed.configuration()["shutdown-grace"], 40)

    def test_hook(self) -> None:
        """The drain hook, or the one that is asked for; our image has that of ingress-nginx."""
        hooks: list[Values] = [{}, {"preStop": {"exec": {"command": ["/wait-shutdown"]}}}]
        commands = []
        for hook in hooks:
            [container] = pod_of(Rendering(controller(lifecycle=hook)))["containers"]
            commands.append(container["lifecycle"]["preStop"]["exec"]["command"])
        self.assertEqual(commands, [["sleep", "15"], ["/wait-shutdown"]])

    def test_image(self) -> None:
        """A registry, a repository, a tag and a digest, as in ingress-nginx's chart."""
        for image, expected in (
            ({}, "registry.example.com/txingress:0.1.0"),
            ({"tag": "2"}, "registry.example.com/txingress:2"),
            ({"repository": "a/b", "digest": "sha256:1"}, "a/b:0.1.0@sha256:1"),
            ({"registry": ""}, "txingress:0.1.0"),
        ):
            [container] = pod_of(Rendering(controller(image=image)))["containers"]
            self.assertEqual(container["image"], expected)
