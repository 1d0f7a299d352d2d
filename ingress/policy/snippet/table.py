"""
The variables of snippets: those of requests, captures, and those that ``set`` has made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, NamedTuple, Protocol

from ingress.believed_client import BelievedClient
from ingress.linear_pattern import Captures
from ingress.message import Request, argument_of
from ingress.policy.variables import REQUEST_VARIABLES, TextPart, VariableTable, VariableText


class RuleNames(NamedTuple):
    """The rule that a program belongs to, for its variables."""

    namespace: str = ""
    ingress: str = ""
    service: str = ""
    port: str = ""

    def encoded(self) -> EncodedNames:
        """:return: the same in bytes."""
        return EncodedNames(*(each.encode("utf-8", "replace") for each in self))


class EncodedNames(NamedTuple):
    """`RuleNames` in bytes."""

    namespace: bytes
    ingress: bytes
    service: bytes
    port: bytes


class RunValues(Protocol):
    """Where the values come from: a request in a program."""

    request: Request
    client: BelievedClient
    request_id: bytes
    rule: EncodedNames
    path: bytes
    query: bytes
    captures: Captures
    variables: dict[bytes, bytes]


_SET: Final = "set "
"""The family of variables that ``set`` makes; no name in a snippet begins with it."""


def _capture_of(number: int) -> Callable[[RunValues], bytes]:
    def value(run: RunValues) -> bytes:
        captures = run.captures
        return (captures[number - 1] or b"") if number <= len(captures) else b""

    return value


def _field_value(run: RunValues, name: bytes) -> bytes:
    return run.request.field(name) or b""


_TABLE: Final[VariableTable[RunValues]] = REQUEST_VARIABLES.extended(
    {
        "uri": lambda run: run.path,
        "document_uri": lambda run: run.path,
        "args": lambda run: run.query,
        "query_string": lambda run: run.query,
        "is_args": lambda run: b"?" if run.query else b"",
        "req_id": lambda run: run.request_id,
        "server_name": lambda run: run.request.host,
        "server_protocol": lambda run: run.request.protocol,
        "content_type": lambda run: _field_value(run, b"content-type"),
        "content_length": lambda run: _field_value(run, b"content-length"),
        "namespace": lambda run: run.rule.namespace,
        "ingress_name": lambda run: run.rule.ingress,
        "service_name": lambda run: run.rule.service,
        "service_port": lambda run: run.rule.port,
        "https": lambda run: b"on" if run.client.is_secure else b"",
        **{str(number): _capture_of(number) for number in range(1, 10)},
    },
    {
        "arg_": lambda run, name: argument_of(run.query, name),
        _SET: lambda run, name: run.variables.get(name, b""),
    },
)


def compile_text(written: str, declared: Collection[str]) -> VariableText:
    """
    :param written: an argument of a directive.
    :param declared: the variables that ``set`` makes somewhere in the snippet, in lower case.
    :raises VariableUnknown: for a variable that is neither of them nor of the table.
    """
    return _TABLE.compile(written, {name: TextPart(_SET, name.encode()) for name in declared})


def expand(text: VariableText, run: RunValues) -> bytes:
    """:return: the text with its values."""
    return _TABLE.expand(text, run)


def is_fixed(name: str) -> bool:
    """:return: whether the table has a variable of this name, which ``set`` cannot change."""
    return _TABLE.has(name)
