"""
Access to the API server from within a pod, by what the kubelet provides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ingress.config.section import Mistake, NotAccepted
from ingress.config_file import ConfigError
from ingress.kube.api import kubeconfig_value as accept
from ingress.kube.api.credential_files import Material, bearer
from ingress.kube.api.credentials import NoCredentials
from ingress.kube.api.fresh_files import UnreadableFile, read_file
from ingress.kube.api.kubeconfig import DEFAULT_NAMESPACE, APIAccess
from ingress.kube.api.server import Server, is_host_name, is_ip_address
from ingress.problem import quoted

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_HERE = "source.kubernetes"
"""The place that a mistake names if it is not in a file."""

_PORT = re.compile(r"[1-9][0-9]{0,4}")


def load_service_account(environment: Mapping[str, str], folder: Path = FOLDER) -> APIAccess:
    """
    Find the API server of the cluster that we run in, and our service account.

    :param environment: ours.
    :param folder: of the service account.
    :raises ConfigError: if we do not run in a cluster, with a line for each missing part.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise ConfigError(
            (
                Mistake(
                    _HERE,
                    "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are"
                    " not set; set source.kubernetes.kubeconfig to reach a cluster from outside",
                ),
            )
        )
    mistakes: list[Mistake] = []
    _check_address(host, port, mistakes)
    token, ca, namespace = (folder / name for name in ("token", "ca.crt", "namespace"))
    _check_token(token, mistakes)
    ca_pem = _read_ca(ca, mistakes)
    own = _read_namespace(namespace, mistakes)
    if mistakes:
        raise ConfigError(tuple(mistakes))
    server = Server(host.strip("[]"), int(port), ca_pem=ca_pem)
    return APIAccess(server, Material(token=token), own, ca)


def _check_address(host: str, port: str, mistakes: list[Mistake]) -> None:
    bare = host.strip("[]")
    if not is_ip_address(bare) and not is_host_name(bare):
        mistakes.append(
            Mistake(
                _HERE,
                "an IP address or a host name is needed",
                key="KUBERNETES_SERVICE_HOST",
                value=quoted(host),
            )
        )
    if not _PORT.fullmatch(port) or int(port) > 65535:
        mistakes.append(
            Mistake(
                _HERE,
                "a port from 1 to 65535 is needed",
                key="KUBERNETES_SERVICE_PORT",
                value=quoted(port),
            )
        )


def _check_token(file: Path, mistakes: list[Mistake]) -> None:
    try:
        bearer(read_file(file), str(file))
    except (UnreadableFile, NoCredentials) as error:
        mistakes.append(Mistake(_HERE, str(error)))


def _read_ca(file: Path, mistakes: list[Mistake]) -> bytes | None:
    try:
        return accept.certificates(read_file(file))
    except UnreadableFile as error:
        mistakes.append(Mistake(_HERE, str(error)))
    except NotAccepted as error:
        mistakes.append(Mistake(str(file), f"{error} is needed"))
    return None


def _read_namespace(file: Path, mistakes: list[Mistake]) -> str:
    """Read our namespace; a token that is mounted by hand may come without it."""
    if not file.exists():
        return DEFAULT_NAMESPACE
    try:
        return read_file(file).decode("utf-8", "replace").strip() or DEFAULT_NAMESPACE
    except UnreadableFile as error:
        mistakes.append(Mistake(_HERE, str(error)))
        return DEFAULT_NAMESPACE
