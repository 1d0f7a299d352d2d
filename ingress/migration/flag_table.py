"""
All flags of ingress-nginx 1.15, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingress.migration.flag import Flag, FlagVerdict
from ingress.migration.flag_value import FlagKind

_TEXT: Final = FlagKind.TEXT
_BOOLEAN: Final = FlagKind.BOOLEAN
_INTEGER: Final = FlagKind.INTEGER
_DURATION: Final = FlagKind.DURATION


def _sets(
    name: str, kind: FlagKind, default: str, becomes: str, effect: str, shorthand: str = ""
) -> Flag:
    return Flag(name, kind, default, FlagVerdict.SETS, effect, becomes, shorthand)


def _no_effect(name: str, kind: FlagKind, default: str, reason: str) -> Flag:
    return Flag(name, kind, default, FlagVerdict.NO_EFFECT, reason)


def _told(
    name: str, kind: FlagKind, default: str, consequence: str, *, is_secret: bool = False
) -> Flag:
    return Flag(name, kind, default, FlagVerdict.TOLD, consequence, is_secret=is_secret)


def _stops(name: str, kind: FlagKind, default: str, reason: str) -> Flag:
    return Flag(name, kind, default, FlagVerdict.STOPS, reason)


_OBJECTS: Final = (
    _sets(
        "kubeconfig",
        _TEXT,
        "",
        "source.kubernetes.kubeconfig",
        "the credentials for the API server; without it, the service account of the pod",
    ),
    _stops(
        "apiserver-host",
        _TEXT,
        "",
        "the address of the API server comes from the service account or from --kubeconfig",
    ),
    _no_effect(
        "certificate-authority",
        _TEXT,
        "",
        "it belongs to --apiserver-host; --kubeconfig has its own",
    ),
    _sets(
        "watch-namespace",
        _TEXT,
        "",
        "source.kubernetes.namespaces",
        "the only namespace whose objects are read",
    ),
    _stops(
        "watch-namespace-selector",
        _TEXT,
        "",
        "namespaces are chosen by name, and without a choice Ingresses of all of them would be "
        "served; --watch-namespace or source.kubernetes.namespaces name them",
    ),
    _sets(
        "configmap",
        _TEXT,
        "",
        "config-map",
        "the ConfigMap with keys of ingress-nginx ([the page on it](configmap.md))",
    ),
    _sets(
        "tcp-services-configmap",
        _TEXT,
        "",
        "tcp-services",
        "the ConfigMap with TCP ports and the Services that they lead to",
    ),
    _sets(
        "udp-services-configmap",
        _TEXT,
        "",
        "udp-services",
        "the ConfigMap with UDP ports and the Services that they lead to",
    ),
    _sets(
        "default-backend-service",
        _TEXT,
        "",
        "default-backend",
        "the Service for requests that no rule matches, at its first port",
    ),
    _sets(
        "default-ssl-certificate",
        _TEXT,
        "",
        "tls.default",
        "the Secret for hosts that have no certificate of their own",
    ),
    _no_effect("sync-period", _DURATION, "0s", "objects are watched, and need no repetition"),
    _no_effect(
        "sync-rate-limit", FlagKind.NUMBER, "0.3", "changes are served after a fraction of a second"
    ),
    _no_effect(
        "enable-topology-aware-routing",
        _BOOLEAN,
        "false",
        "endpoints of all zones are asked",
    ),
    _told(
        "enable-ssl-chain-completion",
        _BOOLEAN,
        "false",
        "chains are sent as Secrets have them, so that clients which need a missing intermediate "
        "certificate fail",
    ),
    _sets(
        "disable-svc-external-name",
        _BOOLEAN,
        "false",
        "external-names",
        "whether Services of the type ExternalName get no requests",
    ),
    _sets(
        "disable-catch-all",
        _BOOLEAN,
        "false",
        "catch-all",
        "whether Ingresses with a default backend are not served",
    ),
)

_CLASSES: Final = (
    _sets(
        "ingress-class",
        _TEXT,
        "nginx",
        "class.name",
        "the name in the annotation kubernetes.io/ingress.class, and of a class without object",
    ),
    _sets(
        "controller-class",
        _TEXT,
        "k8s.io/ingress-nginx",
        "class.controller",
        "the spec.controller of our IngressClasses",
    ),
    _sets(
        "watch-ingress-without-class",
        _BOOLEAN,
        "false",
        "class.without-class",
        "whether Ingresses that name no class are served",
    ),
    _sets(
        "ingress-class-by-name",
        _BOOLEAN,
        "false",
        "class.by-name",
        "whether the class named by --ingress-class is ours whatever controller it has",
    ),
    _stops(
        "annotations-prefix",
        _TEXT,
        "nginx.ingress.kubernetes.io",
        "annotations of another prefix are not read, and access rules in them would not be applied",
    ),
    _no_effect(
        "enable-annotation-validation", _BOOLEAN, "true", "annotations are always validated"
    ),
    _no_effect("deep-inspect", _BOOLEAN, "true", "paths are always inspected"),
)

_PORTS: Final = (
    _sets("http-port", _INTEGER, "80", "listen.http", "the port for http"),
    _sets("https-port", _INTEGER, "443", "listen.https", "the port for https"),
    _sets("healthz-port", _INTEGER, "10254", "listen.admin", "the port for probes and metrics"),
    _sets("healthz-host", _TEXT, "", "listen.admin", "the address for probes and metrics"),
    _sets(
        "health-check-path",
        _TEXT,
        "/healthz",
        "admin.health-path",
        "the path of probes: 200 while the process serves, else 500",
    ),
    _no_effect("health-check-timeout", _INTEGER, "10", "probes are answered at once"),
    _no_effect("default-server-port", _INTEGER, "8181", "there is no such internal port"),
    _no_effect("status-port", _INTEGER, "10246", "there is no such internal port"),
    _no_effect("stream-port", _INTEGER, "10247", "there is no such internal port"),
    _no_effect("ssl-passthrough-proxy-port", _INTEGER, "442", "there is no such internal port"),
    _sets(
        "enable-ssl-passthrough",
        _BOOLEAN,
        "false",
        "ssl-passthrough",
        "whether the annotation ssl-passthrough is carried out",
    ),
    _no_effect("internal-logger-address", _TEXT, "127.0.0.1:11514", "there is no such logger"),
    _no_effect("profiling", _BOOLEAN, "true", "there is no profiler of Go"),
    _no_effect("profiler-port", _INTEGER, "10245", "there is no profiler of Go"),
    _no_effect("profiler-address", FlagKind.ADDRESS, "127.0.0.1", "there is no profiler of Go"),
)

_STATUS: Final = (
    _sets(
        "update-status",
        _BOOLEAN,
        "true",
        "source.kubernetes.status",
        "whether addresses are written to Ingresses",
    ),
    _sets(
        "publish-service",
        _TEXT,
        "",
        "source.kubernetes.status.service",
        "the Service whose addresses are written to Ingresses",
    ),
    _sets(
        "publish-status-address",
        FlagKind.WORDS,
        "",
        "source.kubernetes.status.addresses",
        "the addresses that are written to Ingresses",
    ),
    _sets(
        "report-node-internal-ip-address",
        _BOOLEAN,
        "false",
        "source.kubernetes.status.nodes",
        "whether the internal address of the node is written, where no Service is published",
    ),
    _sets(
        "update-status-on-shutdown",
        _BOOLEAN,
        "true",
        "source.kubernetes.status.clear-on-shutdown",
        "whether the last replica removes the addresses of --publish-service; others stay",
    ),
    _no_effect(
        "status-update-interval", _INTEGER, "60", "addresses are read again every 30 seconds"
    ),
    _sets(
        "election-id",
        _TEXT,
        "ingress-controller-leader",
        "source.kubernetes.lease",
        "the Lease by which replicas elect the one that writes, in the namespace of the pod",
    ),
    _no_effect("election-ttl", _DURATION, "30s", "the Lease lasts 15 seconds"),
    _told(
        "disable-leader-election",
        _BOOLEAN,
        "false",
        "a leader is elected, which needs rights on Leases",
    ),
    _no_effect("disable-sync-events", _BOOLEAN, "false", "there are no Sync events"),
)

_ADMISSION: Final = (
    _told(
        "validating-webhook",
        _TEXT,
        "",
        "there is no admission webhook. Delete its ValidatingWebhookConfiguration: with "
        "failurePolicy Fail the API server would refuse every Ingress",
    ),
    _no_effect("validating-webhook-certificate", _TEXT, "", "there is no admission webhook"),
    _no_effect("validating-webhook-key", _TEXT, "", "there is no admission webhook"),
    _no_effect("disable-full-test", _BOOLEAN, "false", "there is no admission webhook"),
)

_METRICS: Final = (
    _no_effect("enable-metrics", _BOOLEAN, "false", "/metrics is always served, beside the probes"),
    _told("metrics-per-host", _BOOLEAN, "true", "metrics always have the label host"),
    _no_effect(
        "metrics-per-undefined-host",
        _BOOLEAN,
        "false",
        "hosts that no Ingress names are counted together",
    ),
    _told(
        "report-status-classes",
        _BOOLEAN,
        "false",
        "the label status has codes, and classes only when there is no room for more series",
    ),
    _told("exclude-socket-metrics", FlagKind.WORDS, "", "all metrics are served"),
    _told(
        "time-buckets",
        FlagKind.NUMBERS,
        "0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10",
        "histograms have the default buckets",
    ),
    _told(
        "length-buckets",
        FlagKind.NUMBERS,
        "10,20,30,40,50,60,70,80,90,100",
        "histograms have the default buckets",
    ),
    _told(
        "size-buckets",
        FlagKind.NUMBERS,
        "10,100,1000,10000,100000,1e+06,1e+07",
        "histograms have the default buckets",
    ),
    _told("bucket-factor", FlagKind.NUMBER, "0", "histograms are classic ones"),
    _no_effect("max-buckets", _INTEGER, "100", "histograms are classic ones"),
    _no_effect("monitor-max-batch-size", _INTEGER, "10000", "there are no such batches"),
)

_PROCESS: Final = (
    _sets(
        "shutdown-grace-period",
        _INTEGER,
        "0",
        "shutdown-delay",
        "seconds after SIGTERM for which the process serves as before",
    ),
    _no_effect(
        "post-shutdown-grace-period",
        _INTEGER,
        "10",
        "the process ends with its last request",
    ),
    _no_effect(
        "dynamic-configuration-retries", _INTEGER, "15", "changes are published in one step"
    ),
    _sets("version", _BOOLEAN, "false", "", "shows what is installed, and ends"),
    *(
        _told(name, kind, default, "there is no GeoIP here", is_secret=name.endswith("key"))
        for name, kind, default in (
            ("maxmind-mirror", _TEXT, ""),
            ("maxmind-license-key", _TEXT, ""),
            ("maxmind-edition-ids", _TEXT, "GeoLite2-City,GeoLite2-ASN"),
            ("maxmind-retries-count", _INTEGER, "1"),
            ("maxmind-retries-timeout", _DURATION, "0s"),
        )
    ),
)

_LOG: Final = "the log of the process goes to standard error"

_KLOG: Final = (
    _sets("v", _INTEGER, "0", "log.level", "the level of the log: debug from 3 on", "v"),
    _no_effect("logtostderr", _BOOLEAN, "true", _LOG),
    _no_effect("alsologtostderr", _BOOLEAN, "false", _LOG),
    _no_effect("stderrthreshold", _TEXT, "2", _LOG),
    _no_effect("legacy_stderr_threshold_behavior", _BOOLEAN, "true", _LOG),
    _no_effect("log_dir", _TEXT, "", _LOG),
    _no_effect("log_file", _TEXT, "", _LOG),
    _no_effect("log_file_max_size", _INTEGER, "1800", _LOG),
    _no_effect("log_backtrace_at", _TEXT, ":0", "lines have no such traces"),
    _no_effect("vmodule", _TEXT, "", "there is one level for all modules"),
    _no_effect("one_output", _BOOLEAN, "false", _LOG),
    _no_effect("add_dir_header", _BOOLEAN, "false", "log.format says what a line has"),
    _no_effect("skip_headers", _BOOLEAN, "false", "log.format says what a line has"),
    _no_effect("skip_log_headers", _BOOLEAN, "false", "log.format says what a line has"),
)

FLAGS: Final[Mapping[str, Flag]] = MappingProxyType(
    {
        flag.name: flag
        for flag in (
            *_OBJECTS,
            *_CLASSES,
            *_PORTS,
            *_STATUS,
            *_ADMISSION,
            *_METRICS,
            *_PROCESS,
            *_KLOG,
        )
    }
)
"""The flags of version 1.15, and those of the library that it logs with."""

FORMER_FLAGS: Final = frozenset(
    (
        "default-backend-port",
        "deployment-mode",
        "disable-node-list",
        "enable-dynamic-certificates",
        "enable-dynamic-configuration",
        "force-namespace-isolation",
        "ignore-ingress-class",
        "sort-backends",
    )
)
"""Flags that earlier versions had; 1.15 does not start with them."""
