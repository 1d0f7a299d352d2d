"""
Which clients share a text: those who ask for the same before its making has begun.

So no text is older than the request that it answers. Whoever asks while one is being made gets the
next one, together with all others who do: however many clients ask, texts of a kind are made one
after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final, NamedTuple

from twisted.internet.defer import CancelledError, Deferred

from ingress.admin.negotiation import choose_type
from ingress.admin.page import Content, LiveContent, Page, PageError, PageRequest
from ingress.admin.shared_text import SharedText
from ingress.admin.streaming import compressed
from ingress.admin.turns import Turns

MOST_KEPT: Final = 64 * 1024 * 1024
"""Bytes that all texts together keep for clients that have not taken them."""

FAILED: Final = "internal error; the log has the details"
"""What clients are told of a fault of ours."""

Begin = Callable[[Content | LiveContent, SharedText | None], None]
"""
Begins an answer, for which it may join the text; there is none for what goes on until its client
leaves.
"""


class _Kind(NamedTuple):
    """What texts have in common that are the same at the same moment."""

    page: Page
    name: str
    query: Hashable
    form: str
    is_compressed: bool


class _Batch:
    """
    Clients that get the same text.

    :param request: the first of theirs, which are alike.
    """

    def __init__(self, request: PageRequest) -> None:
        self.request = request
        self.waiting: dict[Deferred[None], Begin] = {}
        self.making: Deferred[None] | None = None
        self.text: SharedText | None = None

    def __repr__(self) -> str:
        return f"<_Batch of {len(self.waiting)}, {self.text}>"

    def take(self) -> tuple[Deferred[None], Begin]:
        """Remove the first one."""
        waiter = next(iter(self.waiting))
        return waiter, self.waiting.pop(waiter)


class Texts:
    """
    The texts of all pages.

    :param turns: those of long work.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns: Any = turns
        self._made: dict[_Kind, _Batch] = {}
        """Those that are being made."""

        self._next: dict[_Kind, _Batch] = {}
        """Those whose making has not begun."""

        self._kept: list[SharedText] = []
        """Those that somebody reads, the oldest first."""

    def __repr__(self) -> str:
        return f"<Texts: {len(self._made)} being made, {len(self._next)} to be made>"

    async def answer(
        self, name: str, page: Page, request: PageRequest, is_compressed: bool, begin: Begin
    ) -> None:
        """
        Begin the answer to a request, as soon as there is one.

        :param name: that of the page.
        :param is_compressed: whether the text is to be compressed with gzip.
        :raises PageError: if the page cannot answer.
        """
        form = choose_type(request.accept, page.forms) if page.forms else ""
        kind = _Kind(page, name, request.query.key, form, is_compressed)
        is_shared = not page.is_live(request.query)
        batch = self._next.get(kind) if is_shared else None
        if batch is None:
            batch = _Batch(request)
        waiter: Deferred[None] = Deferred(partial(self._left, kind, batch))
        batch.waiting[waiter] = begin
        if is_shared:
            self._next[kind] = batch
            self._go_on(kind)
        else:
            self._begin(kind, batch)
        await waiter

    def _go_on(self, kind: _Kind) -> None:
        """Make the next text of a kind as soon as the last one is made."""
        made, batch = self._made.get(kind), self._next.get(kind)
        if batch is None:
            return
        if made is None:
            self._made[kind] = batch
            self._begin(kind, batch)
        elif made.text is not None:
            made.text.hurry()

    def _begin(self, kind: _Kind, batch: _Batch) -> None:
        making = Deferred.fromCoroutine(self._make(kind, batch))
        if not making.called:
            batch.making = making

    def _left(self, kind: _Kind, batch: _Batch, waiter: Deferred[None]) -> None:
        """A client is gone before it had an answer. What nobody waits for is not made."""
        batch.waiting.pop(waiter, None)
        if not batch.waiting:
            self._close(kind, batch)
            if batch.making is not None:
                batch.making.cancel()

    async def _make(self, kind: _Kind, batch: _Batch) -> None:
        try:
            # Of requests that come together each one waits, so that they share the text.
            await self._turns.wait()
            self._close(kind, batch)
            content = await kind.page.answer(batch.request)
        except CancelledError:
            # Nobody waits any more, unless what the page waited for was cancelled by others.
            self._refuse(batch, PageError(503, "interrupted; ask again"))
            self._rested(kind, batch)
        except Exception as error:
            self._refuse(batch, error)
            self._rested(kind, batch)
        else:
            self._give(kind, batch, content)

    def _close(self, kind: _Kind, batch: _Batch) -> None:
        """From now on whoever asks gets the next text."""
        if self._next.get(kind) is batch:
            del self._next[kind]

    def _refuse(self, batch: _Batch, error: Exception) -> None:
        """The first one gets the error itself, so that it is logged once."""
        while batch.waiting:
            waiter, _ = batch.take()
            waiter.errback(error)
            if not isinstance(error, PageError):
                error = PageError(500, FAILED)

    def _give(self, kind: _Kind, batch: _Batch, content: Content | LiveContent) -> None:
        batch.making = None
        if isinstance(content, LiveContent):
            self._deliver(batch, content, None)
            return
        text = batch.text = SharedText(
            compressed(content.pieces) if kind.is_compressed else content.pieces,
            self._turns,
            f"/{kind.name}",
            grown=self._bound,
            rested=partial(self._rested, kind, batch),
        )
        self._kept.append(text)
        self._deliver(batch, content, text)
        text.start()
        self._go_on(kind)

    def _deliver(
        self, batch: _Batch, content: Content | LiveContent, text: SharedText | None
    ) -> None:
        while batch.waiting:
            waiter, begin = batch.take()
            try:
                begin(content, text)
            except Exception as error:
                waiter.errback(error)
            else:
                waiter.callback(None)

    def _rested(self, kind: _Kind, batch: _Batch) -> None:
        """The text is made, as far as it goes on by itself."""
        if self._made.get(kind) is batch:
            del self._made[kind]
            self._go_on(kind)

    def _bound(self) -> None:
        """Cut clients that read so slowly that too much is kept for them."""
        self._kept = [text for text in self._kept if text.is_read]
        while sum(text.kept for text in self._kept) > MOST_KEPT:
            next(text for text in self._kept if text.kept).cut_slowest()
