"""
Reads a kubeconfig: the cluster, and our credentials there.

Only one file is read; several files (``KUBECONFIG=a:b``) are not merged as kubectl does. Only the
entries of the chosen context are checked; unknown keys are ignored, as kubectl does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ingress.config.root import read_root
from ingress.config.section import Mistakes, Section
from ingress.config.value import boolean, namespace
from ingress.config_file import ConfigError
from ingress.kube.api import kubeconfig_value as accept
from ingress.kube.api.credential_files import Material
from ingress.kube.api.kubeconfig_user import User, is_shown_to_all, read_user
from ingress.kube.api.kubeconfig_value import optional
from ingress.kube.api.server import Server
from ingress.problem import quoted

DEFAULT_NAMESPACE = "default"

_NEEDED = "clusters, users and contexts are needed"
_NAMED = "a list of mappings, each with a name"
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


@dataclass(frozen=True, slots=True)
class APIAccess:
    """An API server and our credentials there."""

    server: Server
    user: User
    namespace: str = DEFAULT_NAMESPACE
    """Our own."""

    ca_file: Path | None = None
    """The file of `Server.ca_pem`, if it may be replaced."""


def load_kubeconfig(path: Path, context: str | None = None) -> APIAccess:
    """
    Read the cluster and the user of a context.

    :param path: as the user wrote it, and as mistakes show it.
    :param context: its name; None for the current one.
    :raises ConfigError: with every mistake of the file.
    """
    mistakes = Mistakes(str(path))
    access = None
    root = read_root(path, mistakes, _NEEDED)
    if root is not None:
        access = _read_context(root, path.absolute().parent, context)
    found = mistakes.in_order()
    if found:
        raise ConfigError(found)
    assert access is not None, "without a mistake there is a result"
    return access


def _read_context(root: Section, folder: Path, wanted: str | None) -> APIAccess | None:
    current = root.take("current-context", optional(accept.text), None)
    name = wanted or current
    if not name:
        root.miss("current-context", "missing: the name of a context; or source.kubernetes.context")
        return None
    context = _named(root, "contexts", "context", name)
    if context is None:
        return None
    own = context.take("namespace", optional(namespace), None)
    cluster = _referenced(root, context, "cluster", "clusters")
    user = _referenced(root, context, "user", "users")
    if cluster is None:
        if not context.has("cluster") or context.is_null("cluster"):
            context.miss("cluster", "missing: the name of one of clusters")
        return None
    server, ca_file = _read_cluster(cluster, folder)
    # Without a user we are anonymous, which is enough for `kubectl proxy`.
    found = Material() if user is None else read_user(user, folder, _exec_config(cluster))
    if not server.is_tls and not server.is_local and is_shown_to_all(found):
        cluster.refuse("server", "https: over http, everyone on the way could read the credentials")
    return APIAccess(server, found, own or DEFAULT_NAMESPACE, ca_file)


def _referenced(root: Section, context: Section, key: str, among: str) -> Section | None:
    """The cluster or the user of a context."""
    name = context.take(key, optional(accept.text), None)
    return _named(root, among, key, name) if name else None


def _named(root: Section, key: str, inner: str, name: str) -> Section | None:
    """
    The first entry of a list with this name, as kubectl takes it.

    :param inner: the key of the entry's content.
    """
    entries = root.sections(key, _NAMED)
    if entries is None:
        return None
    known = [entry.take("name", accept.text, "") for entry in entries]
    for entry, found in zip(entries, known, strict=True):
        if found == name:
            return entry.section(inner, is_secret=True)
    there_are = ", ".join(quoted(each) for each in known if each) or "none"
    root.miss(key, f"no {inner} is named {quoted(name)}; known names: {there_are}")
    return None


def _read_cluster(section: Section, folder: Path) -> tuple[Server, Path | None]:
    """:return: the server, and the file of its CA."""
    server = section.take("server", accept.server, None)
    if server is None:
        if not section.has("server"):
            section.miss("server", "missing: the URL of the API server")
        server = Server("invalid", 443)
    if section.take("proxy-url", optional(accept.text), None):
        section.refuse("proxy-url", "nothing: a proxy to the API server is not supported")
    unverified = section.take("insecure-skip-tls-verify", boolean, False)
    ca_pem, ca_file = _read_ca(section, folder)
    if unverified and ca_pem is not None:
        section.refuse(
            "insecure-skip-tls-verify", "no certificate-authority beside it; give one of the two"
        )
    name = section.take("tls-server-name", optional(accept.server_name), None)
    server = replace(server, ca_pem=ca_pem, is_verified=not unverified, server_name=name or "")
    return server, ca_file


def _exec_config(cluster: Section) -> object:
    """The cluster's extension for exec plugins."""
    for extension in cluster.sections("extensions", _NAMED) or ():
        if extension.take("name", accept.text, "") == _EXEC_EXTENSION:
            return extension.take_secret("extension", lambda value: value, None)
    return None


def _read_ca(section: Section, folder: Path) -> tuple[bytes | None, Path | None]:
    """Read the CA. As in kubectl, data win over a file."""
    accept_data, accept_file = accept.certificate_data, accept.certificate_file(folder)
    data = section.take_secret("certificate-authority-data", optional(accept_data), None)
    if data is not None:
        return data, None
    file = section.take("certificate-authority", optional(accept_file), None)
    return (None, None) if file is None else (file.content, file.path)
