"""
All features that annotations can ask for, in the order in which policies decide.

Each line of `FEATURES` is one feature. Only its module knows which annotations it reads, what it
does in an exchange, and how it is explained and shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from ingress.config import Config, ConfiguredPolicy
from ingress.policy.absence import Prepared
from ingress.policy.access import close_unsupported
from ingress.policy.access_logging import AccessLogging
from ingress.policy.annotation import Annotations, Closing, Extent, Subject
from ingress.policy.annotation_safety import AnnotationSafety
from ingress.policy.app_root import AppRoot
from ingress.policy.backend_protocol import BackendProtocol
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.backend_version import BackendVersion
from ingress.policy.blocked_clients import BlockedClients
from ingress.policy.buffering import Buffering
from ingress.policy.canary import Canary
from ingress.policy.certificate_signer import CertificateSigner
from ingress.policy.chosen import chosen_policies
from ingress.policy.client_certificates import ClientCertificates
from ingress.policy.client_limits import ClientLimits
from ingress.policy.client_requests import ClientRequests
from ingress.policy.compression import Compression
from ingress.policy.configured_fields import ConfiguredFields
from ingress.policy.configured_snippets import EveryLocationSnippet, EveryServerSnippet
from ingress.policy.connection_field import ConnectionField
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.cors import CORS
from ingress.policy.custom_errors import CustomErrors
from ingress.policy.custom_headers import CustomHeaders
from ingress.policy.feature import ObjectReference, RouteFeature
from ingress.policy.forwarded_prefix import ForwardedPrefix
from ingress.policy.health_check import HealthCheck
from ingress.policy.https_redirect import HttpsRedirect
from ingress.policy.jwt_auth import JWTAuth
from ingress.policy.known_annotations import NAMES
from ingress.policy.load_balance import LoadBalance
from ingress.policy.load_shedding import LoadShedding
from ingress.policy.mirror import Mirror
from ingress.policy.open_telemetry import OpenTelemetry
from ingress.policy.path_regex import PathRegex
from ingress.policy.policy import Policy
from ingress.policy.proxy_cookie import ProxyCookie
from ingress.policy.proxy_redirect import ProxyRedirect
from ingress.policy.proxy_settings import ProxySettings
from ingress.policy.redirect import Redirect
from ingress.policy.refusal import Refusal
from ingress.policy.response_pace import ResponsePace
from ingress.policy.rewrite import Rewrite, RewriteElsewhere
from ingress.policy.satisfy import MEMBERS, SatisfyAny, UnlessAny
from ingress.policy.scope import ReadContext
from ingress.policy.server_alias import ServerAlias
from ingress.policy.service_upstream import ServiceUpstream
from ingress.policy.snippets import ConfigurationSnippet, ServerSnippet
from ingress.policy.ssl_passthrough import SSLPassthrough
from ingress.policy.upstream_host import UpstreamHost
from ingress.policy.www_redirect import WwwRedirect

Features = Mapping[str, RouteFeature]
"""Features of one object or rule by their keys, in the order of the registry."""


NO_FEATURES: Final[Features] = MappingProxyType({})


class Entry(Protocol):
    """A feature in a registry: a class of features, or an object that gives ready-made ones."""

    @property
    def annotations(self) -> tuple[str, ...]:
        """As `RouteFeature.annotations`."""

    @property
    def differences(self) -> Mapping[str, str]:
        """As `RouteFeature.differences`."""

    def key(self) -> str:
        """As `RouteFeature.key`."""

    def read(self, annotations: Annotations, context: ReadContext) -> RouteFeature | None:
        """As `RouteFeature.read`."""

    def references(self, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """As `RouteFeature.references`."""


class Registry:
    """
    Features in a fixed order.

    :raises ValueError: if two entries have the same key.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        listed: tuple[Entry, ...] = (Refusal, *entries)
        self._entries = {entry.key(): entry for entry in listed}
        if len(self._entries) != len(listed):
            raise ValueError(f"two of these features have the same key: {listed}")
        self.known_annotations: Final = frozenset(
            name for entry in self._entries.values() for name in entry.annotations
        )
        """The names that some entry reads: without ingress-nginx's prefix, but with our own."""

        self._last_prepared: Prepared[Entry] | None = None
        """The entries under the last configuration."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries in order."""
        return tuple(self._entries.values())

    def __repr__(self) -> str:
        return f"<Registry {list(self._entries)}>"

    def read(self, annotations: Annotations, context: ReadContext) -> dict[str, RouteFeature]:
        """
        Read all that one object asks for; annotations that no entry knows are reported.
        """
        features: dict[str, RouteFeature] = {}
        close_unsupported(annotations, self.known_annotations, context)
        names = annotations.names
        for key, entry, without in self._prepared(context.config).concerned(names):
            if without is not None and without.names.isdisjoint(names):
                feature = without.feature
            else:
                feature = entry.read(annotations, context)
            if feature is not None:
                features[key] = feature
        annotations.fault_unknown(self.known_annotations)
        closing = annotations.closing
        if closing is None and context.config.nginx.closed_by:
            closing = Closing(Extent.RULES, Subject.ACCESS)
        if closing is not None:
            features[Refusal.key()] = Refusal.of(closing)
            return self.in_order(features)
        return features

    def _prepared(self, config: Config) -> Prepared[Entry]:
        if self._last_prepared is None or self._last_prepared.config is not config:
            self._last_prepared = Prepared(self._entries, config)
        return self._last_prepared

    def read_canary(
        self, annotations: Annotations, context: ReadContext
    ) -> dict[str, RouteFeature]:
        """
        Read what a canary may ask for; all its other annotations are reported and ignored.
        """
        features: dict[str, RouteFeature] = {}
        heard: set[str] = set()
        for key, entry in self._entries.items():
            if not getattr(entry, "holds_for_canaries", False):
                continue
            heard.update(entry.annotations)
            feature = entry.read(annotations, context)
            if feature is not None:
                features[key] = feature
        annotations.fault_unknown(heard, self.known_annotations | NAMES)
        return features

    def references(self, annotations: Annotations, namespace: str) -> frozenset[ObjectReference]:
        """
        :param namespace: the namespace of the object.
        :return: each object that `read` looks at.
        """
        return frozenset(
            reference
            for entry in self._entries.values()
            for reference in entry.references(annotations, namespace)
        )

    def in_order(self, features: Features) -> dict[str, RouteFeature]:
        """:return: the same features in the order of the registry."""
        return {key: features[key] for key in self._entries if key in features}


FEATURES: Final[tuple[Entry, ...]] = (
    # Whoever is asked for a request is a part of its trace.
    OpenTelemetry,
    # Access.
    AnnotationSafety,
    BlockedClients,
    HttpsRedirect,
    WwwRedirect,
    SSLPassthrough,
    ClientCertificates,
    EveryServerSnippet,
    ServerSnippet,
    # Preflights have no credentials: every rule about access comes behind this line.
    CORS,
    EveryLocationSnippet,
    ConfigurationSnippet,
    # Before who somebody is, as in nginx: guesses at passwords count, too.
    ClientRequests,
    ClientLimits,
    *map(UnlessAny, MEMBERS),
    SatisfyAny,
    JWTAuth,
    # Settings, and what is read for its faults alone.
    AccessLogging,
    BackendTLS,
    BackendVersion,
    Buffering,
    Canary,
    Compression,
    ConnectionField,
    CookieAffinity,
    HealthCheck,
    LoadBalance,
    Mirror,
    PathRegex,
    ProxySettings,
    ResponsePace,
    Rewrite,
    ServerAlias,
    CertificateSigner,
    ServiceUpstream,
    # Changes to every request.
    ForwardedPrefix,
    ConfiguredFields,
    UpstreamHost,
    # Changes to responses.
    CustomHeaders,
    ProxyRedirect,
    ProxyCookie,
    CustomErrors,
    # Answers in the place of an endpoint.
    BackendProtocol,
    Redirect,
    AppRoot,
    RewriteElsewhere,
    # The last before an endpoint is asked.
    LoadShedding,
)
"""The features of every proxy. Within a phase, policies decide in this order."""

REGISTRY: Final = Registry((*FEATURES, *chosen_policies({})))
"""The registry of a configuration without policies."""


def registry_with(policies: tuple[ConfiguredPolicy, ...]) -> Registry:
    """
    :param policies: those of the configuration.
    :return: a registry in which they follow all other features.
    """
    if not policies:
        return REGISTRY
    by_name: dict[str, Policy] = {each.name: each.policy for each in policies}
    for_all = {each.name for each in policies if each.is_for_all}
    return Registry((*FEATURES, *chosen_policies(by_name, for_all)))
