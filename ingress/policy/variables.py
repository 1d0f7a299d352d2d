"""
Text with variables of nginx from a fixed table: ``$NAME`` and ``${NAME}`` stand for values of a
request, all other text stands for itself.

A text is compiled once, while a Snapshot is built. Values are inserted as they are and never read
again: a value that looks like a variable is none. Who puts the result somewhere decides how it is
encoded there.

Source of the rules: docs/compatibility.md, section 6, "Variables".
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from ingress.believed_client import BelievedClient
from ingress.errors import IngressError
from ingress.field_edits import EXPLAIN
from ingress.frozen import dataclass
from ingress.message import Request, argument_of
from ingress.policy.scope import RuleScope

_VARIABLE: Final = re.compile(r"\$(?:(?P<plain>[A-Za-z0-9_]+)|\{(?P<braced>[A-Za-z0-9_]+)\})?")

_PORT: Final = b"X-Forwarded-Port: "


class VariableUnknown(IngressError):
    """A variable is not in the table; the message names it and the accepted ones."""


class RequestSource(Protocol):
    """Where the values of `REQUEST_VARIABLES` come from; a `PolicyContext` is one."""

    @property
    def request(self) -> Request:
        """The request of the client."""

    @property
    def client(self) -> BelievedClient:
        """The client, as far as it is believed."""

    @property
    def request_id(self) -> bytes:
        """The id of the request (X-Request-ID)."""


class TextPart(NamedTuple):
    """A piece of a text: text itself, a variable, or one of a family of variables."""

    variable: str
    """The name of the variable, or the prefix of its family; empty for text."""

    text: bytes = b""
    """The text itself, or the rest of the name of a member of a family."""


@dataclass(frozen=True, slots=True)
class VariableText:
    """A compiled text. It is pickled for workers."""

    written: str
    """As its author wrote it, for people."""

    parts: tuple[TextPart, ...]

    @property
    def constant(self) -> bytes | None:
        """The whole text, if there is no variable in it."""
        if any(part.variable for part in self.parts):
            return None
        return b"".join(part.text for part in self.parts)

    def at(self, rule: RuleScope) -> VariableText:
        """:return: the same with the values of `RULE_VARIABLES` in place of these variables."""
        if not any(part.variable in RULE_VARIABLES for part in self.parts):
            return self
        parts = (
            TextPart("", _octets(_rule_value(part.variable, rule)))
            if part.variable in RULE_VARIABLES
            else part
            for part in self.parts
        )
        return VariableText(self.written, tuple(parts))


RULE_VARIABLES: Final = ("namespace", "ingress_name", "service_name", "service_port")
"""The variables whose values a rule has; `VariableText.at` inserts them."""


def _rule_value(variable: str, rule: RuleScope) -> str:
    if variable == "namespace":
        return rule.namespace
    if variable == "ingress_name":
        return rule.ingress
    if rule.upstream is None:
        return ""
    return rule.upstream.service if variable == "service_name" else rule.upstream.port


Source = TypeVar("Source")
Other = TypeVar("Other")

_NO_PARTS: Final[Mapping[str, TextPart]] = MappingProxyType({})


class VariableTable(Generic[Source]):
    """
    The variables that a text may have.

    :param values: gives the value of each variable, by its name in lower case.
    :param families: gives the value of a member of a family (``$http_NAME``), by the prefix of
        the family; it gets the rest of the name in lower case.
    :param rule_variables: those of `RULE_VARIABLES` that are accepted.
    """

    def __init__(
        self,
        values: Mapping[str, Callable[[Source], bytes]],
        families: Mapping[str, Callable[[Source, bytes], bytes]],
        rule_variables: Collection[str] = RULE_VARIABLES,
    ) -> None:
        self._values = values
        self._families = families
        self._rule_variables = rule_variables

    def __repr__(self) -> str:
        return f"<VariableTable {self.accepted}>"

    @property
    def accepted(self) -> str:
        """The variables, for people."""
        names = [*self._values, *self._rule_variables]
        return " ".join(
            [f"${name}" for name in names] + [f"${prefix}NAME" for prefix in self._families]
        )

    def extended(
        self,
        values: Mapping[str, Callable[[Other], bytes]],
        families: Mapping[str, Callable[[Other, bytes], bytes]],
    ) -> VariableTable[Other]:
        """
        :param values: further variables, and others in the place of those of these names.
        :param families: further families.
        :return: a table for a source that has more than that of this one.
        """
        # A source that has more is a source of this table, which no type variable can say.
        all_values: dict[str, Any] = {**self._values, **values}
        all_families: dict[str, Any] = {**self._families, **families}
        return VariableTable(all_values, all_families, self._rule_variables)

    def has(self, name: str) -> bool:
        """:return: whether there is a variable of this name in lower case."""
        return (
            name in self._values
            or name in self._rule_variables
            or any(name.startswith(prefix) and name != prefix for prefix in self._families)
        )

    def compile(self, written: str, more: Mapping[str, TextPart] = _NO_PARTS) -> VariableText:
        """
        :param more: the pieces for further variables, by their names in lower case.
        :raises VariableUnknown: for the first variable that is neither there nor in the table.
        """
        return VariableText(written, tuple(self._parts(written, more)))

    def expand(self, text: VariableText, source: Source) -> bytes:
        """
        :param text: compiled by this table, and adapted to a rule (`VariableText.at`).
        :return: the text with the values; a variable that has none is empty.
        """
        return b"".join(self.value(part, source) for part in text.parts)

    def value(self, part: TextPart, source: Source) -> bytes:
        """:return: the value of a piece of a text."""
        variable, text = part
        if not variable:
            return text
        plain = self._values.get(variable)
        if plain is not None:
            return plain(source)
        family = self._families.get(variable)
        return family(source, text) if family is not None else b""

    def _parts(self, written: str, more: Mapping[str, TextPart]) -> Iterator[TextPart]:
        end = 0
        for match in _VARIABLE.finditer(written):
            if match.start() > end:
                yield TextPart("", _octets(written[end : match.start()]))
            end = match.end()
            # nginx reads names in lower case.
            name = (match["plain"] or match["braced"] or "").lower()
            yield more[name] if name in more else self._variable(name)
        if end < len(written):
            yield TextPart("", _octets(written[end:]))

    def _variable(self, name: str) -> TextPart:
        if name in self._values or name in self._rule_variables:
            return TextPart(name)
        for prefix in self._families:
            if name.startswith(prefix) and name != prefix:
                return TextPart(prefix, name.removeprefix(prefix).encode())
        raise VariableUnknown(f"there is no variable ${name}; there are {self.accepted}")


def _octets(text: str) -> bytes:
    """Encode text that may hold halves of surrogate pairs, as YAML and JSON allow."""
    return text.encode("utf-8", "surrogatepass")


def escape_component(octets: bytes) -> bytes:
    """Escape all but unreserved characters, as a value within a query needs it."""
    return quote(octets, safe="").encode("ascii")


def _scheme(source: RequestSource) -> bytes:
    return b"https" if source.client.is_secure else b"http"


def _query(source: RequestSource) -> bytes:
    return source.request.query


def _server_port(source: RequestSource) -> bytes:
    """Find the public port, as endpoints get it."""
    return source.client.forwarded.partition(_PORT)[2].partition(b"\r")[0]


def _remote_user(source: RequestSource) -> bytes:
    """Read the name from the credentials of the request, whoever checks them."""
    scheme, _, credentials = (source.request.field(b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return b""
    try:
        name, colon, _ = b64decode(credentials.strip(), validate=True).partition(b":")
    except ValueError:
        return b""
    return name if colon else b""


def _field(source: RequestSource, name: bytes) -> bytes:
    """
    Find a field by its name with ``_`` for ``-``; several of one name are a list. The token for
    explanations is no author's business, who could send it to a server of his own.
    """
    name = name.replace(b"_", b"-")
    if name == EXPLAIN:
        return b""
    return source.request.listed(name) or b""


REQUEST_VARIABLES: Final[VariableTable[RequestSource]] = VariableTable(
    {
        "scheme": _scheme,
        "pass_access_scheme": _scheme,
        "host": lambda source: source.request.host,
        "http_host": lambda source: source.request.authority,
        "best_http_host": lambda source: source.client.authority,
        "request_uri": lambda source: source.request.target,
        "escaped_request_uri": lambda source: escape_component(source.request.target),
        "uri": lambda source: source.request.path,
        "document_uri": lambda source: source.request.path,
        "args": _query,
        "query_string": _query,
        "is_args": lambda source: b"?" if source.request.query else b"",
        "request_method": lambda source: source.request.method,
        "request_id": lambda source: source.request_id,
        "remote_addr": lambda source: source.client.address,
        "binary_remote_addr": lambda source: source.client.address,
        "the_real_ip": lambda source: source.client.address,
        "remote_user": _remote_user,
        "server_port": _server_port,
    },
    {
        "http_": _field,
        "arg_": lambda source, name: argument_of(source.request.query, name),
        "cookie_": lambda source, name: source.request.cookie(name),
    },
)
"""The variables of a request, as annotations may use them."""
