"""
Snippets of nginx's configuration, where the configuration says to interpret them.

Source of the rules: docs/snippets.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, replace
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Response
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.feature import RouteFeature
from ingress.policy.policy import Policy
from ingress.policy.scope import HostScope, ReadContext, RuleScope
from ingress.policy.snippet.edits import request_edits, response_edits
from ingress.policy.snippet.program import (
    Block,
    If,
    Location,
    Match,
    Return,
    Rewrite,
    Settings,
    Step,
)
from ingress.policy.snippet.reader import read_snippet
from ingress.policy.snippet.run import Next, SnippetRun
from ingress.policy.snippet.table import EncodedNames, RuleNames
from ingress.policy.snippet.tokens import SnippetRefused
from ingress.policy.variables import TextPart

_NO_NAMES: Final = RuleNames().encoded()
_TYPE: Final = b"content-type"
_NOTHING_HERE: Final = Answer(404, Outcome.NO_ROUTE, "A location of a snippet has nothing here.")
_OTHER_ACCESS: Final = Answer(
    400,
    Outcome.BAD_REQUEST,
    "The path can be read as another one that a snippet treats in another way.",
)


def read_block(
    annotations: Annotations, name: str, place: str, context: ReadContext
) -> Block | None:
    """
    Read a snippet as the configuration says: interpret, refuse or ignore it.

    :return: None if there is none, or if it is not carried out.
    """
    text = annotations.text(name)
    if name not in annotations:
        return None
    setting = context.config.snippets
    if context.config.nginx.annotations.allow_snippets:
        setting = "interpret"
    if setting == "ignore":
        annotations.fault(
            name,
            "snippets are not interpreted; the configuration says to ignore them",
            is_shown=False,
        )
        return None
    if setting == "refuse":
        annotations.close(name, "snippets are not interpreted (see `snippets`)")
        return None
    try:
        return read_snippet(text, place)
    except SnippetRefused as error:
        annotations.close(name, str(error))
        return None


def snippet_settings(annotations: Annotations, context: ReadContext) -> Settings:
    """:return: what a ``configuration-snippet`` says once for all requests."""
    block = read_block(annotations, ConfigurationSnippet.name, "location", context)
    return Settings() if block is None else block.settings


@dataclass(frozen=True, slots=True)
class _Snippet(Policy):
    """What both kinds have in common."""

    block: Block = field(repr=False)
    rule: EncodedNames = _NO_NAMES

    @property
    def guards(self) -> bool:
        """Feature: it may refuse requests."""
        return _refuses(self.block)

    def _run(self, context: PolicyContext, path: bytes) -> SnippetRun:
        """Carry it out, for each phase anew: it depends on nothing but the request."""
        raise NotImplementedError

    def _decided(self, context: PolicyContext, path: bytes) -> SnippetRun:
        run = self._run(context, path)
        if run.answer is None:
            run.refuse_address()
        return run

    def _treats_otherwise(self, context: PolicyContext, reading: bytes, run: SnippetRun) -> bool:
        """Whether it would not do with another reading of the path what it has done with it."""
        other = self._decided(context, reading)
        return other.answer is not None or other.next is not run.next

    def access(self, context: PolicyContext) -> Decision:
        """Policy: an answer, another path, or changes to the request."""
        run = self._decided(context, context.request.path)
        if run.answer is not None:
            return run.answer
        if any(self._treats_otherwise(context, reading, run) for reading in context.readings):
            return _OTHER_ACCESS
        target = None if run.next is Next.GO_ON else run.target
        edits = request_edits(run)
        if target is None and not edits:
            return None
        return Proceed(edits, target=target, finds_rule_again=run.next is Next.SEARCH)

    def response(self, context: PolicyContext, response: Response) -> Decision:
        """Policy."""
        names = [key for key, _, _ in response.fields]
        media_type = next((value for key, _, value in response.fields if key == _TYPE), b"")
        return self._edit(context, response.status, media_type, names, is_own=False)

    def error(self, context: PolicyContext, answer: Answer) -> Decision:
        """Policy."""
        fields = [(name.lower(), value) for name, value in answer.fields]
        media_type = answer.page[0] if answer.page is not None else b""
        names = [name for name, _ in fields]
        return self._edit(context, answer.status, media_type, names, is_own=True)

    def _edit(
        self,
        context: PolicyContext,
        status: int,
        media_type: bytes,
        names: list[bytes],
        *,
        is_own: bool,
    ) -> Decision:
        run = self._run(context, context.request.path)
        if not run.level.edits_responses:
            return None
        edits = response_edits(run, status, media_type, names, is_own=is_own)
        return Proceed(response_edits=edits) if edits else None


_OF_PLACE: Final = frozenset(
    {
        *("", "scheme", "https", "host", "http_host", "best_http_host", "server_name"),
        *("server_port", "pass_access_scheme", "request_method", "server_protocol"),
        *("uri", "document_uri", "request_uri", "escaped_request_uri", "args", "query_string"),
        *("namespace", "ingress_name", "service_name", "service_port"),
    }
)
"""Variables that say where a request goes, and nothing of who sends it."""

_FIELDS_OF_PLACE: Final = re.compile(rb"x[-_](?:forwarded[-_](?:proto|scheme|host|port)|scheme)")
"""The same of a member of ``$http_NAME``."""


def _refuses(block: Block) -> bool:
    """Whether some requests do not get what others do."""
    return (
        any(_ends(step) for step in block.steps)
        or any(level.access for level in block.levels)
        or any(_refuses(location.block) for location in block.locations)
    )


def _ends(step: Step) -> bool:
    """
    Whether a step refuses requests, or redirects those of some clients, as to a page to sign in.
    """
    if not isinstance(step, If):
        return isinstance(step, Return) and step.status >= 400
    if not all(map(_is_of_place, step.condition.variable.parts)):
        return any(isinstance(each, Return | Rewrite) for each in step.steps)
    return any(map(_ends, step.steps))


def _is_of_place(part: TextPart) -> bool:
    if part.variable == "http_":
        return _FIELDS_OF_PLACE.fullmatch(part.text) is not None
    return part.variable in _OF_PLACE


@dataclass(frozen=True, slots=True)
class ConfigurationSnippet(_Snippet):
    """``configuration-snippet``: directives for the paths of one Ingress."""

    name: ClassVar[str] = "configuration-snippet"
    annotations: ClassVar[tuple[str, ...]] = ("configuration-snippet",)
    differences: ClassVar[Mapping[str, str]] = {
        "configuration-snippet": "with `snippets: interpret`, the directives of "
        "[the page on snippets](docs/snippets.md); a snippet with any other one closes the paths "
        "with 503, as every snippet does without it",
    }

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ConfigurationSnippet | None:
        """Feature."""
        block = read_block(annotations, cls.name, "location", context)
        return None if block is None else cls(block)

    def at(self, rule: RuleScope) -> ConfigurationSnippet:
        """Feature."""
        return replace(self, rule=_names(rule))

    def _run(self, context: PolicyContext, path: bytes) -> SnippetRun:
        run = SnippetRun(context, self.rule, path)
        run.carry_out(self.block)
        return run

    def explain(self) -> str:
        """Feature."""
        return f"A snippet with {_count(self.block)} is carried out."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"configurationSnippet": _count(self.block)}


@dataclass(frozen=True, slots=True)
class ServerSnippet(_Snippet):
    """``server-snippet``: directives for all paths that a namespace has on a host."""

    name: ClassVar[str] = "server-snippet"
    annotations: ClassVar[tuple[str, ...]] = ("server-snippet",)
    differences: ClassVar[Mapping[str, str]] = {
        "server-snippet": "as `configuration-snippet`, for the paths that the Ingresses of its "
        "namespace have on the host, and no others",
    }

    path: bytes = b"/"
    """That of the rule."""

    is_exact: bool = False
    is_pattern: bool = False
    """Whether the path is a regular expression."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ServerSnippet | None:
        """Feature: times and sizes are those of each location, here as in ingress-nginx."""
        block = read_block(annotations, cls.name, "server", context)
        if block is None:
            return None
        if block.settings != Settings():
            annotations.fault(
                cls.name,
                "times, sizes and access_log in it have no effect: as in ingress-nginx, those of "
                "each path take precedence",
                is_shown=False,
            )
        return cls(block)

    @property
    def is_host_wide(self) -> bool:
        """Feature."""
        return True

    def loss_on(self, scope: HostScope) -> str:
        """Feature: it never reaches another namespace, which needs no Problem."""
        return ""

    def is_met_by(self, older: RouteFeature) -> bool:
        """Feature: whom another snippet keeps out, nobody can tell."""
        return not self.guards

    def at(self, rule: RuleScope) -> ServerSnippet:
        """Feature."""
        path = rule.path.encode("utf-8", "surrogatepass")
        return replace(
            self,
            rule=_names(rule),
            path=path,
            is_exact=rule.path_type == "Exact" and not rule.is_pattern,
            is_pattern=rule.is_pattern,
        )

    def _run(self, context: PolicyContext, path: bytes) -> SnippetRun:
        run = SnippetRun(context, self.rule, path)
        run.carry_out(self.block)
        if run.answer is None and run.next is not Next.SEARCH:
            location = self._location(run.path)
            if location is not None:
                run.carry_out(location.block)
                if run.answer is None and run.next is Next.GO_ON:
                    run.refuse_address()
                    run.answer = run.answer or _NOTHING_HERE
        return run

    def _location(self, path: bytes) -> Location | None:
        """
        Find the location that nginx would choose in the place of the rule's own: exact ones first;
        else the longest prefix, unless it gives way to the first expression that matches.

        The length of a rule that is an expression says nothing. Every prefix goes before it, even
        those that nginx would not choose: a location can close what is open, and opens nothing.
        """
        matching = [each for each in self.block.locations if each.matches(path)]
        exact = next((each for each in matching if each.match is Match.EXACT), None)
        if exact is not None:
            return exact
        if self.is_exact and path == self.path:
            return None
        prefixes = [each for each in matching if each.match is not Match.PATTERN]
        longest = max(prefixes, key=lambda each: len(each.path), default=None)
        if longest is not None and not self.is_pattern and len(longest.path) < len(self.path):
            longest = None
        if longest is not None and longest.match is Match.PREFERRED_PREFIX:
            return longest
        pattern = next((each for each in matching if each.match is Match.PATTERN), None)
        return pattern or longest

    def explain(self) -> str:
        """Feature."""
        return f"A snippet of the host with {_count(self.block)} is carried out."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"serverSnippet": _count(self.block)}


def _names(rule: RuleScope) -> EncodedNames:
    _, service, port, *_ = rule.upstream or ("", "", "")
    return RuleNames(rule.namespace, rule.ingress, service, port).encoded()


def _count(block: Block) -> str:
    steps = len(block.steps)
    headers = sum(
        len(each)
        for level in block.levels
        for each in (
            level.add_headers,
            level.more_headers,
            level.input_headers,
            level.proxy_headers,
        )
    )
    return f"{steps} steps, {headers} directives about fields, {len(block.locations)} locations"
