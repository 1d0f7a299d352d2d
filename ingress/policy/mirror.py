"""
Copies of requests for another server: ``mirror-target``, ``mirror-request-body`` and
``mirror-host``.

Source of the rules: docs/compatibility.md, sections 2.6 and 6, "mirror" and "Variables".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import ClassVar, Final

from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.feature import Setting
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.server_url import ServerURL, URLRefused, parse_server_url
from ingress.policy.variables import (
    REQUEST_VARIABLES,
    RequestSource,
    VariableText,
    VariableUnknown,
)
from ingress.problem_code import Code

_TARGET: Final = "mirror-target"
_BODY: Final = "mirror-request-body"
_HOST: Final = "mirror-host"

_HOST_FIELD: Final = re.compile(
    rb"[A-Za-z0-9._\-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?"
)
_WRITTEN_HOST: Final = re.compile(r"(?:[A-Za-z0-9._:\-\[\]]|\$\{?[A-Za-z0-9_]+\}?){1,512}")

_NO_COPY: Final = "no copy of a request is sent"


@dataclass(frozen=True, slots=True)
class Mirror(Setting):
    """The server that gets a copy of each request that is let in; its answers are dropped."""

    route_field: ClassVar[str] = "mirror"
    annotations: ClassVar[tuple[str, ...]] = (_TARGET, _BODY, _HOST)
    differences: ClassVar[Mapping[str, str]] = {
        _TARGET: "a copy never holds a request up: it is dropped if its server is slow; it has the "
        "fields that endpoints get; without a path it has that of the request",
    }

    url: ServerURL = field(repr=False)
    has_body: bool = True
    host: VariableText | None = None
    """The Host field; None for the host of the URL."""

    tls: BackendTLS | None = None
    """None in the clear."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> Mirror | None:
        """Feature."""
        written = annotations.text(_TARGET)
        has_body = annotations.choice(_BODY, ("on", "off")) == "on"
        host = _read_host(annotations)
        if not written:
            for name in (_BODY, _HOST):
                if annotations.text(name):
                    annotations.fault(
                        name,
                        f"has no effect without {_TARGET}",
                        code=Code.ANNOTATION_WITHOUT_EFFECT,
                    )
            return None
        try:
            url = parse_server_url(written, context.namespace)
        except (URLRefused, VariableUnknown) as error:
            annotations.fault(_TARGET, f"{error}; {_NO_COPY}", is_shown=False)
            return None
        is_verified = context.config.mirror_verify
        if url.is_secure and url.host and not is_verified:
            annotations.fault(
                _TARGET,
                "the certificate of the server is not verified, as in ingress-nginx; "
                "`mirror-verify` of the configuration has it verified",
                is_shown=False,
            )
        return cls(url, has_body, host, url.tls(is_verified=is_verified))

    @property
    def upstreams(self) -> Iterable[tuple[str, UpstreamKey]]:
        """Feature."""
        return () if self.url.upstream is None else ((_TARGET, self.url.upstream),)

    def at(self, rule: RuleScope) -> Mirror:
        """Feature: some variables are known for each rule."""
        host = self.host.at(rule) if self.host is not None else None
        return replace(self, url=self.url.at(rule), host=host)

    def target_for(self, source: RequestSource) -> bytes:
        """:return: the target of the copy; that of the request if the URL has no path."""
        if not self.url.target.written:
            return source.request.target
        return self.url.target_for(source)

    def authority_for(self, source: RequestSource) -> bytes:
        """
        :return: the Host field of the copy; that of the request if the URL names no host.
        """
        if self.host is not None:
            value = REQUEST_VARIABLES.expand(self.host, source)
            if _HOST_FIELD.fullmatch(value):
                return value
        return self.url.authority or source.request.authority

    def explain(self) -> str:
        """Feature."""
        what = "each request that is let in" if self.has_body else "the head of each request"
        sentence = f"A copy of {what} goes to {self._place}, and its answer is dropped."
        if self.tls is not None and not self.tls.is_verified:
            sentence += " The certificate of that server is not verified (`mirror-verify`)."
        return sentence

    @property
    def _place(self) -> str:
        scheme = "https" if self.url.is_secure else "http"
        # The query may have a key of the server in it.
        path, mark, _ = self.url.target.written.partition("?")
        return f"{scheme}://{self.url.host or '(the same host)'}{path}{mark and '?…'}"

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {
            "mirror": {
                "target": self._place,
                "body": self.has_body,
                "host": self.host.written if self.host is not None else None,
                "verified": self.tls.is_verified if self.tls is not None else None,
            }
        }


def _read_host(annotations: Annotations) -> VariableText | None:
    written = annotations.text(
        _HOST, _WRITTEN_HOST, "a host, with a port or without, and variables in it"
    )
    if not written:
        return None
    try:
        return REQUEST_VARIABLES.compile(written)
    except VariableUnknown as error:
        annotations.fault(_HOST, f"{error}; the Host of the copy is that of {_TARGET}")
        return None
