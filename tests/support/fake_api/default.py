"""
The defaults that the server adds to written objects.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import count

from tests.support.fake_api.kind import Document, Kind

NODE_PORTS = 30000
"""The first port of the range for ``nodePort``."""

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"


class Defaults:
    """
    :param list_classes: returns the existing IngressClasses.
    """

    def __init__(self, list_classes: Callable[[], list[Document]]) -> None:
        self._list_classes = list_classes
        self._addresses = count(1)
        self._ports = count(NODE_PORTS)
        self._fill_in: dict[str, Callable[[Document, Document | None], Document]] = {
            "services": self._service,
            "secrets": self._secret,
            "endpointslices": self._endpoint_slice,
            "endpoints": self._endpoints,
            "namespaces": self._namespace,
            "events": self._event,
            "ingresses": self._ingress,
            "poddisruptionbudgets": self._with_status,
            "horizontalpodautoscalers": self._with_status,
            "deployments": self._with_status,
            "certificatesigningrequests": self._with_status,
        }

    def fill_in(self, kind: Kind, document: Document, before: Document | None) -> Document:
        """:param before: the object that it replaces; None for a new one."""
        fill_in = self._fill_in.get(kind.plural)
        return document if fill_in is None else fill_in(document, before)

    def _service(self, document: Document, before: Document | None) -> Document:
        was = before["spec"] if before else {}
        spec = {"type": "ClusterIP", "sessionAffinity": "None", **document.get("spec", {})}
        if spec["type"] != "ExternalName":
            spec.setdefault("clusterIP", was.get("clusterIP") or self._cluster_ip())
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
            spec.setdefault("ipFamilies", ["IPv4"])
            spec.setdefault("ipFamilyPolicy", "SingleStack")
            spec.setdefault("internalTrafficPolicy", "Cluster")
        has_node_ports = spec["type"] in ("NodePort", "LoadBalancer")
        if has_node_ports:
            spec.setdefault("externalTrafficPolicy", "Cluster")
        old = {port["port"]: port.get("nodePort") for port in was.get("ports", ())}
        if "ports" in spec:
            spec["ports"] = [
                self._service_port(port, has_node_ports, old.get(port.get("port")))
                for port in spec["ports"]
            ]
        return {**document, "spec": spec, "status": document.get("status") or {"loadBalancer": {}}}

    def _service_port(self, port: Document, has_node_port: bool, old: int | None) -> Document:
        filled = {"protocol": "TCP", **port}
        filled.setdefault("targetPort", port.get("port"))
        if has_node_port:
            filled.setdefault("nodePort", old or next(self._ports))
        return filled

    def _cluster_ip(self) -> str:
        number = next(self._addresses)
        return f"10.96.{number >> 8}.{number & 255}"

    def _secret(self, document: Document, before: Document | None) -> Document:
        filled = {"type": "Opaque", **document}
        texts = filled.pop("stringData", None) or {}
        if texts:
            encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
            filled["data"] = {**(filled.get("data") or {}), **encoded}
        return filled

    def _endpoint_slice(self, document: Document, before: Document | None) -> Document:
        return {
            "addressType": document.get("addressType"),
            "endpoints": document.get("endpoints") or [],
            "ports": [
                {"name": "", "protocol": "TCP", **port} for port in document.get("ports") or ()
            ],
            **{key: value for key, value in document.items() if key not in _OF_SLICES},
        }

    def _endpoints(self, document: Document, before: Document | None) -> Document:
        subsets = [
            {
                **subset,
                "ports": [{"protocol": "TCP", **port} for port in subset.get("ports") or ()],
            }
            for subset in document.get("subsets") or ()
        ]
        return {**document, "subsets": subsets} if subsets else document

    def _namespace(self, document: Document, before: Document | None) -> Document:
        metadata = document["metadata"]
        labels = {"kubernetes.io/metadata.name": metadata["name"], **metadata.get("labels", {})}
        return {
            **document,
            "metadata": {**metadata, "labels": labels},
            "spec": document.get("spec") or {"finalizers": ["kubernetes"]},
            "status": document.get("status") or {"phase": "Active"},
        }

    def _event(self, document: Document, before: Document | None) -> Document:
        obsolete: Document = {
            "deprecatedSource": {},
            "deprecatedFirstTimestamp": None,
            "deprecatedLastTimestamp": None,
        }
        return {**document, **{key: document.get(key) or obsolete[key] for key in obsolete}}

    def _ingress(self, document: Document, before: Document | None) -> Document:
        spec = document.get("spec") or {}
        annotations = document["metadata"].get("annotations") or {}
        if before is None and "ingressClassName" not in spec and OLD_CLASS not in annotations:
            name = self._default_class()
            spec = {"ingressClassName": name, **spec} if name else spec
        return {**document, "spec": spec, "status": document.get("status") or {"loadBalancer": {}}}

    def _default_class(self) -> str | None:
        """Return the newest class marked as default; equal ages are ordered by name."""
        marked = [
            (each["metadata"]["creationTimestamp"], each["metadata"]["name"])
            for each in self._list_classes()
            if (each["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
        ]
        newest = max((age for age, _ in marked), default=None)
        return min((name for age, name in marked if age == newest), default=None)

    def _with_status(self, document: Document, before: Document | None) -> Document:
        return {**document, "status": document.get("status") or {}}


_OF_SLICES = ("addressType", "endpoints", "ports")
