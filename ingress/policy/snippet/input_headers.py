"""
The directives about fields of requests.
"""

from __future__ import annotations

from ingress.policy.snippet.draft import Draft
from ingress.policy.snippet.headers import field_name
from ingress.policy.snippet.program import InputHeader
from ingress.policy.snippet.tokens import Directive, SnippetRefused


def read_more_set_input(draft: Draft, directive: Directive) -> None:
    """``more_set_input_headers [-r] 'Name: value' …``."""
    words = list(directive.texts)
    only_replaces = words[:1] == ["-r"]
    words = words[1:] if only_replaces else words
    if not words or any(word.startswith("-") for word in words):
        raise SnippetRefused(f"{directive.name} has 'Name: value', and -r", directive.line)
    for word in words:
        name, colon, value = word.partition(":")
        if not colon:
            raise SnippetRefused(f"{directive.name} has 'Name: value'", directive.line)
        draft.input_headers.append(
            InputHeader(
                field_name(directive, name.strip()), draft.text(value.strip()), only_replaces
            )
        )


def read_more_clear_input(draft: Draft, directive: Directive) -> None:
    """``more_clear_input_headers 'Name' …``."""
    if not directive.arguments or any(text[:1] in "-" or "*" in text for text in directive.texts):
        raise SnippetRefused(f"{directive.name} has names of fields", directive.line)
    for text in directive.texts:
        name = field_name(directive, text.rstrip(":"))
        draft.input_headers.append(InputHeader(name, None))


def read_proxy_header(draft: Draft, directive: Directive) -> None:
    """``proxy_set_header name value``; an empty value removes the field."""
    if len(directive.arguments) != 2:
        raise SnippetRefused("proxy_set_header has a name and a value", directive.line)
    name, value = directive.texts
    if name.lower() in ("connection", "upgrade"):
        # Written for WebSockets, which pass through without it.
        return
    draft.proxy_headers.append(InputHeader(field_name(directive, name), draft.text(value)))
