"""
Reads the parts of one Ingress: its rules by host, its default backend, its tls entries.

Nothing here looks at another object, except at the certificate that a tls entry
without hosts needs. `host`, `upstream` and `tls` combine the parts of several
Ingresses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.errors import RequestError
from ingress.kube.objects import HTTPIngressPath, Ingress, IngressBackend, IngressTLS, ObjectName
from ingress.policy.access import PATTERN_CHARACTERS, Refusal, read_refusal
from ingress.policy.annotation import Annotations
from ingress.policy.backend_tls import BackendSecretOf, BackendSettings, read_backend_settings
from ingress.policy.buffering import check_buffering
from ingress.policy.cookie_affinity import CookieAffinity, read_cookie_affinity
from ingress.policy.https_redirect import RedirectSettings, read_redirect_settings
from ingress.policy.load_balance import LoadBalance, read_load_balance
from ingress.policy.proxy_settings import (
    ProxySettings,
    default_proxy_settings,
    read_proxy_settings,
)
from ingress.problem import Problem, quoted
from ingress.routing.build.age import Age, age_of
from ingress.routing.build.certificate import covers
from ingress.routing.path import canonical_rule_path
from ingress.routing.snapshot import ServerCertificate
from ingress.steps import STRIDE, Steps

MAX_PATH_LENGTH = 32 * 1024
"""In bytes. No request has a longer path, so a rule with a longer one never matches."""

CertificateOf = Callable[[ObjectName], ServerCertificate | None]
"""Finds the certificate of a Secret, if it can be used."""


class SecretLookup(NamedTuple):
    """Finds the content of the Secrets that an Ingress names."""

    certificate_of: CertificateOf
    backend_secret_of: BackendSecretOf


class Rule(NamedTuple):
    """A path rule, or a default backend, which has the path ``/``."""

    path: bytes
    """Canonical."""

    path_type: str
    written: str
    """The path as written in the Ingress."""

    upstream: UpstreamKey | None
    field: str
    """The position of the rule: ``spec.rules[0].http.paths[0]``."""


class TLSEntry(NamedTuple):
    """One entry of ``spec.tls``."""

    hosts: tuple[str, ...]
    """In lower case; for an entry without hosts, the rule hosts that its certificate covers."""

    secret: ObjectName | None
    """None for the default certificate."""

    names_hosts: bool


@dataclass(frozen=True, slots=True)
class Policies:
    """The settings from the annotations of an Ingress, which apply to all of its rules."""

    refusal: Refusal = Refusal.NONE
    redirect: RedirectSettings = RedirectSettings()
    affinity: CookieAffinity | None = None
    load_balance: LoadBalance = LoadBalance()
    proxy: ProxySettings = ProxySettings()
    backend: BackendSettings = BackendSettings()


@dataclass(frozen=True, slots=True)
class IngressParts:
    """The parts of one Ingress."""

    ingress: Ingress
    age: Age
    policies: Policies = Policies()

    hosts: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """Its rules by host in lower case; the host is empty for rules without one."""

    default: Rule | None = None
    """The default backend, for requests to these hosts that match no path."""

    tls: tuple[TLSEntry, ...] = ()

    tls_hosts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The indexes of the entries of `tls` for each host."""

    backends: Mapping[UpstreamKey, str] = field(default_factory=dict)
    """The Service ports that it names, each with the field that names it first."""

    problems: tuple[Problem, ...] = ()
    """The Problems that do not depend on other objects."""

    @property
    def name(self) -> ObjectName:
        return self.ingress.key

    @property
    def is_served(self) -> bool:
        """Whether requests can match it: it is not a canary, and not kept only as a guard."""
        return bool(self.hosts or self.default) and not self.ingress.only_guards

    @property
    def secrets(self) -> frozenset[ObjectName]:
        return frozenset(entry.secret for entry in self.tls if entry.secret is not None)

    @property
    def backend_secrets(self) -> tuple[ObjectName, ...]:
        """The Secret for TLS towards endpoints, if any."""
        secret = self.policies.backend.secret
        return () if secret is None else (secret,)

    def problem(self, field_path: str, message: str, value: str = "") -> Problem:
        return ingress_problem(self.ingress, field_path, message, value)


def ingress_problem(ingress: Ingress, field_path: str, message: str, value: str = "") -> Problem:
    """
    :param field_path: the field in kubectl's notation.
    :param value: the value as written; it is shortened here.
    """
    metadata = ingress.metadata
    return Problem(
        message=message,
        kind="Ingress",
        namespace=metadata.namespace,
        name=metadata.name,
        field=field_path,
        value=quoted(value) if value else "",
        origin=ingress.origin,
    )


def ingress_parts(ingress: Ingress, config: Config, secrets: SecretLookup) -> Steps[IngressParts]:
    """
    Read the parts of `ingress`, which is one of ours.

    Faulty parts are left out, with a Problem; the rest is served. A host stays known
    even if all of its rules are faulty, so that its requests do not fall through to an
    open wildcard.
    """
    return (yield from _Reader(ingress, config, secrets).read())


class _Reader:
    """One Ingress while it is read; faults are collected."""

    def __init__(self, ingress: Ingress, config: Config, secrets: SecretLookup) -> None:
        self._ingress = ingress
        self._config = config
        self._secrets = secrets
        self._namespace = ingress.metadata.namespace
        self._problems: list[Problem] = []
        self._backends: dict[UpstreamKey, str] = {}
        self._has_pattern = False

    def read(self) -> Steps[IngressParts]:
        age = age_of(self._ingress.metadata)
        annotations = Annotations(self._ingress.metadata.annotations)
        if not annotations and not self._ingress.only_guards:
            policies = Policies(
                redirect=RedirectSettings(is_on=self._config.ssl_redirect),
                proxy=default_proxy_settings(self._config.limits),
            )
        elif annotations.boolean("canary", False):
            annotations.fault("canary", "not implemented; the Ingress is not served")
            self._take_faults(annotations)
            return IngressParts(self._ingress, age, problems=tuple(self._problems))
        elif self._ingress.only_guards:
            return (yield from self._guard(age, annotations))
        else:
            policies = self._policies(annotations)
        default = self._default()
        hosts = yield from self._hosts(has_default=default is not None)
        if policies.refusal is Refusal.PATHS and self._has_pattern:
            policies = self._close_hosts(policies)
        tls = yield from self._tls(hosts)
        return IngressParts(
            ingress=self._ingress,
            age=age,
            policies=policies,
            hosts=hosts,
            default=default,
            tls=tls,
            tls_hosts=_entries_by_host(tls),
            backends=self._backends,
            problems=tuple(self._problems),
        )

    def _guard(self, age: Age, annotations: Annotations) -> Steps[IngressParts]:
        """Return the closed parts of a faulty Ingress: no other Ingress may serve them."""
        refusal = read_refusal(annotations, self._config.snippets)
        if refusal is Refusal.NONE:
            return IngressParts(self._ingress, age)
        default = self._default()
        hosts = yield from self._hosts(has_default=default is not None)
        rules = self._ingress.spec.rules
        if self._has_pattern or any(rule.http is None for rule in rules):
            refusal = Refusal.HOSTS
        closed = "its paths answer" if refusal is Refusal.PATHS else "all paths of its hosts answer"
        message = f"its annotations decide access, but the object has a fault; {closed} 503"
        return IngressParts(
            ingress=self._ingress,
            age=age,
            policies=Policies(refusal=refusal),
            hosts=hosts,
            default=default,
            problems=(ingress_problem(self._ingress, "metadata.annotations", message),),
        )

    def _problem(self, field_path: str, message: str, value: str = "") -> None:
        self._problems.append(ingress_problem(self._ingress, field_path, message, value))

    # Annotations.

    def _policies(self, annotations: Annotations) -> Policies:
        config = self._config
        policies = Policies(
            refusal=read_refusal(annotations, config.snippets),
            redirect=read_redirect_settings(annotations, config.ssl_redirect),
            affinity=read_cookie_affinity(annotations),
            load_balance=read_load_balance(annotations),
            proxy=read_proxy_settings(annotations, config.limits),
            backend=read_backend_settings(
                annotations, self._namespace, self._secrets.backend_secret_of
            ),
        )
        check_buffering(annotations, config.limits.head_size)
        annotations.fault_unread()
        self._take_faults(annotations)
        return policies

    def _take_faults(self, annotations: Annotations) -> None:
        for fault in annotations.faults:
            self._problem(f"metadata.annotations[{fault.name}]", fault.message, fault.value)

    def _close_hosts(self, policies: Policies) -> Policies:
        """
        Close all hosts, because a closed path is a regular expression. We do not match those,
        so a request that it would have guarded may match an open rule of the same host.
        """
        self._problem(
            "spec.rules",
            "a path looks like a regular expression, and the access rules of this Ingress cannot "
            "be honoured; all paths of its hosts answer 503",
        )
        return replace(policies, refusal=Refusal.HOSTS)

    # Rules.

    def _default(self) -> Rule | None:
        backend = self._ingress.spec.default_backend
        if backend is None:
            return None
        field_path = "spec.defaultBackend"
        return Rule(b"/", "Prefix", "/", self._upstream(backend, field_path), field_path)

    def _hosts(self, *, has_default: bool) -> Steps[dict[str, tuple[Rule, ...]]]:
        rules = self._ingress.spec.rules
        if not rules:
            return {"": ()} if has_default else {}
        hosts: dict[str, list[Rule]] = {}
        for index, rule in enumerate(rules):
            host_rules = hosts.setdefault(rule.host.lower(), [])
            paths = rule.http.paths if rule.http is not None else ()
            for path_index, path in enumerate(paths):
                parsed = self._rule(path, f"spec.rules[{index}].http.paths[{path_index}]")
                if parsed is not None:
                    host_rules.append(parsed)
                if path_index % STRIDE == STRIDE - 1:
                    yield
            if index % STRIDE == STRIDE - 1:
                yield
        return {host: tuple(host_rules) for host, host_rules in hosts.items()}

    def _rule(self, path: HTTPIngressPath, field_path: str) -> Rule | None:
        written = path.path or "/"
        if PATTERN_CHARACTERS.search(written) is not None:
            self._has_pattern = True
        try:
            canonical = canonical_rule_path(written)
        except RequestError as error:
            self._problem(f"{field_path}.path", f"{error} No request has such a path", written)
            return None
        if not canonical.startswith(b"/") or len(canonical) > MAX_PATH_LENGTH:
            accepted = f"a path begins with / and has at most {MAX_PATH_LENGTH} bytes"
            self._problem(f"{field_path}.path", accepted, written)
            return None
        upstream = self._upstream(path.backend, f"{field_path}.backend")
        return Rule(canonical, path.path_type, written, upstream, field_path)

    def _upstream(self, backend: IngressBackend, field_path: str) -> UpstreamKey | None:
        service = backend.service
        if service is None:
            self._problem(
                field_path, "only a Service can be a backend; requests for it are answered with 404"
            )
            return None
        key = UpstreamKey(self._namespace, service.name, str(service.port))
        self._backends.setdefault(key, f"{field_path}.service")
        return key

    # TLS.

    def _tls(self, hosts: Mapping[str, tuple[Rule, ...]]) -> Steps[tuple[TLSEntry, ...]]:
        entries: list[TLSEntry] = []
        for index, entry in enumerate(self._ingress.spec.tls):
            entries.append(self._tls_entry(entry, f"spec.tls[{index}]", hosts))
            if index % STRIDE == STRIDE - 1:
                yield
        return tuple(entries)

    def _tls_entry(
        self, entry: IngressTLS, field_path: str, hosts: Mapping[str, tuple[Rule, ...]]
    ) -> TLSEntry:
        secret = (self._namespace, entry.secret_name) if entry.secret_name else None
        if entry.hosts:
            named = tuple(dict.fromkeys(host.lower() for host in entry.hosts))
            return TLSEntry(named, secret, names_hosts=True)
        certificate = self._secrets.certificate_of(secret) if secret is not None else None
        covered: tuple[str, ...] = ()
        if certificate is not None:
            covered = tuple(host for host in hosts if host and covers(certificate, host))
        if not covered and (secret is None or certificate is not None):
            self._problem(
                field_path,
                "an entry without hosts is for the hosts of the rules that its certificate "
                "covers, and it covers none",
            )
        return TLSEntry(covered, secret, names_hosts=False)


def _entries_by_host(entries: tuple[TLSEntry, ...]) -> dict[str, tuple[int, ...]]:
    by_host: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        for host in entry.hosts:
            by_host.setdefault(host, []).append(index)
    return {host: tuple(indexes) for host, indexes in by_host.items()}
