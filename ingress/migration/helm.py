"""
The objects that ingress-nginx's chart makes of values, as far as they matter to a move.

It is no renderer: what is made here is read, and never applied. Source of the rules: the templates
of chart 4.15.1 (``_params.tpl``, ``controller-deployment.yaml`` and those beside them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingress.document.yaml_value import plain_value
from ingress.migration.controller import DEFAULT_CLASS, DEFAULT_CONTROLLER
from ingress.migration.raw import RawObject, as_list, as_mapping, as_port, at

CHART: Final = "ingress-nginx"
_FLAG_OF_VALUE: Final = (
    ("controller.ingressClassByName", "ingress-class-by-name"),
    ("controller.watchIngressWithoutClass", "watch-ingress-without-class"),
    ("controller.metrics.enabled", "enable-metrics"),
    ("controller.enableTopologyAwareRouting", "enable-topology-aware-routing"),
    ("controller.disableLeaderElection", "disable-leader-election"),
)
"""Values that set a flag to true, with whatever is not empty: so do templates of Go."""


def chart_values(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """:return: those of the chart itself, where they are of a chart that has it as a dependency."""
    inner = values.get(CHART)
    return inner if isinstance(inner, Mapping) and "controller" not in values else values


def objects_of(
    values: Mapping[str, Any], namespace: str = CHART, release: str = CHART, file: str = ""
) -> list[RawObject]:
    """
    :param values: those given to the chart; its defaults hold for all others.
    :param namespace: of the release.
    :param release: its name.
    :param file: where the values are.
    """
    return list(_Chart(chart_values(values), namespace, release, file).objects())


class _Chart:
    def __init__(self, values: Mapping[str, Any], namespace: str, release: str, file: str) -> None:
        self._values = values
        self._controller = as_mapping(values.get("controller"))
        self._namespace = str(values.get("namespaceOverride") or namespace)
        name = str(values.get("nameOverride") or CHART)
        whole = release if name in release else f"{release}-{name}"
        self._full = str(values.get("fullnameOverride") or whole)
        self._name = f"{self._full}-{self._controller.get('name') or 'controller'}"
        self._file = file
        self._labels = {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": release,
            "app.kubernetes.io/component": "controller",
        }

    def objects(self) -> Iterator[RawObject]:
        """Yield those of the controller."""
        yield self._workload()
        config = self._controller.get("config")
        yield self._map(self._name, as_mapping(config))
        for name in ("tcp", "udp"):
            if services := as_mapping(self._values.get(name)):
                yield self._map(f"{self._full}-{name}", services)
        headers = {"proxySetHeaders": "custom-proxy-headers", "addHeaders": "custom-add-headers"}
        for value, suffix in headers.items():
            if fields := as_mapping(self._controller.get(value)):
                yield self._map(f"{self._full}-{suffix}", fields)
        if _is_on(self._controller, "service", "enabled"):
            yield self._service()
        yield from self._classes()
        yield from self._autoscaler()
        yield from self._budget()

    def _object(self, kind: str, name: str, value: Mapping[str, Any]) -> RawObject:
        namespace = "" if kind == "IngressClass" else self._namespace
        metadata = {"name": name, "labels": self._labels, **as_mapping(value.get("metadata"))}
        if namespace:
            metadata["namespace"] = namespace
        whole = {**value, "kind": kind, "metadata": metadata}
        return RawObject(kind, namespace, name, whole, self._file)

    def _map(self, name: str, data: Mapping[str, Any]) -> RawObject:
        texts = {key: _text(value) for key, value in data.items()}
        if name == self._name:
            for value, key, suffix in (
                ("proxySetHeaders", "proxy-set-headers", "custom-proxy-headers"),
                ("addHeaders", "add-headers", "custom-add-headers"),
            ):
                if as_mapping(self._controller.get(value)):
                    texts[key] = f"{self._namespace}/{self._full}-{suffix}"
            if self._controller.get("allowSnippetAnnotations"):
                texts["allow-snippet-annotations"] = "true"
        return self._object("ConfigMap", name, {"apiVersion": "v1", "data": texts})

    def _workload(self) -> RawObject:
        given = self._controller
        kind = "DaemonSet" if given.get("kind") == "DaemonSet" else "Deployment"
        pod = {
            name: _rendered(given[name])
            for name in (
                "dnsConfig", "dnsPolicy", "hostAliases", "hostNetwork", "nodeSelector",
                "priorityClassName", "runtimeClassName", "tolerations", "affinity",
                "topologySpreadConstraints", "terminationGracePeriodSeconds",
            )
            if name in given
        }  # fmt: skip
        pod.setdefault("terminationGracePeriodSeconds", 300)
        if secrets := as_list(self._values.get("imagePullSecrets")):
            pod["imagePullSecrets"] = secrets
        container = {
            "name": "controller",
            "image": "ingress-nginx/controller",
            "args": ["/nginx-ingress-controller", *self._arguments()],
            "ports": list(self._ports()),
            "resources": given.get("resources") or {},
        }
        pod["containers"] = [container]
        template = {
            "metadata": {
                "labels": {**self._labels, **as_mapping(given.get("podLabels"))},
                "annotations": as_mapping(given.get("podAnnotations")),
            },
            "spec": pod,
        }
        spec: dict[str, Any] = {"selector": {"matchLabels": self._labels}, "template": template}
        if kind == "Deployment" and not at(given, "autoscaling", "enabled"):
            spec["replicas"] = _rendered(given.get("replicaCount", 1))
        return self._object(kind, self._name, {"apiVersion": "apps/v1", "spec": spec})

    def _ports(self) -> Iterator[Mapping[str, Any]]:
        given = as_mapping(self._controller.get("containerPort")) or {"http": 80, "https": 443}
        hosts = self._controller.get("hostPort")
        for name, number in given.items():
            port = {"name": name, "containerPort": _rendered(number)}
            if at(hosts, "enabled"):
                port["hostPort"] = _rendered(at(hosts, "ports", name) or number)
            yield port
        for protocol in ("tcp", "udp"):
            for number in _numbers(self._values.get(protocol)):
                yield {
                    "name": f"{number}-{protocol}",
                    "containerPort": number,
                    "protocol": protocol.upper(),
                    **({"hostPort": number} if at(hosts, "enabled") else {}),
                }

    def _arguments(self) -> Iterator[str]:
        given, own = self._controller, self._namespace
        if not _is_on(given, "enableAnnotationValidations"):
            yield "--enable-annotation-validation=false"
        if at(self._values, "defaultBackend", "enabled"):
            backend = at(self._values, "defaultBackend", "name") or "defaultbackend"
            yield f"--default-backend-service={own}/{self._full}-{backend}"
        suffix = self._published()
        if suffix is not None:
            path = at(given, "publishService", "pathOverride") or f"{own}/{self._name}"
            yield f"--publish-service={path}{suffix}"
        yield f"--election-id={given.get('electionID') or f'{self._full}-leader'}"
        controller = at(given, "ingressClassResource", "controllerValue") or DEFAULT_CONTROLLER
        yield f"--controller-class={controller}"
        yield f"--ingress-class={given.get('ingressClass') or DEFAULT_CLASS}"
        yield f"--configmap={given.get('configMapNamespace') or own}/{self._name}"
        for name in ("tcp", "udp"):
            if self._values.get(name):
                place = at(given, name, "configMapNamespace") or own
                yield f"--{name}-services-configmap={place}/{self._full}-{name}"
        if at(given, "scope", "enabled"):
            yield f"--watch-namespace={at(given, 'scope', 'namespace') or own}"
        elif selector := at(given, "scope", "namespaceSelector"):
            yield f"--watch-namespace-selector={selector}"
        if given.get("reportNodeInternalIp") and given.get("hostNetwork"):
            yield "--report-node-internal-ip-address=true"
        if _is_on(given, "admissionWebhooks", "enabled"):
            yield f"--validating-webhook=:{at(given, 'admissionWebhooks', 'port') or 8443}"
        if path := given.get("healthCheckPath"):
            yield f"--health-check-path={path}"
        for place, flag in _FLAG_OF_VALUE:
            if at(self._values, *place.split(".")):
                yield f"--{flag}=true"
        for name, value in as_mapping(given.get("extraArgs")).items():
            yield f"--{name}" if value in ("", None) else f"--{name}={_text(value)}"

    def _published(self) -> str | None:
        """:return: the end of the name of the Service that is published; None for none."""
        given = self._controller
        if not _is_on(given, "publishService", "enabled") or not _is_on(
            given, "service", "enabled"
        ):
            return None
        if _is_on(given, "service", "external", "enabled"):
            return ""
        return "-internal" if at(given, "service", "internal", "enabled") else None

    def _service(self) -> RawObject:
        given = as_mapping(self._controller.get("service"))
        numbers = {"http": 80, "https": 443, **as_mapping(given.get("ports"))}
        targets = {"http": "http", "https": "https", **as_mapping(given.get("targetPorts"))}
        nodes = as_mapping(given.get("nodePorts"))
        ports: list[dict[str, Any]] = []
        for name in ("http", "https"):
            if not _is_on(given, f"enable{name.capitalize()}"):
                continue
            port = {
                "name": name,
                "port": _rendered(numbers[name]),
                "targetPort": _rendered(targets[name]),
            }
            node = _rendered(nodes.get(name))
            ports.append({**port, **({"nodePort": node} if node else {})})
        for protocol in ("tcp", "udp"):
            for number in _numbers(self._values.get(protocol)):
                name = f"{number}-{protocol}"
                port = {"name": name, "port": number, "targetPort": name}
                ports.append({**port, "protocol": protocol.upper()})
        spec = {
            name: given[name]
            for name in (
                "externalIPs", "externalTrafficPolicy", "ipFamilies", "ipFamilyPolicy",
                "loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges",
                "sessionAffinity", "trafficDistribution", "clusterIP",
            )
            if given.get(name)
        }  # fmt: skip
        spec |= {
            "type": given.get("type") or "LoadBalancer",
            "selector": self._labels,
            "ports": ports,
        }
        metadata = {"annotations": as_mapping(given.get("annotations"))}
        value = {"apiVersion": "v1", "metadata": metadata, "spec": spec}
        return self._object("Service", self._name, value)

    def _classes(self) -> Iterator[RawObject]:
        given = as_mapping(self._controller.get("ingressClassResource"))
        if not _is_on(given, "enabled"):
            return
        controller = given.get("controllerValue") or DEFAULT_CONTROLLER
        names = [given.get("name") or DEFAULT_CLASS, *as_list(given.get("aliases"))]
        for name in names:
            metadata: dict[str, Any] = {}
            if given.get("default") and name == names[0]:
                metadata["annotations"] = {"ingressclass.kubernetes.io/is-default-class": "true"}
            value = {
                "apiVersion": "networking.k8s.io/v1",
                "metadata": metadata,
                "spec": {"controller": controller},
            }
            yield self._object("IngressClass", str(name), value)

    def _autoscaler(self) -> Iterator[RawObject]:
        given = as_mapping(self._controller.get("autoscaling"))
        if not given.get("enabled"):
            return
        metrics = []
        for resource, name, default in (
            ("cpu", "targetCPUUtilizationPercentage", 50),
            ("memory", "targetMemoryUtilizationPercentage", 50),
        ):
            if target := _rendered(given.get(name, default)):
                use = {"type": "Utilization", "averageUtilization": target}
                metrics.append({"type": "Resource", "resource": {"name": resource, "target": use}})
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self._name},
            "minReplicas": _rendered(given.get("minReplicas", 1)),
            "maxReplicas": _rendered(given.get("maxReplicas", 11)),
            "metrics": metrics,
        }
        value = {"apiVersion": "autoscaling/v2", "spec": spec}
        yield self._object("HorizontalPodAutoscaler", self._name, value)

    def _budget(self) -> Iterator[RawObject]:
        given = self._controller
        scaled = at(given, "autoscaling", "minReplicas")
        replicas = _rendered(scaled or given.get("replicaCount") or 1)
        if not isinstance(replicas, int) or replicas < 2:
            return
        unavailable = given.get("maxUnavailable")
        bound = (
            {"maxUnavailable": _rendered(unavailable)}
            if unavailable
            else {"minAvailable": _rendered(given.get("minAvailable", 1))}
        )
        spec = {"selector": {"matchLabels": self._labels}, **bound}
        yield self._object(
            "PodDisruptionBudget", self._name, {"apiVersion": "policy/v1", "spec": spec}
        )


def _rendered(value: object) -> Any:
    """:return: a value as it stands in YAML that a template has made: a text without quotes."""
    return plain_value(value) if isinstance(value, str) and value else value


def _is_on(values: object, *path: str) -> bool:
    """
    :return: whether a value holds that the chart has as true. Templates of Go take every text for
        true that is not empty, "false" as well.
    """
    value = at(values, *path)
    return value is None or bool(value)


def _numbers(services: object) -> Iterator[int]:
    """Yield the ports of TCP or UDP services; others are told where their ConfigMap is judged."""
    for written in as_mapping(services):
        if (number := as_port(written)) is not None:
            yield number


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
