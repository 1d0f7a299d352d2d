"""
Puts the values of flags into the keys of our configuration (``etc/ingress.yaml``).

The defaults of ingress-nginx hold for flags that are not given, because a Deployment relies on
them: its ports, its class, the name of its Lease.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final

from ingress.migration.flag import FlagVerdict
from ingress.migration.flag_table import FLAGS
from ingress.migration.flag_value import FlagValue
from ingress.object_name import parse_object_name

Settings = dict[str, Any]
"""A configuration as a document: keys, mappings and plain values."""

SHUTDOWN_GRACE: Final = 240
"""Seconds: the default of ``worker-shutdown-timeout``, which has a key of the ConfigMap only."""

_DEBUG: Final = 3
"""The least level of klog's ``v`` that is ``debug``: it shows each change of an object."""


class Reading:
    """
    The values of one command line, with what is found about them.

    :param given: the value of each flag that was given.
    :param environment: of the process.
    """

    def __init__(self, given: Mapping[str, FlagValue], environment: Mapping[str, str]) -> None:
        self._given = given
        self._environment = environment
        self.found: list[tuple[str, FlagVerdict, str]] = []
        """Flags with what follows from their values."""

    def __repr__(self) -> str:
        return f"<Reading of {len(self._given)} flags>"

    def settings(self) -> Settings:
        """:return: our configuration; faults are in `found`."""
        self._check_pairs()
        settings: Settings = {
            "listen": self._listen(),
            "source": {"kubernetes": self._kubernetes()},
            "class": self._class(),
            "admin": {"health-path": self._text("health-check-path")},
            "ssl-passthrough": self._value("enable-ssl-passthrough"),
            "shutdown-grace": SHUTDOWN_GRACE,
        }
        for flag, key in (
            ("configmap", "config-map"),
            ("tcp-services-configmap", "tcp-services"),
            ("udp-services-configmap", "udp-services"),
            ("default-backend-service", "default-backend"),
        ):
            name = self._object(flag)
            if name:
                settings[key] = name
        certificate = self._object("default-ssl-certificate")
        if certificate:
            settings["tls"] = {"default": certificate}
        for flag, key in (
            ("disable-svc-external-name", "external-names"),
            ("disable-catch-all", "catch-all"),
        ):
            if self._value(flag):
                settings[key] = False
        if self._integer("shutdown-grace-period") > 0:
            settings["shutdown-delay"] = self._integer("shutdown-grace-period")
        if self._integer("v") >= _DEBUG:
            settings["log"] = {"level": "debug"}
        return settings

    def _value(self, name: str) -> FlagValue:
        flag = FLAGS[name]
        if name in self._given:
            return self._given[name]
        return flag.kind.read(flag.default)

    def _text(self, name: str) -> str:
        value = self._value(name)
        assert isinstance(value, str)
        return value

    def _integer(self, name: str) -> int:
        value = self._value(name)
        assert isinstance(value, int)
        return value

    def _stop(self, flag: str, message: str) -> None:
        self.found.append((flag, FlagVerdict.STOPS, message))

    def _object(self, flag: str) -> str:
        """:return: ``NAMESPACE/NAME`` of an object; empty for none."""
        written = self._text(flag)
        if written and parse_object_name(written) is None:
            self._stop(flag, "NAMESPACE/NAME of an object is accepted")
            return ""
        return written

    def _check_pairs(self) -> None:
        for one, other in (
            ("publish-service", "publish-status-address"),
            ("watch-namespace", "watch-namespace-selector"),
        ):
            if self._value(one) and self._value(other):
                self._stop(one, f"it cannot be combined with --{other}")
        if self._value("metrics-per-undefined-host") and not self._value("metrics-per-host"):
            self._stop("metrics-per-undefined-host", "it needs --metrics-per-host")

    # Sections.

    def _listen(self) -> Settings:
        host = self._text("healthz-host")
        try:
            shown = f"[{host}]" if host and ip_address(host).version == 6 else host or "*"
        except ValueError:
            self._stop("healthz-host", "an IP address is accepted")
            shown = "*"
        return {
            "http": f"*:{self._port('http-port')}",
            "https": f"*:{self._port('https-port')}",
            "admin": f"{shown}:{self._port('healthz-port')}",
        }

    def _port(self, flag: str) -> int:
        port = self._integer(flag)
        if 1 <= port <= 65535:
            return port
        self._stop(flag, "a port from 1 to 65535 is accepted")
        return int(FLAGS[flag].default)

    def _kubernetes(self) -> Settings:
        kubernetes: Settings = {"lease": self._text("election-id")}
        if parse_object_name(kubernetes["lease"], "any") is None:
            self._stop("election-id", "the name of a Lease is accepted")
        if self._text("kubeconfig"):
            kubernetes["kubeconfig"] = self._text("kubeconfig")
        if self._text("watch-namespace"):
            kubernetes["namespaces"] = [self._text("watch-namespace")]
        status = self._status()
        if status:
            kubernetes["status"] = status
        return kubernetes

    def _status(self) -> Settings:
        if not self._value("update-status"):
            return {}
        addresses = self._value("publish-status-address")
        if addresses:
            assert isinstance(addresses, tuple)
            return {"addresses": list(addresses)}
        service = self._object("publish-service")
        if service:
            # Without a Service a replica does not know of the others, and might remove theirs.
            clears = self._value("update-status-on-shutdown")
            return {"service": service, "clear-on-shutdown": clears}
        if not self._environment.get("NODE_NAME"):
            self.found.append(
                (
                    "publish-service",
                    FlagVerdict.TOLD,
                    "without it, and without NODE_NAME in the environment, no address is written "
                    "to Ingresses",
                )
            )
            return {}
        is_internal = self._value("report-node-internal-ip-address")
        return {"nodes": "internal" if is_internal else "external"}

    def _class(self) -> Settings:
        return {
            "name": self._text("ingress-class") or FLAGS["ingress-class"].default,
            "controller": self._text("controller-class"),
            "without-class": self._value("watch-ingress-without-class"),
            "by-name": self._value("ingress-class-by-name"),
        }
