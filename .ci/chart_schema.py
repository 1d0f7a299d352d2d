"""
Make the schema of the chart's values, etc/chart/values.schema.json, of its values.yaml.

A value has the type of its default. `_SPECIAL` has those of which the default does not say
everything, `_OPTIONAL` those that have none, and `_UNUSED` those of ingress-nginx's chart that are
accepted and do nothing (templates/_unused.tpl names them in the notes of a release). Everything
else is refused by its name; a common way to misspell a value is answered with the right one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]

VALUES = CHECKOUT / "etc" / "chart" / "values.yaml"

CONFIGURATION = CHECKOUT / "etc" / "ingress.yaml"
"""It has every key of controller.configuration."""

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_OBJECT: Schema = {"type": "object"}
_LIST: Schema = {"type": "array"}
_PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
_PORT_OR_NONE: Schema = {"anyOf": [_PORT, {"const": ""}]}
_PORT_OR_NAME: Schema = {"anyOf": [_PORT, {"type": "string", "minLength": 1}]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_PERCENTAGE: Schema = {"type": "integer", "minimum": 1}
_SHARE: Schema = {"anyOf": [_COUNT, {"type": "string", "pattern": "^[0-9]+%?$"}]}
_DURATION: Schema = {"type": "string", "pattern": r"^$|^([0-9]+(ms|[smhdwy]))+$"}
_SCALARS: Schema = {"type": "object", "additionalProperties": _SCALAR}

_NODE_PORTS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[0-9]+$"},
    "additionalProperties": _PORT,
}
_FORWARDED: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[0-9]+$"},
    # The ends PROXY:PROXY are of ingress-nginx; a template may stand for all of it.
    "additionalProperties": {"type": "string", "pattern": r"^(.*\{\{.*|[^/\s]+/[^:\s]+:\S+)$"},
}


def _choice(*names: str) -> Schema:
    return {"enum": list(names)}


_SERVICE: Mapping[str, Schema] = {
    "type": _choice("LoadBalancer", "NodePort", "ClusterIP"),
    "externalTrafficPolicy": _choice("", "Local", "Cluster"),
    "sessionAffinity": _choice("", "None", "ClientIP"),
    "ipFamilyPolicy": _choice("", "SingleStack", "PreferDualStack", "RequireDualStack"),
    "ports.*": _PORT,
    "targetPorts.*": _PORT_OR_NAME,
    "nodePorts.http": _PORT_OR_NONE,
    "nodePorts.https": _PORT_OR_NONE,
    "nodePorts.tcp": _NODE_PORTS,
    "nodePorts.udp": _NODE_PORTS,
}

_SPECIAL: Mapping[str, Schema] = {
    "controller.kind": _choice("Deployment", "DaemonSet", "Both"),
    "controller.config": _SCALARS,
    "controller.addHeaders": _SCALARS,
    "controller.proxySetHeaders": _SCALARS,
    "controller.extraArgs": {
        "type": "object",
        "additionalProperties": {**_SCALAR, "type": [*_SCALAR["type"], "null"]},
    },
    "controller.image.pullPolicy": _choice("", "Always", "IfNotPresent", "Never"),
    "controller.containerPort.*": _PORT,
    "controller.hostPort.ports.*": _PORT,
    # A mapping in ingress-nginx's chart, though it is a name.
    "controller.healthCheckPath": {"type": "string", "pattern": "^/"},
    "controller.hostname": {"anyOf": [_TEXT, {"type": "object", "maxProperties": 0}]},
    "controller.publishService.pathOverride": {"type": "string", "pattern": "^$|^[^/]+/[^/]+$"},
    "controller.autoscaling.enabled": {"anyOf": [_FLAG, {"const": "auto"}]},
    "controller.sysctls": _SCALARS,
    "controller.terminationGracePeriodSeconds": {"type": "integer", "minimum": 1},
    **{f"controller.service.{name}": schema for name, schema in _SERVICE.items()},
    **{f"controller.service.internal.{name}": schema for name, schema in _SERVICE.items()},
    "controller.service.internal.type": _choice("", "LoadBalancer", "NodePort", "ClusterIP"),
    "controller.service.internal.ports": {"type": "object", "additionalProperties": _PORT},
    "controller.service.internal.targetPorts": {
        "type": "object",
        "additionalProperties": _PORT_OR_NAME,
    },
    **{
        f"controller.metrics.{kind}Monitor.{name}": _DURATION
        for kind in ("service", "pod")
        for name in ("scrapeInterval", "scrapeTimeout")
    },
    "controller.metrics.port": _PORT,
    "controller.metrics.service.servicePort": _PORT,
    "controller.metrics.service.nodePort": _PORT_OR_NONE,
    "controller.metrics.service.type": _SERVICE["type"],
    "controller.metrics.prometheusRule.disabled": {"type": "array", "items": _TEXT},
    "defaultBackend.image.pullPolicy": _choice("", "Always", "IfNotPresent", "Never"),
    "defaultBackend.extraArgs": _SCALARS,
    "defaultBackend.port": _PORT,
    "defaultBackend.minAvailable": _SHARE,
    "defaultBackend.service.servicePort": _PORT,
    "defaultBackend.service.type": _SERVICE["type"],
    "tcp": _FORWARDED,
    "udp": _FORWARDED,
}

_OPTIONAL: Mapping[str, Schema] = {
    "controller.replicaCount": _COUNT,
    "controller.minAvailable": _SHARE,
    "controller.maxUnavailable": _SHARE,
    "controller.autoscaling.targetCPUUtilizationPercentage": _PERCENTAGE,
    "controller.autoscaling.targetMemoryUtilizationPercentage": _PERCENTAGE,
    "controller.service.allocateLoadBalancerNodePorts": _FLAG,
    "controller.service.healthCheckNodePort": _COUNT,
    "controller.service.internal.allocateLoadBalancerNodePorts": _FLAG,
    "controller.service.internal.healthCheckNodePort": _COUNT,
    "defaultBackend.maxUnavailable": _SHARE,
}

_UNUSED: Mapping[str, Schema] = {
    "controller.admissionWebhooks": _OBJECT,
    "controller.customTemplate": _OBJECT,
    "controller.disableLeaderElection": _FLAG,
    "controller.electionTTL": _TEXT,
    "controller.enableAnnotationValidations": _FLAG,
    "controller.enableMimalloc": _FLAG,
    "controller.enableTopologyAwareRouting": _FLAG,
    "controller.extraModules": _LIST,
    "controller.healthCheckHost": _TEXT,
    "controller.image.chroot": _FLAG,
    "controller.image.digestChroot": _TEXT,
    "controller.keda": _OBJECT,
    "controller.maxmindLicenseKey": _TEXT,
    "controller.opentelemetry": _OBJECT,
    "controller.scope.namespaceSelector": _TEXT,
    "defaultBackend.autoscaling": _OBJECT,
    "defaultBackend.extraConfigMaps": _LIST,
    "defaultBackend.networkPolicy": _OBJECT,
    "defaultBackend.serviceAccount": _OBJECT,
    "dhParam": _TEXT,
}

_OPEN = re.compile(r"(^|\.)(resources|behavior|seccompProfile|podAnnotations|\w+Probe)$")
"""Values of Kubernetes, which have more fields than the defaults."""

_MISSPELLED: Mapping[str, tuple[str, ...]] = {
    "replicaCount": ("replicas", "replica", "count"),
    "extraEnvs": ("env", "envs", "extraEnv"),
    "extraArgs": ("args", "flags"),
    "externalTrafficPolicy": ("trafficPolicy",),
    "loadBalancerSourceRanges": ("sourceRanges",),
    "maxUnavailable": ("maxUnavailablePods",),
}


def schema() -> str:
    """:return: the text of values.schema.json."""
    values = yaml.safe_load(VALUES.read_text())
    configuration = _configuration(yaml.safe_load(CONFIGURATION.read_text()))
    made: Schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart txingress",
        **_closed(values, ""),
    }
    made["properties"]["controller"]["properties"]["configuration"] = configuration
    # Charts that have this one as a dependency pass their own global values on.
    made["properties"]["global"] = _OBJECT
    return json.dumps(made, indent=1) + "\n"


def _closed(values: Mapping[str, Any], path: str) -> Schema:
    """An object of which all names are known."""
    properties = {name: _of_default(value, f"{path}{name}", path) for name, value in values.items()}
    for optional, found in {**_OPTIONAL, **_UNUSED}.items():
        parent, _, name = optional.rpartition(".")
        if parent == path.rstrip("."):
            properties[name] = found
    # Null takes a default away, which templates cannot do without, unless it is an empty one.
    required = [name for name, value in values.items() if value not in ({}, [], "")]
    return {**_named(properties), "required": required}


def _named(properties: Mapping[str, Schema]) -> Schema:
    """An object with these properties alone, which answers a misspelled one with its name."""
    patterns = {}
    for name in properties:
        slips = sorted(set(_slips(name)) - properties.keys())
        if slips:
            patterns[f"^({'|'.join(slips)})$"] = {"const": f"under the name {name}"}
    return {
        "type": "object",
        "properties": dict(sorted(properties.items())),
        "patternProperties": patterns,
        "additionalProperties": False,
    }


def _configuration(keys: Mapping[str, Any]) -> Schema:
    """Its keys, and those of its limits; the process checks their values."""
    schema = _named({key: {} for key in keys})
    schema["properties"]["limits"] = _named({key: {} for key in keys["limits"]})
    return schema


def _of_default(value: Any, path: str, parent: str) -> Schema:
    special = _SPECIAL.get(path, _SPECIAL.get(f"{parent}*"))
    if special is not None:
        return special
    if isinstance(value, dict):
        return _closed(value, f"{path}.") if value and not _OPEN.search(path) else _OBJECT
    if isinstance(value, bool):
        return _FLAG
    if isinstance(value, int):
        return _COUNT
    return _LIST if isinstance(value, list) else _TEXT


def _slips(name: str) -> Iterator[str]:
    """The ways in which a name is misspelled most often."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    if len(words) > 1:
        yield name.lower()
        yield from (separator.join(words).lower() for separator in "_-")
    if name.endswith("s"):
        yield name.removesuffix("s")
    yield from _MISSPELLED.get(name, ())
