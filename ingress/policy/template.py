"""
Text with ``$1`` to ``$9`` in it, which stand for the groups of a rule's path.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.frozen import dataclass
from ingress.policy.context import Captures

MAX_LENGTH: Final = 2000

_TEXT: Final = re.compile(rf"(?=.{{1,{MAX_LENGTH}}}\Z)(?:[A-Za-z0-9\-._~/:]|\$[1-9])+", re.DOTALL)
_GROUP: Final = re.compile(r"\$([1-9])")

ACCEPTED: Final = (
    f"letters, digits, $1 to $9 and - . _ ~ / : are accepted, {MAX_LENGTH:,} characters at most"
)
"""What a template may have, for people."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, split at its groups."""

    texts: tuple[bytes, ...]
    """The text before, between and behind the groups; one more than there are groups."""

    groups: tuple[int, ...]
    """The numbers of the groups, from 1."""

    @classmethod
    def read(cls, written: str) -> Template | None:
        """:return: None if the text is no template, as `ACCEPTED` says."""
        if _TEXT.fullmatch(written) is None:
            return None
        parts = _GROUP.split(written)
        texts = tuple(part.encode("ascii") for part in parts[::2])
        return cls(texts, tuple(map(int, parts[1::2])))

    @property
    def constant(self) -> bytes | None:
        """The text, if there is no group in it."""
        return None if self.groups else self.texts[0]

    def expand(self, captures: Captures) -> bytes:
        """:return: the text; a group that has no part in the match, or does not exist, is empty."""
        text = self.texts[0]
        for group, behind in zip(self.groups, self.texts[1:], strict=True):
            found = captures[group - 1] if group <= len(captures) else None
            text += behind if found is None else found + behind
        return text
