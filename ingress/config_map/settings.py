"""
Puts the values of ingress-nginx's ConfigMap into the configuration.

What a key of the ConfigMap says takes precedence over the configuration file, and annotations
take precedence over both (docs/compatibility.md, section 6, "ConfigMap").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from ingress.config import HSTS, AccessLog, Config
from ingress.config.access_log import CustomLine
from ingress.config.otlp import HTTP_PORT
from ingress.config_map.reading import ReadData, Values
from ingress.config_map.table import KEYS
from ingress.config_map.trust import trust
from ingress.log_template import DEFAULT_TEMPLATE, LogTemplate


def apply(config: Config, read: ReadData) -> Config:
    """
    :param config: the configuration of the file.
    :return: the same with the values of a ConfigMap.
    """
    values = read.values
    for name, value in values.items():
        target = KEYS[name].target
        if target:
            config = _replaced(config, target.split("."), value)
    config = replace(config, hsts=_hsts(config.hsts, values))
    config = trust(config, values)
    if values.get("enable-underscores-in-headers") is True:
        config = replace(config, field_names="underscores")
    if values.get("ignore-invalid-headers") is False:
        config = replace(config, field_names="any")
    if values.get("use-http2") is False:
        config = replace(config, limits=replace(config.limits, http2_streams=0))
    config = replace(config, access_log=_access_log(config, values))
    host = values.get("otlp-collector-host")
    if host is not None and not config.otlp.endpoint:
        endpoint = f"http://{host}:{HTTP_PORT}/v1/traces"
        config = replace(config, otlp=replace(config.otlp, endpoint=endpoint))
    return replace(config, nginx=replace(config.nginx, closed_by=read.closed_by))


def _access_log(config: Config, values: Values) -> AccessLog | None:
    """Return the settings of the access log, with the format of the ConfigMap."""
    log = config.access_log
    if log is None or values.get("disable-access-log") is True:
        return None
    log = replace(
        log,
        has_exchanges=values.get("disable-http-access-log") is not True,
        has_relays=values.get("disable-stream-access-log") is not True,
        has_unmatched=values.get("enable-access-log-for-default-backend") is not False,
    )
    escape: Literal["default", "json", "none"] = "default"
    if values.get("log-format-escape-none"):
        escape = "none"
    elif values.get("log-format-escape-json"):
        escape = "json"
    template = values.get("log-format-upstream", DEFAULT_TEMPLATE)
    assert isinstance(template, LogTemplate)
    if template.is_default and escape == "default":
        is_asked = "log-format-upstream" in values
        return replace(log, format="nginx-exact") if is_asked else log
    ports = config.public_ports
    is_proxied = config.nginx.proxy_protocol.is_on
    custom = CustomLine(template, escape, ports.http, ports.https, bool(is_proxied))
    return replace(log, custom=custom)


def _replaced(part: Any, path: list[str], value: object) -> Any:
    """Return a copy of a frozen dataclass with another value at a path."""
    name, *rest = path
    if rest:
        value = _replaced(getattr(part, name), rest, value)
    return replace(part, **{name: value})


def _hsts(configured: HSTS | None, values: Values) -> HSTS | None:
    is_on = values.get("hsts", configured is not None)
    if not is_on:
        return None
    fields = {
        "max_age": values.get("hsts-max-age"),
        "include_subdomains": values.get("hsts-include-subdomains"),
        "preload": values.get("hsts-preload"),
    }
    changes: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    return replace(configured or HSTS(), **changes)
