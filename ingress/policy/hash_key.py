"""
The hash key of a request: text with variables of nginx from a fixed table.

``$NAME`` and ``${NAME}`` stand for a value; all other text stands for itself. The
values are the same as in nginx, and never become part of anything that is
interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingress.errors import IngressError
from ingress.message import Request

_VARIABLE: Final = re.compile(r"\$(?:(?P<plain>[A-Za-z0-9_]+)|\{(?P<braced>[A-Za-z0-9_]+)\})?")

_VALUES: dict[str, Callable[[Request, bytes], bytes]] = {
    "request_uri": lambda request, address: request.target,
    "uri": lambda request, address: request.path,
    "document_uri": lambda request, address: request.path,
    "args": lambda request, address: _query(request),
    "query_string": lambda request, address: _query(request),
    "request_method": lambda request, address: request.method,
    "host": lambda request, address: request.host,
    "remote_addr": lambda request, address: address,
    "binary_remote_addr": lambda request, address: address,
    "the_real_ip": lambda request, address: address,
}

_NAMED_VALUES: dict[str, Callable[[Request, bytes], bytes]] = {
    "http_": lambda request, name: _field(request, name.replace(b"_", b"-")),
    "arg_": lambda request, name: _argument(request, name),
    "cookie_": lambda request, name: _cookie(request, name),
}
"""By the prefix of the variable; the rest of it is a name in lower case."""


class VariableUnknown(IngressError):
    """A variable is not in the table; the message names it and the accepted ones."""


class KeyPart(NamedTuple):
    """A piece of a key: text, a variable, or one of a family of variables."""

    variable: str
    """A key of one of the tables; empty for text."""

    text: bytes = b""
    """The text itself, or the name that belongs to the variable."""


@dataclass(frozen=True, slots=True)
class HashKey:
    """The parsed value of ``upstream-hash-by``."""

    written: str
    parts: tuple[KeyPart, ...]

    def of(self, request: Request, client_address: bytes) -> bytes:
        """
        :param client_address: the client's address, as far as it is believed; empty if
            unknown.
        :return: the key; empty if the request has a value for none of its variables, so
            that such requests do not all go to one endpoint.
        """
        key, has_value, has_variable = [], False, False
        for variable, text in self.parts:
            if not variable:
                key.append(text)
                continue
            has_variable = True
            if variable in _VALUES:
                value = _VALUES[variable](request, client_address)
            else:
                value = _NAMED_VALUES[variable](request, text)
            has_value = has_value or bool(value)
            key.append(value)
        return b"".join(key) if has_value or not has_variable else b""


def parse_hash_key(written: str) -> HashKey:
    """
    :raises VariableUnknown: for the first variable that the tables do not have.
    """
    return HashKey(written, tuple(_parts(written)))


def _parts(written: str) -> Iterator[KeyPart]:
    end = 0
    for match in _VARIABLE.finditer(written):
        if match.start() > end:
            yield KeyPart("", _octets(written[end : match.start()]))
        end = match.end()
        yield _variable((match["plain"] or match["braced"] or "").lower())
    if end < len(written):
        yield KeyPart("", _octets(written[end:]))


def _octets(text: str) -> bytes:
    """Encode text that may hold halves of surrogate pairs, as YAML and JSON allow."""
    return text.encode("utf-8", "surrogatepass")


def _variable(name: str) -> KeyPart:
    """:param name: in lower case, which is how nginx reads names."""
    if name in _VALUES:
        return KeyPart(name)
    for prefix in _NAMED_VALUES:
        if name.startswith(prefix) and name != prefix:
            return KeyPart(prefix, name.removeprefix(prefix).encode())
    accepted = [f"${known}" for known in _VALUES]
    accepted += [f"${prefix}NAME" for prefix in _NAMED_VALUES]
    raise VariableUnknown(f"there is no variable ${name}; there are {' '.join(accepted)}")


def _query(request: Request) -> bytes:
    return request.target.partition(b"?")[2]


def _field(request: Request, name: bytes) -> bytes:
    if name == b"host":
        return request.authority
    return b", ".join(value for key, _, value in request.fields if key == name)


def _argument(request: Request, name: bytes) -> bytes:
    """Find the first argument of this name, as written; names are case-insensitive."""
    for argument in _query(request).split(b"&"):
        key, _, value = argument.partition(b"=")
        if key.lower() == name:
            return value
    return b""


def _cookie(request: Request, name: bytes) -> bytes:
    """Find the first cookie of this name; names are case-insensitive, as in nginx."""
    for key, _, field in request.fields:
        if key != b"cookie":
            continue
        for pair in field.split(b";"):
            cookie, _, value = pair.strip(b" \t").partition(b"=")
            if cookie.lower() == name:
                return value
    return b""
