"""
Spans of requests (OpenTelemetry): what the section ``otlp`` of the configuration says, and
``otlp-*``, ``otel-*`` and ``opentelemetry-*`` of ingress-nginx's ConfigMap.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Literal
from urllib.parse import urlsplit

from ingress.frozen import dataclass

SamplerName = Literal["always-on", "always-off", "ratio"]

HTTP_PORT: Final = 4318
"""The port of OTLP over HTTP; 4317 is that of gRPC."""

MISSING_PACKAGES: Final = (
    "spans need packages that are not installed: pip install 'txingress[otel]'"
)

_MODULES: Final = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Which requests have spans, and where these are sent."""

    endpoint: str = ""
    """The http or https URL that takes OTLP; empty where nothing has spans."""

    service_name: str = "txingress"
    for_all: bool = False
    """Whether Ingresses without the annotation have spans: ``enable-opentelemetry``."""

    trust_incoming_span: bool = True
    """Whether the trace that a client names in ``traceparent`` is continued."""

    operation_name: str = ""
    """The name of the spans of requests; empty for method and path of the rule."""

    sampler: SamplerName = "always-on"
    ratio: float = 0.01
    """The share of traces that the sampler ``ratio`` takes."""

    parent_based: bool = True
    """Whether the sampling decision of a trusted ``traceparent`` holds."""

    queue: int = 2048
    """Spans that wait at most in a process; what comes then is dropped."""

    batch: int = 512
    """Spans of a request to the collector, at most."""

    delay: float = 5.0
    """Seconds between two requests to the collector, at most."""

    @property
    def export(self) -> OtlpSettings:
        """The same as far as it concerns sending; what concerns rules has its default."""
        return OtlpSettings(
            self.endpoint,
            self.service_name,
            queue=self.queue,
            batch=self.batch,
            delay=self.delay,
        )


def has_packages() -> bool:
    """:return: whether the packages of the extra ``otel`` are installed."""
    try:
        return all(find_spec(module) is not None for module in _MODULES)
    except ModuleNotFoundError:
        return False


def is_collector_url(text: str) -> bool:
    """:return: whether a text is an http or https URL with a host, and without credentials."""
    if not (text.isascii() and text.isprintable()) or " " in text or len(text) > 2000:
        return False
    try:
        url = urlsplit(text)
        is_port = url.port is None or url.port > 0
    except ValueError:
        return False
    has_host = bool(url.hostname) and "@" not in url.netloc
    return url.scheme in ("http", "https") and has_host and is_port and not url.fragment
