"""
Makes a program of a snippet. Whatever is not in the table of directives refuses the snippet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.linear_pattern import LinearPattern, PatternRefused
from ingress.policy.snippet.condition import read_condition
from ingress.policy.snippet.draft import Draft, IfDraft, LocationDraft
from ingress.policy.snippet.headers import (
    read_add_header,
    read_expires,
    read_hidden,
    read_more_clear,
    read_more_set,
)
from ingress.policy.snippet.input_headers import (
    read_more_clear_input,
    read_more_set_input,
    read_proxy_header,
)
from ingress.policy.snippet.program import Block, Level, Match
from ingress.policy.snippet.settings import read_access, read_setting
from ingress.policy.snippet.steps import read_break, read_return, read_rewrite, read_set
from ingress.policy.snippet.tokens import Directive, SnippetRefused, read_tokens
from ingress.policy.variables import VariableUnknown

_NO_EFFECT: Final = """
    chunked_transfer_encoding client_body_buffer_size client_body_timeout error_log
    large_client_header_buffers log_not_found lingering_close lingering_timeout max_ranges
    output_buffers port_in_redirect proxy_buffer_size proxy_buffering proxy_buffers
    proxy_busy_buffers_size proxy_force_ranges proxy_http_version proxy_ignore_client_abort
    proxy_max_temp_file_size proxy_request_buffering proxy_socket_keepalive
    proxy_temp_file_write_size proxy_headers_hash_bucket_size proxy_headers_hash_max_size
    rewrite_log send_timeout sendfile server_name_in_redirect server_tokens tcp_nodelay
    tcp_nopush types_hash_max_size uninitialized_variable_warn
"""
NO_EFFECT: Final = frozenset(_NO_EFFECT.split())
"""Directives that change nothing here: they tune buffers and logs that this proxy does not have."""


Read = Callable[[Draft, Directive], None]

_EVERYWHERE: Final = ("server", "location", "if")
_NOT_IN_IF: Final = ("server", "location")

_DIRECTIVES: Final[dict[str, tuple[Read, tuple[str, ...]]]] = {
    "set": (read_set, _EVERYWHERE),
    "break": (read_break, _EVERYWHERE),
    "return": (read_return, _EVERYWHERE),
    "rewrite": (read_rewrite, _EVERYWHERE),
    "add_header": (read_add_header, _EVERYWHERE),
    "more_set_headers": (read_more_set, _EVERYWHERE),
    "more_clear_headers": (read_more_clear, _EVERYWHERE),
    "more_set_input_headers": (read_more_set_input, _EVERYWHERE),
    "more_clear_input_headers": (read_more_clear_input, _EVERYWHERE),
    "expires": (read_expires, _EVERYWHERE),
    "proxy_set_header": (read_proxy_header, _NOT_IN_IF),
    "proxy_hide_header": (read_hidden, _NOT_IN_IF),
    "allow": (read_access, _NOT_IN_IF),
    "deny": (read_access, _NOT_IN_IF),
    "proxy_connect_timeout": (read_setting, _NOT_IN_IF),
    "proxy_send_timeout": (read_setting, _NOT_IN_IF),
    "proxy_read_timeout": (read_setting, _NOT_IN_IF),
    "client_max_body_size": (read_setting, _NOT_IN_IF),
    "access_log": (read_setting, _EVERYWHERE),
}


def read_snippet(text: str, place: str) -> Block:
    """
    :param text: a snippet.
    :param place: ``location`` for a ``configuration-snippet``, else ``server``.
    :raises SnippetRefused: with the directive and its line, if any of it cannot be carried out.
    """
    tree = read_tokens(text)
    draft = Draft(place, frozenset(_declared(tree)))
    _read_block(tree, draft)
    return draft.finish(Level())


def _declared(tree: tuple[Directive, ...]) -> list[str]:
    found = []
    for directive in tree:
        if directive.name == "set" and directive.arguments:
            found.append(directive.texts[0].removeprefix("$").lower())
        found += _declared(directive.block or ())
    return found


def _read_block(tree: tuple[Directive, ...], draft: Draft) -> None:
    for directive in tree:
        try:
            _read_one(draft, directive)
        except (VariableUnknown, PatternRefused) as error:
            raise SnippetRefused(f"{directive.name}: {error}", directive.line) from None


def _read_one(draft: Draft, directive: Directive) -> None:
    name = directive.name
    if name == "if":
        _read_if(draft, directive)
    elif name == "location":
        _read_location(draft, directive)
    elif directive.block is not None:
        raise SnippetRefused(f"{name} {{ … }} is not supported in a snippet", directive.line)
    elif name in NO_EFFECT:
        return
    elif name in _DIRECTIVES:
        read, places = _DIRECTIVES[name]
        if draft.place not in places:
            raise SnippetRefused(f"{name} is not allowed in {draft.place}", directive.line)
        read(draft, directive)
    else:
        raise SnippetRefused(f"{name} is not supported in a snippet", directive.line)


def _read_if(draft: Draft, directive: Directive) -> None:
    if directive.block is None or draft.place == "if":
        what = "is not allowed in another if" if draft.place == "if" else "has no block"
        raise SnippetRefused(f"if {what}", directive.line)
    inner = Draft("if", draft.declared)
    _read_block(directive.block, inner)
    draft.steps.append(IfDraft(read_condition(directive, draft.text), inner))


_MODIFIERS: Final = {
    "=": Match.EXACT,
    "^~": Match.PREFERRED_PREFIX,
    "~": Match.PATTERN,
    "~*": Match.PATTERN,
}


def _read_location(draft: Draft, directive: Directive) -> None:
    if draft.place != "server" or directive.block is None:
        where = "a server-snippet outside of other blocks"
        raise SnippetRefused(f"location is supported in {where} only", directive.line)
    texts = directive.texts
    if len(texts) not in (1, 2) or (len(texts) == 2 and texts[0] not in _MODIFIERS):
        raise SnippetRefused("location has a modifier (= ^~ ~ ~*) and a path", directive.line)
    match = _MODIFIERS[texts[0]] if len(texts) == 2 else Match.PREFIX
    path = texts[-1]
    pattern = None
    if match is Match.PATTERN:
        pattern = LinearPattern.of(path, ignores_case=texts[0] == "~*")
    elif not path.startswith("/"):
        raise SnippetRefused("the path of a location begins with /", directive.line)
    inner = Draft("location", draft.declared)
    _read_block(directive.block, inner)
    draft.locations.append(LocationDraft(match, path.encode(), pattern, inner))
