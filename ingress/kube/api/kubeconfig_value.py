"""
The values that a kubeconfig accepts, as `ingress.config.value` does for the configuration.

No message shows a value that may be a secret.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography import x509

from ingress.config.file_value import path as accept_path
from ingress.config.section import Accept, NotAccepted
from ingress.config.value import text as accept_text
from ingress.kube.api.fresh_files import UnreadableFile, read_file
from ingress.kube.api.server import Server, is_host_name, is_ip_address, parse_server_url

T = TypeVar("T")

text = accept_text(re.compile(r"[^\0]*"), "text")


def optional(accept: Accept[T]) -> Callable[[object], T | None]:
    """Accept what `accept` takes, and null as absent."""
    return lambda value: None if value is None else accept(value)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file and its content."""

    path: Path
    content: bytes = field(repr=False)


def server(value: object) -> Server:
    """Accept the URL of a server."""
    try:
        return parse_server_url(text(value))
    except ValueError:
        raise NotAccepted("a URL such as https://10.0.0.1:6443, optionally with a path") from None


def server_name(value: object) -> str:
    """Accept a name that a certificate can have."""
    name = text(value)
    if not is_ip_address(name) and not is_host_name(name):
        raise NotAccepted("a host name or an IP address")
    return name


def file(folder: Path) -> Accept[KnownFile]:
    """Accept a readable file; a relative path is relative to `folder`."""
    accept = accept_path(folder)

    def read(value: object) -> KnownFile:
        path = accept(value)
        try:
            return KnownFile(path, read_file(path))
        except UnreadableFile as error:
            raise NotAccepted(f"a file that can be read; {error}") from None

    return read


def certificate_file(folder: Path) -> Accept[KnownFile]:
    """Accept a readable file with certificates."""
    accept = file(folder)

    def read(value: object) -> KnownFile:
        found = accept(value)
        certificates(found.content)
        return found

    return read


def data(value: object) -> bytes:
    """Accept base64."""
    try:
        if isinstance(value, str) and value:
            return b64decode("".join(value.split()), validate=True)
    except ValueError:
        pass
    raise NotAccepted("the content of a file, in base64")


def certificate_data(value: object) -> bytes:
    """Accept certificates in base64."""
    return certificates(data(value))


def certificates(pem: bytes) -> bytes:
    """Accept certificates as PEM."""
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise NotAccepted("one certificate or more, as PEM") from None
    return pem
