"""
Reads a user of a kubeconfig: our credentials.
"""

from __future__ import annotations

from pathlib import Path

from ingress.config.section import NotAccepted, Section
from ingress.config.value import boolean, one_of
from ingress.kube.api import kubeconfig_value as accept
from ingress.kube.api.credential_files import Material, make_identity
from ingress.kube.api.credentials import ClientCertificate, NoCredentials
from ingress.kube.api.exec_plugin import API_VERSIONS, ExecPlugin, resolve_command
from ingress.kube.api.kubeconfig_value import optional
from ingress.kube.api.server import Server
from ingress.kube.api.tls import ClientTLS, UnusableTLS

User = Material | ExecPlugin

_REFUSED = {
    "auth-provider": "an exec plugin: kubectl has removed auth providers",
    **dict.fromkeys(
        ("as", "as-uid", "as-groups", "as-user-extra"),
        "nothing: impersonation is not supported",
    ),
}


def read_user(section: Section, folder: Path, cluster_config: object) -> User:
    """
    :param folder: of the kubeconfig.
    :param cluster_config: the cluster's extension for exec plugins.
    """
    for key, message in _REFUSED.items():
        if section.has(key) and not section.is_null(key):
            section.miss(key, message)
    material = _read_material(section, folder)
    if not section.has("exec") or section.is_null("exec"):
        return material
    if material != Material():
        section.miss("exec", "no other credentials beside it; give one of the two")
    return _read_exec(section.section("exec", is_secret=True), folder, cluster_config)


def is_shown_to_all(user: User) -> bool:
    """Whether a request without TLS would reveal credentials."""
    return isinstance(user, ExecPlugin) or user.token is not None or user.login is not None


def _read_material(section: Section, folder: Path) -> Material:
    file = section.take("tokenFile", optional(accept.file(folder)), None)
    token = section.take_secret("token", optional(accept.text), None)
    login = _read_login(section)
    if login is not None and (file is not None or token):
        section.miss("username", "no token beside it; give one of the two")
    chain, chain_pem = _part(section, folder, "client-certificate")
    key, key_pem = _part(section, folder, "client-key")
    if chain_pem is not None and key_pem is not None:
        _check_certificate(section, ClientCertificate(chain_pem, key_pem))
    elif chain_pem is not None:
        section.miss("client-key", "missing: the key of the client-certificate")
    elif key_pem is not None:
        section.miss("client-certificate", "missing: the certificate of the client-key")
    # As in kubectl, tokenFile wins over token.
    material = Material(
        file.path if file is not None else (token.encode() if token else None), login, chain, key
    )
    _check_token(section, material, {} if file is None else {file.path: file.content})
    return material


def _check_token(section: Section, material: Material, contents: dict[Path, bytes]) -> None:
    try:
        make_identity(Material(token=material.token), contents)
    except NoCredentials as error:
        section.miss("tokenFile" if contents else "token", f"a token; {error}")


def _check_certificate(section: Section, certificate: ClientCertificate) -> None:
    try:
        ClientTLS(Server("unverified", 443, is_verified=False), certificate)
    except UnusableTLS as error:
        section.miss("client-certificate", f"a certificate as PEM, and its key; {error}")


def _read_login(section: Section) -> tuple[str, str] | None:
    name = section.take_secret("username", optional(accept.text), None)
    password = section.take_secret("password", optional(accept.text), None)
    return (name, password or "") if name else None


def _part(section: Section, folder: Path, key: str) -> tuple[Path | bytes | None, bytes | None]:
    """
    Read a certificate or a key. As in kubectl, data win over a file.

    :return: the path or the data, and the content of now.
    """
    data = section.take_secret(f"{key}-data", optional(accept.data), None)
    if data is not None:
        return data, data
    file = section.take(key, optional(accept.file(folder)), None)
    return (None, None) if file is None else (file.path, file.content)


def _read_exec(section: Section, folder: Path, cluster_config: object) -> ExecPlugin:
    command = section.take("command", _command, "")
    if not section.has("command"):
        section.miss("command", "missing: the program to run")
    version = section.take("apiVersion", one_of(*API_VERSIONS), API_VERSIONS[0])
    if not section.has("apiVersion"):
        section.miss("apiVersion", f"missing: {' or '.join(API_VERSIONS)}")
    section.take("interactiveMode", optional(_interactive_mode), None)
    args = section.take_secret("args", optional(_arguments), None)
    return ExecPlugin(
        command=resolve_command(command, folder),
        args=args or (),
        env=_read_env(section),
        api_version=version,
        install_hint=section.take("installHint", optional(accept.text), None) or "",
        wants_cluster=bool(section.take("provideClusterInfo", optional(boolean), None)),
        cluster_config=cluster_config,
    )


def _read_env(section: Section) -> tuple[tuple[str, str], ...]:
    variables = []
    for item in section.sections("env", "a list of name and value") or ():
        name = item.take("name", _variable, "")
        if not item.has("name"):
            item.miss("name", "missing: the name of a variable")
        variables.append((name, item.take_secret("value", accept.text, "")))
    return tuple(variables)


def _command(value: object) -> str:
    command = accept.text(value)
    if not command:
        raise NotAccepted("the program to run")
    return command


def _variable(value: object) -> str:
    name = accept.text(value)
    if not name or "=" in name:
        raise NotAccepted("the name of a variable")
    return name


def _arguments(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise NotAccepted("a list of arguments")
    return tuple(accept.text(item) for item in value)


def _interactive_mode(value: object) -> str:
    if value == "Always":
        raise NotAccepted("Never or IfAvailable: nobody can answer a prompt")
    return one_of("Never", "IfAvailable")(value)
