"""
Reads one Ingress into a RuleSet.

Nothing here looks at another object, except at Secrets: the certificate that a tls
entry without hosts needs, and those that annotations name. `host`, `upstream` and
`tls` combine the rules of several objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.errors import RequestError
from ingress.kube.objects import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    ObjectKey,
    ObjectName,
)
from ingress.policy.annotation import CLOSED, PREFIX, Annotations, Extent, Subject
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.canary import is_canary
from ingress.policy.feature import RouteFeature
from ingress.policy.refusal import Refusal
from ingress.policy.registry import Features, Registry
from ingress.policy.scope import BackendSecretOf, ConfigMapOf, ReadContext
from ingress.policy.secret_content import Content, SecretData, SecretOf, no_secret
from ingress.policy.service_upstream import ServiceUpstream
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.routing.build.age import age_of
from ingress.routing.build.canary_ingress import read_canary_set
from ingress.routing.build.canary_set import CanarySet
from ingress.routing.build.default_backend import CONFIGURATION, default_rules
from ingress.routing.build.host_alias import aliases_of
from ingress.routing.build.ingress_class import ClassRule
from ingress.routing.build.ingress_table import KIND
from ingress.routing.build.left_out import left_out
from ingress.routing.build.pattern_rule import pattern_features
from ingress.routing.build.rule_set import (
    Rule,
    RuleSet,
    RuleSource,
    TLSEntry,
    WeightedBackend,
    entries_by_host,
)
from ingress.routing.build.tls_entry import CertificateOf, read_tls_entries
from ingress.routing.path import canonical_rule_path
from ingress.routing.path_pattern import PATTERN_CHARACTERS
from ingress.steps import STRIDE, Steps

MAX_PATH_LENGTH: Final = 32 * 1024
"""In bytes. No request has a longer path, so a rule with a longer one never matches."""


class SecretLookup(NamedTuple):
    """Finds the content of the Secrets and ConfigMaps that an Ingress names."""

    certificate_of: CertificateOf
    backend_secret_of: BackendSecretOf
    secret_of: SecretOf = no_secret
    config_map_of: ConfigMapOf = lambda name: None
    port_rules_of: Callable[[ObjectKey], RuleSet | None] = lambda key: None
    """Reads the ports that a ConfigMap lists, given its key."""


class IngressReader:
    """
    Reads the Ingresses of one build.

    :param ingresses: all current Ingresses.
    :param class_rule: tells which of them are ours.
    """

    def __init__(
        self,
        ingresses: Mapping[ObjectName, Ingress],
        class_rule: ClassRule,
        config: Config,
        registry: Registry,
        secrets: SecretLookup,
    ) -> None:
        self._ingresses = ingresses
        self._class_rule = class_rule
        self.config = config
        self.registry = registry
        self.secrets = secrets
        nothing = ReadContext(config, "", secrets.backend_secret_of)
        self.without_annotations: Features = registry.read(Annotations({}), nothing)
        """The features of every Ingress without annotations."""

    def __repr__(self) -> str:
        return f"<IngressReader of {len(self._ingresses)} Ingresses>"

    def read(self, key: ObjectKey) -> Steps[RuleSet | None]:
        """
        :param key: the key of an Ingress.
        :return: its rules; None if the Ingress is gone or not ours. The key of the configuration
            stands for what that lists, and that of a ConfigMap for its ports.
        """
        if key == CONFIGURATION:
            return default_rules(self.config)
        if key[0] != KIND:
            return self.secrets.port_rules_of(key)
        ingress = self._ingresses.get(key[1:])
        if ingress is None or not self._class_rule.is_ours(ingress):
            return None
        refused = left_out(ingress, self.config)
        if refused is not None:
            return refused
        return (yield from read_ingress(ingress, self))


def read_ingress(ingress: Ingress, reader: IngressReader) -> Steps[RuleSet]:
    """
    Read `ingress`, which is one of ours.

    Faulty parts are left out, with a Problem; the rest is served. A host stays known
    even if all of its rules are faulty, so that its requests do not fall through to an
    open wildcard.
    """
    return (yield from _Reading(ingress, reader).read())


class _Reading:
    """One Ingress while it is read; faults are collected."""

    def __init__(self, ingress: Ingress, reader: IngressReader) -> None:
        metadata = ingress.metadata
        self._ingress = ingress
        self._reader = reader
        self._annotations = Annotations(metadata.annotations)
        self._source = RuleSource(KIND, metadata.namespace, metadata.name, ingress.origin)
        self._problems: list[Problem] = []
        self._upstreams: dict[UpstreamKey, str] = {}
        self._named_secrets: set[ObjectName] = set()
        self._config_maps: set[ObjectName] = set()
        self._features: Features = {}
        self._pattern_makers: tuple[RouteFeature, ...] = ()
        self._pattern_hosts: set[str] = set()

    def read(self) -> Steps[RuleSet]:
        is_guard = self._ingress.only_guards
        if self._annotations and is_canary(self._annotations):
            return self._canary()
        self._features = yield from self._guarding() if is_guard else self._serving()
        if is_guard and not self._features:
            return self._rule_set({}, None, ())
        default = self._default()
        hosts = yield from self._hosts(has_default=default is not None)
        if is_guard:
            # What else is wrong with the object is known already.
            self._problems = self._problems[:1]
        tls: tuple[TLSEntry, ...] = ()
        if not is_guard:
            tls = yield from read_tls_entries(
                self._ingress,
                self._source,
                hosts,
                self._reader.secrets.certificate_of,
                self._problems,
            )
        return self._rule_set(hosts, default, tls)

    def _rule_set(
        self, hosts: Mapping[str, tuple[Rule, ...]], default: Rule | None, tls: tuple[TLSEntry, ...]
    ) -> RuleSet:
        own = [] if self._ingress.only_guards else self._annotation_problems()
        self._name_upstreams()
        return RuleSet(
            source=self._source,
            age=age_of(self._ingress.metadata),
            hosts=hosts,
            default=default,
            root=self._root(),
            pattern_hosts=frozenset(self._pattern_hosts),
            aliases=aliases_of(self._features, hosts) if self._annotations else {},
            host_wide={
                key: feature for key, feature in self._features.items() if feature.is_host_wide
            },
            tls=tls,
            tls_hosts=entries_by_host(tls),
            upstreams=self._upstreams,
            named_secrets=frozenset(self._named_secrets),
            config_maps=frozenset(self._config_maps),
            problems=(*own, *self._problems),
        )

    def _canary(self) -> RuleSet:
        """Return what a canary asks for; one with a fault elsewhere asks for nothing."""
        canary: CanarySet | None = None
        if not self._ingress.only_guards:
            features = self._reader.registry.read_canary(self._annotations, self._context())
            canary = read_canary_set(self._ingress, self._annotations, features, self._upstreams)
            if self._ingress.spec.tls:
                self._problem(
                    Code.ANNOTATION_WITHOUT_EFFECT,
                    "spec.tls",
                    "ignored on a canary: that of the other Ingress counts",
                )
        return replace(self._rule_set({}, None, ()), canary=canary)

    def _problem(self, code: Code, field_path: str, message: str, value: str = "") -> None:
        self._problems.append(self._source.problem(code, field_path, message, value))

    # Annotations.

    def _serving(self) -> Steps[Features]:
        if not self._annotations:
            return self._reader.without_annotations
        features = self._read_features()
        refusal = features.get(Refusal.key())
        if not isinstance(refusal, Refusal) or refusal.subject is not Subject.ACCESS:
            return features
        if refusal.extent is Extent.HOSTS or self._pattern_makers:
            return features
        if not (yield from self._has_pattern()):
            return features
        # It is one only if another Ingress of the namespace says so, which may be gone or faulty:
        # a request that it would have guarded may match an open rule of the same host then.
        self._problem(
            Code.INGRESS_CLOSED,
            "spec.rules",
            "a path looks like a regular expression, and the access rules of this Ingress cannot "
            f"be honoured; {CLOSED[Extent.HOSTS]}",
        )
        return {**features, Refusal.key(): replace(refusal, extent=Extent.HOSTS)}

    def _guarding(self) -> Steps[Features]:
        """Return the features of a faulty Ingress: no other Ingress may serve what it guards."""
        features = self._read_features()
        if not any(feature.guards for feature in features.values()):
            return {}
        refusal = features.get(Refusal.key())
        extent = refusal.extent if isinstance(refusal, Refusal) else Extent.RULES
        if (yield from self._has_pattern()):
            extent = Extent.HOSTS
        message = "its annotations decide access, but the object has a fault"
        self._problem(Code.INGRESS_CLOSED, "metadata.annotations", f"{message}; {CLOSED[extent]}")
        return {Refusal.key(): Refusal(extent=extent)}

    def _read_features(self) -> Features:
        features = self._reader.registry.read(self._annotations, self._context())
        self._pattern_makers = pattern_features(features)
        return features

    def _context(self) -> ReadContext:
        return ReadContext(
            self._reader.config,
            self._source.namespace,
            self._backend_secret,
            self._secret,
            self._config_map,
        )

    def _has_pattern(self) -> Steps[bool]:
        """Whether some path is, or may be, a regular expression."""
        for index, rule in enumerate(self._ingress.spec.rules):
            if rule.http is None:
                if self._ingress.only_guards:
                    return True  # Its paths could not be read.
                continue
            if any(PATTERN_CHARACTERS.search(path.path) for path in rule.http.paths):
                return True
            if index % STRIDE == STRIDE - 1:
                yield
        return False

    def _backend_secret(self, name: ObjectName) -> BackendSecret:
        self._named_secrets.add(name)
        return self._reader.secrets.backend_secret_of(name)

    def _secret(self, name: ObjectName, read: Callable[[SecretData], Content], /) -> Content:
        self._named_secrets.add(name)
        return self._reader.secrets.secret_of(name, read)

    def _config_map(self, name: ObjectName) -> Mapping[str, str] | None:
        self._config_maps.add(name)
        return self._reader.secrets.config_map_of(name)

    def _annotation_problems(self) -> list[Problem]:
        return [
            self._source.problem(
                fault.code, f"metadata.annotations[{fault.name}]", fault.message, fault.value
            )
            for fault in self._annotations.faults
        ]

    # Rules.

    def _default(self) -> Rule | None:
        backend = self._ingress.spec.default_backend
        if backend is None:
            return None
        path = "spec.defaultBackend"
        return Rule(b"/", "Prefix", "/", (self._backend(backend, path),), path, self._features)

    def _name_upstreams(self) -> None:
        """Note the Service ports that annotations name, or the ConfigMap for all."""
        asks = bool(self._annotations or self._reader.config.nginx.auth.url)
        for feature in self._features.values() if asks else ():
            for annotation, key in feature.upstreams:
                path = f"metadata.annotations[{PREFIX}{annotation}]" if annotation else ""
                self._upstreams.setdefault(key, path)

    def _root(self) -> Rule | None:
        """The rule for ``/`` that annotations ask for."""
        features = self._features if self._annotations else {}
        if Refusal.key() in features:
            return None
        for feature in features.values():
            if feature.root_annotation:
                field_path = f"metadata.annotations[{PREFIX}{feature.root_annotation}]"
                backends = (WeightedBackend(None),)
                return Rule(b"/", "Exact", "/", backends, field_path, self._features)
        return None

    def _hosts(self, *, has_default: bool) -> Steps[dict[str, tuple[Rule, ...]]]:
        rules = self._ingress.spec.rules
        if not rules:
            return {"": ()} if has_default else {}
        hosts: dict[str, list[Rule]] = {}
        for index, rule in enumerate(rules):
            host = rule.host.lower()
            host_rules = hosts.setdefault(host, [])
            paths = rule.http.paths if rule.http is not None else ()
            for path_index, path in enumerate(paths):
                parsed = self._rule(path, f"spec.rules[{index}].http.paths[{path_index}]")
                if parsed is not None:
                    host_rules.append(parsed)
                    if self._makes_patterns(parsed.written):
                        self._pattern_hosts.add(host)
                if path_index % STRIDE == STRIDE - 1:
                    yield
            if index % STRIDE == STRIDE - 1:
                yield
        return {host: tuple(host_rules) for host, host_rules in hosts.items()}

    def _rule(self, path: HTTPIngressPath, field_path: str) -> Rule | None:
        written = path.path or "/"
        canonical = self._canonical(written, field_path)
        if canonical is None:
            return None
        if PATTERN_CHARACTERS.search(written):
            for feature in self._features.values() if self._annotations else ():
                loss = feature.loss_at(written)
                if loss:
                    self._problem(Code.ANNOTATION_VALUE, f"{field_path}.path", loss, written)
        backends = (self._backend(path.backend, f"{field_path}.backend"),)
        return Rule(canonical, path.path_type, written, backends, field_path, self._features)

    def _makes_patterns(self, written: str) -> bool:
        return any(maker.makes_patterns(written) for maker in self._pattern_makers)

    def _canonical(self, written: str, field_path: str) -> bytes | None:
        """The canonical form of a path; None, with a Problem, if it has none."""
        try:
            canonical = canonical_rule_path(written)
        except RequestError as error:
            if self._makes_patterns(written):
                return b"/"  # Of a regular expression nobody asks for it.
            if written.startswith("/") and PATTERN_CHARACTERS.search(written):
                # Another Ingress may make it a regular expression; as a plain path it meets nobody.
                return written.encode("utf-8", "surrogatepass")
            self._problem(
                Code.PATH_IMPOSSIBLE,
                f"{field_path}.path",
                f"{error} No request has such a path",
                written,
            )
            return None
        if not canonical.startswith(b"/") or len(canonical) > MAX_PATH_LENGTH:
            accepted = f"a path begins with / and has at most {MAX_PATH_LENGTH} bytes"
            self._problem(Code.PATH_IMPOSSIBLE, f"{field_path}.path", accepted, written)
            return None
        return canonical

    def _backend(self, backend: IngressBackend, field_path: str) -> WeightedBackend:
        service = backend.service
        if service is None:
            self._problem(
                Code.BACKEND_NO_SERVICE,
                field_path,
                "only a Service can be a backend; requests for it are answered with 404",
            )
            return WeightedBackend(None)
        is_by_service = ServiceUpstream.key() in self._features
        namespace, port = self._source.namespace, str(service.port)
        key = UpstreamKey(namespace, service.name, port, is_by_service)
        self._upstreams.setdefault(key, f"{field_path}.service")
        return WeightedBackend(key)
