"""
Tests for etc/chart: Helm's own engine renders it, with the values of ingress-nginx's users among
others; the schemas of Kubernetes and `ingress.config_file` accept what it makes.
"""

from __future__ import annotations

import shutil
import tempfile
from configparser import ConfigParser
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config_file import load_config
from tests.support.chart import CHART, CLUSTER_WIDE, Document, Rendering, Values, lint
from tests.support.deploy import DEPLOY, written
from tests.support.kubernetes_rules import faults
from tests.support.kubernetes_schema import NEWEST, OLDEST, complaints
from tests.support.process import CHECKOUT

INGRESS_NGINX = CHECKOUT / "tests" / "fixtures" / "chart" / "ingress-nginx-4.15.1.yaml"

CLUSTER_IP: Values = {"service": {"type": "ClusterIP"}}
"""What each file of ingress-nginx's folder ci has."""

OF_INGRESS_NGINX: dict[str, Values] = {
    "admission-webhooks": {
        "controller": {**CLUSTER_IP, "admissionWebhooks": {"certManager": {"enabled": True}}}
    },
    "add headers": {"controller": {**CLUSTER_IP, "addHeaders": {"X-Frame-Options": "deny"}}},
    "proxy headers": {
        "controller": {**CLUSTER_IP, "proxySetHeaders": {"X-Forwarded-Proto": "https"}}
    },
    "configmap": {"controller": {**CLUSTER_IP, "config": {"use-proxy-protocol": "true"}}},
    "daemonset with metrics": {
        "controller": {**CLUSTER_IP, "kind": "DaemonSet", "metrics": {"enabled": True}}
    },
    "annotations of pods": {
        "controller": {
            **CLUSTER_IP,
            "podAnnotations": {
                "prometheus.io/scheme": "http",
                "prometheus.io/path": "/metrics",
            },
        }
    },
    "hpa": {
        "controller": {
            **CLUSTER_IP,
            "autoscaling": {
                "enabled": True,
                "behavior": {
                    "scaleDown": {
                        "stabilizationWindowSeconds": 300,
                        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 180}],
                    }
                },
            },
        }
    },
    "ingress class": {
        "controller": {
            **CLUSTER_IP,
            "ingressClassResource": {
                "name": "custom-nginx",
                "default": True,
                "controllerValue": "k8s.io/custom-nginx",
            },
            "watchIngressWithoutClass": True,
        }
    },
    "internal service": {
        "controller": {
            "service": {
                "type": "ClusterIP",
                "internal": {
                    "enabled": True,
                    "labels": {"external-dns.alpha.kubernetes.io/hostname": "internal.example"},
                    "annotations": {
                        "service.beta.kubernetes.io/aws-load-balancer-internal": "true"
                    },
                },
            }
        }
    },
    "ports": {
        "controller": {
            "service": {
                "type": "NodePort",
                "external": {
                    "labels": {"external-dns.alpha.kubernetes.io/hostname": "external.example"}
                },
                "nodePorts": {"tcp": {"9000": 30090}, "udp": {"9001": 30091}},
            }
        },
        "portNamePrefix": "port",
        "tcp": {"9000": "default/test:8080"},
        "udp": {"9001": "default/test:8080"},
    },
}
"""The values of the files in the folder ci of ingress-nginx's chart, apart from its image."""

FURTHER: dict[str, Values] = {
    "bare metal": {
        "controller": {
            "kind": "DaemonSet",
            "hostPort": {"enabled": True},
            "service": {"enabled": False},
            "tolerations": [{"key": "edge", "operator": "Exists"}],
            "nodeSelector": {"edge": "true"},
        }
    },
    "network of the node": {
        "controller": {
            "hostNetwork": True,
            "reportNodeInternalIp": True,
            "publishService": {"enabled": False},
        }
    },
    "both": {"controller": {"kind": "Both", "labels": {"team": "edge"}}},
    "fixed": {"controller": {"replicaCount": 3, "minAvailable": "50%"}},
    "one": {"controller": {"replicaCount": 1, "maxUnavailable": 1}},
    "scoped": {
        "controller": {
            "scope": {"enabled": True, "namespace": "shop"},
            "ingressClassResource": {"enabled": False},
        },
        "rbac": {"scope": True},
    },
    "monitored": {
        "controller": {
            "metrics": {
                "enabled": True,
                "service": {"type": "NodePort", "nodePort": 31000},
                "serviceMonitor": {
                    "enabled": True,
                    "additionalLabels": {"release": "kps"},
                    "honorLabels": True,
                    "jobLabel": "app.kubernetes.io/name",
                    "scrapeTimeout": "10s",
                    "targetLabels": ["team"],
                    "relabelings": [{"action": "labeldrop", "regex": "pod"}],
                    "metricRelabelings": [{"action": "drop", "regex": "python_.*"}],
                },
                "podMonitor": {
                    "enabled": True,
                    "namespaceSelector": {"any": True},
                    "targetLabels": ["team"],
                    "labelLimit": 64,
                    "labelNameLengthLimit": 100,
                    "labelValueLengthLimit": 1000,
                    "sampleLimit": 100000,
                    "targetLimit": 10,
                },
                "prometheusRule": {
                    "enabled": True,
                    "disabled": ["TxingressRestarts"],
                    "rules": [{"alert": "Own", "expr": "vector(1)"}],
                },
                "dashboards": {"enabled": True, "namespace": "monitoring"},
            }
        }
    },
    "balancer": {
        "controller": {
            "service": {
                "annotations": {"example.com/name": "{{ .Release.Name }}"},
                "loadBalancerIP": "192.0.2.7",
                "loadBalancerClass": "example.com/balancer",
                "loadBalancerSourceRanges": ["198.51.100.0/24"],
                "allocateLoadBalancerNodePorts": False,
                "externalIPs": ["192.0.2.8"],
                "healthCheckNodePort": 30000,
                "sessionAffinity": "ClientIP",
                "ipFamilyPolicy": "PreferDualStack",
                "ipFamilies": ["IPv4", "IPv6"],
                "trafficDistribution": "PreferClose",
                "appProtocol": True,
                "nodePorts": {"http": 30080, "https": 30443},
                "enableHttps": True,
            }
        }
    },
    "default backend": {
        "defaultBackend": {
            "enabled": True,
            "replicaCount": 2,
            "image": {"image": "errors", "tag": "1", "registry": "registry.example.com"},
            "extraArgs": {"port": 8080, "verbose": ""},
        }
    },
    "extras": {
        "global": {"image": {"registry": "mirror.example.com"}, "other": 1},
        "fullnameOverride": "edge",
        "namespaceOverride": "edge",
        "commonLabels": {"team": "edge"},
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"create": False, "name": "mine"},
        "controller": {
            "name": "controller",
            "image": {"registry": "", "image": "proxy", "tag": "2", "digest": f"sha256:{'0' * 64}"},
            "containerPort": {"http": 80, "https": 443},
            "configuration": {"workers": "auto", "log": {"format": "json"}},
            "config": {"proxy-body-size": "8m", "keep-alive-requests": 10000000, "use-gzip": True},
            "allowSnippetAnnotations": True,
            "extraEnvs": [{"name": "A", "value": "b"}],
            "extraVolumes": [{"name": "pages", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "pages", "mountPath": "/pages"}],
            "extraContainers": [{"name": "logs", "image": "logs"}],
            "extraInitContainers": [{"name": "wait", "image": "{{ .Release.Name }}"}],
            "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
            "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a.example"]}],
            "priorityClassName": "system-cluster-critical",
            "runtimeClassName": "gvisor",
            "shareProcessNamespace": True,
            "podSecurityContext": {"fsGroup": 65532},
            "affinity": {
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {
                                "matchLabels": {
                                    "app.kubernetes.io/name": '{{ include "txingress.name" . }}'
                                }
                            },
                        }
                    ]
                }
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "DoNotSchedule",
                }
            ],
            "progressDeadlineSeconds": 300,
            "minReadySeconds": 5,
            "lifecycle": {"preStop": {"sleep": {"seconds": 15}}},
            "autoscaling": {"targetMemoryUtilizationPercentage": 80},
            "updateStrategy": {"type": "Recreate"},
            "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
        },
    },
    "flags": {
        "controller": {
            "extraArgs": {
                "default-ssl-certificate": "default/tls",
                "publish-status-address": "192.0.2.1,a.example",
                "watch-namespace": "shop",
                "update-status-on-shutdown": False,
                "v": 5,
            }
        }
    },
}


def values_files() -> dict[str, Values]:
    """The files of values beside values.yaml."""
    files = sorted(CHART.glob("values-*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text()) for file in files}


class ChartTestCase(SynchronousTestCase):
    def read(self, rendering: Rendering, name: str = "txingress") -> Config:
        """The configuration as the process reads it from the ConfigMap."""
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, folder)
        file = folder / "ingress.yaml"
        file.write_text(rendering.get("ConfigMap", name)["data"]["ingress.yaml"])
        return load_config(file)

    def refused(self, **values: Any) -> str:
        """What Helm says of values that it refuses."""
        return str(self.assertRaises(AssertionError, Rendering, values))


class AcceptedTests(ChartTestCase):
    """What is rendered is what Kubernetes and the process accept."""

    def check(self, name: str, values: Values) -> None:
        rendering = Rendering(values)
        self.assertEqual(complaints(rendering.documents, NEWEST), [], name)
        self.assertEqual(faults(rendering.documents), [], name)
        names = [
            (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
            for each in rendering.documents
        ]
        self.assertEqual(len(names), len(set(names)), name)
        for kind, namespace, _ in names:
            self.assertEqual(namespace is None, kind in CLUSTER_WIDE, kind)
        [workload] = {
            each["metadata"]["name"]
            for each in rendering.documents
            if each["kind"] in ("Deployment", "DaemonSet")
            and not each["metadata"]["name"].endswith("defaultbackend")
        }
        self.read(rendering, workload)

    def test_default(self) -> None:
        """Without values."""
        self.check("default", {})

    def test_lint(self) -> None:
        """Helm has nothing against the chart."""
        self.assertEqual(lint(), [])

    def test_oldest(self) -> None:
        """The oldest Kubernetes of the chart has every field, but for those that are asked for."""
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual(chart["kubeVersion"], f">={OLDEST}.0-0")
        for name in ("both", "monitored", "balancer", "default backend", "extras", "scoped"):
            documents = without_new_fields(Rendering(FURTHER[name]).documents)
            self.assertEqual(complaints(documents, OLDEST), [], name)

    def test_ingress_nginx(self) -> None:
        """The files with which ingress-nginx's chart is tested, and all of its defaults."""
        for name, values in OF_INGRESS_NGINX.items():
            self.check(name, values)
        self.check("defaults", yaml.safe_load(INGRESS_NGINX.read_text()))

    def test_further(self) -> None:
        """Values for other places, and each of those that the others leave out."""
        for name, values in {**FURTHER, **values_files()}.items():
            self.check(name, values)

    def test_long_names(self) -> None:
        """The longest name of a release that Helm takes leaves room for those of all objects."""
        values = {
            **FURTHER["default backend"],
            "controller": {**FURTHER["monitored"]["controller"], "name": "controller"},
        }
        for name in ("r" * 53, "txingress-" + "r" * 43):
            self.assertEqual(faults(Rendering(values, name).documents), [])

    def test_fits(self) -> None:
        """What schemas allow and the API server refuses, or nobody finds, is found."""
        documents = Rendering({"controller": {"hostPort": {"enabled": True}}}).documents
        by_kind = {each["kind"]: each for each in documents}
        by_kind["Deployment"]["spec"]["template"]["spec"]["hostNetwork"] = True
        by_kind["Service"]["spec"]["type"] = "ClusterIP"
        by_kind["Service"]["spec"]["ports"][0]["targetPort"] = "https2"
        by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]["a"] = "b"
        by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] = "other"
        by_kind["ConfigMap"]["metadata"]["name"] = "other"
        self.assertEqual(len(faults(documents)), 6)

    def test_check(self) -> None:
        """A field that Kubernetes does not have, or of the wrong type, is found."""
        documents = Rendering(FURTHER["monitored"]).documents
        [monitor] = [each for each in documents if each["kind"] == "ServiceMonitor"]
        monitor["spec"]["endpoints"][0]["intervall"] = "30s"
        [deployment] = [each for each in documents if each["kind"] == "Deployment"]
        deployment["spec"]["template"]["spec"]["hostnetwork"] = True
        deployment["spec"]["revisionHistoryLimit"] = "10"
        self.assertEqual(len(complaints(documents)), 3)


def without_new_fields(documents: list[Document]) -> list[Document]:
    """The same objects without fields that the values name and that the oldest version lacks."""
    kept = deepcopy(documents)
    for each in kept:
        if each["kind"] == "Service":
            each["spec"].pop("trafficDistribution", None)
        if each["kind"] in ("Deployment", "DaemonSet"):
            for container in each["spec"]["template"]["spec"]["containers"]:
                container.pop("resizePolicy", None)
                container.get("lifecycle", {}).get("preStop", {}).pop("sleep", None)
    return kept


class SameTests(ChartTestCase):
    """etc/deploy and the chart install the same."""

    def test_same(self) -> None:
        """
        Without values, the objects of etc/deploy are made, in its namespace and with its
        image, apart from labels and comments and what Helm cannot do: a namespace.

        The number of replicas is left to the HorizontalPodAutoscaler, and an annotation restarts
        pods when the configuration needs it.
        """
        expected = {key(each): plain(each) for each in written(DEPLOY)}
        del expected["Namespace", "txingress"]
        del expected["Deployment", "txingress"]["spec"]["replicas"]
        made = {key(each): plain(each) for each in Rendering().documents}
        self.assertEqual(made.keys(), expected.keys())
        for name, document in expected.items():
            self.assertEqual(made[name], document, name)

    def test_version(self) -> None:
        """The versions of the chart, of its image and of the package are one."""
        setup = ConfigParser()
        setup.read(CHECKOUT / "setup.cfg")
        version = setup["metadata"]["version"]
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual((chart["version"], chart["appVersion"]), (version, version))


def key(document: Document) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


SELECTED = {"app.kubernetes.io/instance", "app.kubernetes.io/component"}
"""Labels by which the chart selects pods, beside the one of etc/deploy."""


def plain(document: Document) -> Document:
    """An object without what kustomize and Helm add: its namespace, its labels, its image."""
    plain: Document = without_labels({**document, "metadata": {"name": key(document)[1]}})
    for rule in plain.get("rules", ()):
        rule.update({name: sorted(value) for name, value in rule.items()})
    if "rules" in plain:
        plain["rules"].sort(key=str)
    if plain["kind"] == "ConfigMap":
        plain["data"] = {name: yaml.safe_load(text) for name, text in plain["data"].items()}
    if plain["kind"] == "Deployment":
        # The default of Kubernetes.
        plain["spec"].setdefault("revisionHistoryLimit", 10)
        template = plain["spec"]["template"]
        template["metadata"]["annotations"].pop("txingress.dev/restart-for", None)
        [container] = template["spec"]["containers"]
        container["image"] = container["image"].rpartition("/")[2].partition(":")[0]
    return plain


def without_labels(value: Any) -> Any:
    if isinstance(value, list):
        return [without_labels(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: without_labels(each) for key, each in value.items() if key not in SELECTED}
