"""
The directives that say something once for all requests: times, sizes, addresses, the log.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ingress.address_ranges import AddressRanges, parse_range
from ingress.byte_size import BYTE_SIZE, byte_size
from ingress.duration import parse_duration
from ingress.policy.snippet.draft import Draft
from ingress.policy.snippet.program import AccessRule
from ingress.policy.snippet.tokens import Directive, SnippetRefused

_TIMES: Final = {
    "proxy_connect_timeout": "connect_timeout",
    "proxy_send_timeout": "send_timeout",
    "proxy_read_timeout": "read_timeout",
}


def read_setting(draft: Draft, directive: Directive) -> None:
    """``proxy_…_timeout``, ``client_max_body_size``, ``access_log off``."""
    name, texts = directive.name, directive.texts
    if name == "access_log":
        if texts != ("off",):
            raise SnippetRefused("access_log: only off is supported", directive.line)
        draft.settings = replace(draft.settings, is_logged=False)
        return
    if len(texts) != 1:
        raise SnippetRefused(f"{name} has one value", directive.line)
    (written,) = texts
    if name == "client_max_body_size":
        if not BYTE_SIZE.fullmatch(written):
            raise SnippetRefused(f"{name}: a size such as 8k or 1m is accepted", directive.line)
        draft.settings = replace(draft.settings, body_size=byte_size(written))
        return
    seconds = parse_duration(written)
    if not seconds:
        raise SnippetRefused(f"{name}: a time such as 60 or 60s is accepted", directive.line)
    times: dict[str, Any] = {_TIMES[name]: seconds}
    draft.settings = replace(draft.settings, **times)


def read_access(draft: Draft, directive: Directive) -> None:
    """``allow address | CIDR | all``, and ``deny``."""
    if len(directive.arguments) != 1:
        raise SnippetRefused(f"{directive.name} has one address, range or all", directive.line)
    (written,) = directive.texts
    ranges = None
    if written != "all":
        try:
            ranges = AddressRanges.of([parse_range(written)])
        except ValueError as error:
            raise SnippetRefused(f"{directive.name}: {error}", directive.line) from None
    draft.access.append(AccessRule(directive.name == "allow", ranges))
