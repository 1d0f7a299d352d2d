"""
The surroundings of a rule while its policies are made: configuration, host and backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from ingress.config import Config
from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.secret_content import SecretOf, no_secret

BackendSecretOf = Callable[[tuple[str, str]], BackendSecret]
"""Finds the content of the Secret of this namespace and name."""

ConfigMapOf = Callable[[tuple[str, str]], Mapping[str, str] | None]
"""Finds the data of the ConfigMap of this namespace and name; None if it does not exist."""

OWN_NAMESPACE: Final = "only a Secret of the Ingress's own namespace is accepted"
"""The fault of the name of a Secret that `ReadContext.may_name` refuses."""

OWN_CONFIG_MAP: Final = "only a ConfigMap of the Ingress's own namespace is accepted"
"""The same for a ConfigMap."""


@dataclass(frozen=True, slots=True)
class ReadContext:
    """
    What may be looked at while the annotations of one object are read.

    A feature that is read without annotations may depend on `config` alone, because all objects
    without annotations share it.
    """

    config: Config
    """
    With the values of ingress-nginx's ConfigMap: what the configuration has no key for is in
    `Config.nginx`. Annotations take precedence.
    """

    namespace: str
    """The namespace of the object."""

    backend_secret_of: BackendSecretOf
    """
    Finds a Secret for TLS towards endpoints. Each Secret that `RouteFeature.references` names
    may be requested: the object is read again when it changes.
    """

    secret_of: SecretOf = no_secret
    """The same for every other use of a Secret."""

    config_map_of: ConfigMapOf = lambda name: None
    """Finds a ConfigMap that `RouteFeature.references` names; the same holds."""

    def may_name(self, namespace: str) -> bool:
        """Whether the object may name objects of a namespace."""
        is_own = namespace == self.namespace
        return is_own or self.config.nginx.annotations.allow_cross_namespace


class RuleScope(NamedTuple):
    """A rule, as a feature sees it that adapts to it (`RouteFeature.at`)."""

    namespace: str
    ingress: str
    host: str
    """In lower case; ``*.example.com`` for a wildcard, empty for hosts that no rule names."""

    path: str
    """The path as the Ingress has it; ``/`` for a default backend."""

    path_type: str

    upstream: UpstreamKey | None
    """The Service port that it leads to; None for a resource backend."""

    https_hosts: frozenset[bytes] | None = frozenset()
    """
    The hosts of this rule that its namespace wants to be served over https, wildcards as
    ``*.example.com``; None for all of them.
    """

    is_pattern: bool = False
    """Whether the path is a regular expression."""


class HostScope(NamedTuple):
    """A host that an object has rules for, as a host-wide feature sees it."""

    host: str
    namespace: str
    """The namespace of the object."""

    owner: tuple[str, str]
    """The namespace and name of the oldest object that has rules for this host."""
