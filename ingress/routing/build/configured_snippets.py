"""
Reads the snippets in ingress-nginx's ConfigMap, as those of annotations are read.

A snippet that cannot be carried out closes every path if it decides about access, as far as its
words tell; else it is left out, and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from ingress.config_map.reading import CLOSED, KeyFault, ReadData, Values
from ingress.policy.snippet.program import Block, Settings
from ingress.policy.snippet.reader import read_snippet
from ingress.policy.snippet.tokens import SnippetRefused, read_tokens

PLACES: Final = {"location-snippet": "location", "server-snippet": "server"}
"""The places of the snippets that are carried out, by their keys."""

_OF_ALL: Final = "http-snippet"
_OF_HTTP: Final = re.compile(
    r"allow|deny|satisfy|limit_(?:req|conn)|auth_\w+|ssl_verify_client|access_by_\w+|modsecurity"
)
"""Directives of http that may keep clients out of every host."""

_ACCESS: Final = re.compile(
    r"(?:^|[\s;{}])(?:allow|deny|return|if|satisfy|internal|valid_referers|limit_(?:req|conn|except)"
    r"|auth_\w+|secure_link\w*|ssl_verify\w*|(?:access|rewrite|server_rewrite)_by_\w+|rewrite"
    r"|proxy_pass|modsecurity\w*)\b"
)
"""The directives by which a snippet may keep clients out, or send them elsewhere."""


def with_snippets(read: ReadData, last: Values, data: Mapping[str, str]) -> ReadData:
    """
    :param last: the values of before: a snippet that turns bad keeps the last good one.
    :param data: of the ConfigMap.
    :return: the same with programs in place of the text of snippets.
    """
    if _keeps_out(data.get(_OF_ALL, "")):
        told = [fault for fault in read.faults if fault.key != _OF_ALL]
        fault = KeyFault(_OF_ALL, "", f"it is not interpreted, and decides about access; {CLOSED}")
        closed_by = (*read.closed_by, _OF_ALL)
        read = replace(read, faults=(*told, fault), closed_by=closed_by)
    if not any(key in read.values for key in PLACES):
        return read
    values = dict(read.values)
    faults: list[KeyFault] = []
    closed: list[str] = []
    for key in PLACES:
        text = values.get(key)
        if isinstance(text, str):
            del values[key]
            faults += _read_one(key, text, values, last, closed)
    return replace(
        read,
        values=values,
        faults=(*read.faults, *faults),
        closed_by=(*read.closed_by, *closed),
    )


def _keeps_out(text: str) -> bool:
    """
    Whether directives of an ``http-snippet`` keep clients out of all hosts. Blocks in it, such as a
    ``server`` that redirects, are for nobody whom this proxy serves.
    """
    try:
        names = {directive.name for directive in read_tokens(text)}
    except SnippetRefused:
        # Whether they stand in a block, nobody can tell.
        names = set(re.findall(r"(?m)^\s*(\w+)\s", text))
    return any(_OF_HTTP.fullmatch(name) for name in names)


def _read_one(
    key: str, text: str, values: dict[str, object], last: Values, closed: list[str]
) -> Iterator[KeyFault]:
    try:
        block = read_snippet(text, PLACES[key])
    except SnippetRefused as error:
        before = last.get(key)
        if isinstance(before, Block):
            values[key] = before
            yield KeyFault(key, "", f"{error}; the last good value still applies")
        elif _ACCESS.search(text):
            closed.append(key)
            yield KeyFault(key, "", f"{error}; {CLOSED}")
        else:
            yield KeyFault(key, "", f"{error}; nothing of it is carried out")
        return
    values[key] = block
    if block.settings != Settings():
        yield KeyFault(
            key,
            "",
            "times, sizes and access_log in it have no effect; the ConfigMap has keys for them",
        )
