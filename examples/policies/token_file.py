"""
A token check against a file, which is read again while the proxy serves.

The file is read in a thread: a slow disk must not keep all other requests waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from twisted.internet.threads import deferToThreadPool

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Proceed, Verdict
from ingress.policy.options import OptionRefused
from ingress.policy.policy import Policy

UNAUTHORIZED = Answer(
    401,
    Outcome.ACCESS_REFUSED,
    "A valid token is required.",
    fields=((b"WWW-Authenticate", b"Bearer"),),
)

PASS = Proceed(request_edits=FieldEdits(remove=frozenset({b"authorization"})))
"""The endpoint does not get the token."""


class Tokens:
    """The content of the file, as far as it is known: live state of one rule."""

    def __init__(self) -> None:
        self.digests: frozenset[bytes] | None = None
        self.fresh_until = 0.0


@dataclass(frozen=True)
class TokenFile(Policy):
    """Lets requests pass that have one of the tokens of a file, one a line."""

    file: Path
    refresh: float = 1.0
    """Seconds after which the file is read again."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant while the configuration is read."""
        if self.refresh <= 0:
            raise OptionRefused("refresh", "a number of seconds above 0")
        if not self.file.is_file():
            raise OptionRefused("file", "a file with one token a line")

    async def access(self, context: PolicyContext) -> Verdict:
        """Policy: a file that cannot be read is an error, and the path is closed."""
        tokens = context.state("tokens", Tokens)
        if tokens.digests is None or context.now() >= tokens.fresh_until:
            await self._read(tokens, context)
        scheme, _, token = (context.request.field(b"authorization") or b"").partition(b" ")
        is_known = tokens.digests is not None and _digest(token) in tokens.digests
        return PASS if scheme.lower() == b"bearer" and is_known else UNAUTHORIZED

    async def _read(self, tokens: Tokens, context: PolicyContext) -> None:
        # Requests that come meanwhile go by what was known before.
        tokens.fresh_until = context.now() + self.refresh
        pool = context.reactor.getThreadPool()
        try:
            tokens.digests = await deferToThreadPool(context.reactor, pool, read_tokens, self.file)
        except BaseException:
            tokens.digests = None
            raise

    def explain(self) -> str:
        """Feature."""
        return f"Requests need a token of {self.file}."


def read_tokens(file: Path) -> frozenset[bytes]:
    """:return: digests, so that the time of a look-up tells nothing about a token."""
    lines = (line.strip() for line in file.read_bytes().splitlines())
    return frozenset(_digest(line) for line in lines if line)


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
