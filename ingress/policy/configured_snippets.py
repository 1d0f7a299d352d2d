"""
Snippets of the operator: ``location-snippet`` and ``server-snippet`` of the ConfigMap.

They act on every rule, before the snippets of its own Ingress. `routing.build.configured_snippets`
has read them.

Source of the rules: docs/snippets.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.scope import ReadContext
from ingress.policy.snippet.program import Block
from ingress.policy.snippets import ConfigurationSnippet, ServerSnippet


@dataclass(frozen=True, slots=True)
class EveryLocationSnippet(ConfigurationSnippet):
    """``location-snippet``: what a ``configuration-snippet`` does, for all paths."""

    name: ClassVar[str] = "location-snippet"
    annotations: ClassVar[tuple[str, ...]] = ()
    differences: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> EveryLocationSnippet | None:
        """Feature: the ConfigMap alone decides."""
        block = context.config.nginx.snippets.location
        return cls(block) if isinstance(block, Block) else None


@dataclass(frozen=True, slots=True)
class EveryServerSnippet(ServerSnippet):
    """``server-snippet`` of the ConfigMap: what the annotation does, for all hosts."""

    name: ClassVar[str] = "every-server-snippet"
    annotations: ClassVar[tuple[str, ...]] = ()
    differences: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> EveryServerSnippet | None:
        """Feature: the ConfigMap alone decides."""
        block = context.config.nginx.snippets.server
        return cls(block) if isinstance(block, Block) else None

    @property
    def is_host_wide(self) -> bool:
        """Feature: each rule has it anyway."""
        return False
