"""
Tests for `ingress.admin.texts`: which clients share a text, and what the slow ones cost.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.page import Content, LiveContent, Page, PageError, PageRequest, Query
from ingress.admin.shared_text import HELD, MOST_AHEAD, SharedText, Stream
from ingress.admin.texts import MOST_KEPT, Texts
from ingress.admin.turns import Turns
from tests.support.turn_clock import TurnClock

MEGABYTE = 1024 * 1024


class Client:
    """A client, as far as a `Stream` sees its request: reads all it gets unless it pauses."""

    path = b"/page"

    def __init__(self) -> None:
        self.size = 0
        self.begin = b""
        self.is_finished = False
        self.is_cut = False
        self.producer: Any = None
        self.gone: Deferred[None] = Deferred()
        self.transport = self
        self.answer: Deferred[None] = Deferred()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if len(self.begin) < 1000:
            self.begin += data[:1000]

    def registerProducer(self, producer: object, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def notifyFinish(self) -> Deferred[None]:
        return self.gone

    def finish(self) -> None:
        self.is_finished = True

    def abortConnection(self) -> None:
        self.is_cut = True


class TextsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurnClock()
        self.turns: Any = Turns(self.clock)
        self.texts = Texts(self.turns)
        self.pieces = [b"a", b"b", b"c"]
        self.answers = 0
        self.waiting: Deferred[None] | None = None
        self.page = Page(self.answer, frozenset({"x"}), forms=("application/json", "text/html"))

    async def answer(self, request: PageRequest) -> Content | LiveContent:
        self.answers += 1
        number = b"%d" % self.answers
        if self.waiting is not None:
            await self.waiting
        if "broken" in request.query:
            raise ZeroDivisionError
        if "refused" in request.query:
            raise PageError(404, "not here")
        return Content(b"text/plain", self.produce(number))

    def produce(self, number: bytes) -> Iterator[bytes]:
        yield number
        yield from self.pieces

    def ask(self, accept: bytes | None = None, *, gz: bool = False, **query: str) -> Client:
        client = Client()
        asked = PageRequest(Query({name: [value] for name, value in query.items()}), accept)
        client.answer = Deferred.fromCoroutine(
            self.texts.answer("page", self.page, asked, gz, partial(self.begin, client))
        )
        return client

    def begin(self, client: Client, content: object, text: SharedText | None) -> None:
        if text is not None:
            Stream(client, text, self.turns).start()

    def turn(self, count: int = 1) -> None:
        self.clock.pump([0] * count)

    def test_shared(self) -> None:
        """Those who ask while a text is being made share the next one, and none is older."""
        first = self.ask()
        others = [self.ask() for _ in range(200)]
        self.turn(500)
        self.assertEqual(self.answers, 2)
        self.assertEqual(first.begin, b"1abc")
        self.assertEqual({each.begin for each in others}, {b"2abc"})
        self.assertTrue(all(each.is_finished for each in (first, *others)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_first(self) -> None:
        """Those who come before the work begins share the first one as well."""
        self.turns.callLater(0, lambda: None)
        clients = [self.ask() for _ in range(3)]
        self.turn(20)
        self.assertEqual([each.begin for each in clients], [b"1abc"] * 3)

    def test_kinds(self) -> None:
        """Another form, query or coding is another text; what makes no difference is none."""
        self.turns.callLater(0, lambda: None)
        html = [self.ask(b"text/html,*/*;q=0.1"), self.ask(b"text/html")]
        json = [self.ask(None), self.ask(b"*/*")]
        query, zipped = self.ask(x="1"), self.ask(gz=True)
        self.turn(50)
        self.assertEqual(self.answers, 4)
        for pair in (html, json):
            self.assertEqual(pair[0].begin, pair[1].begin)
        self.assertEqual(query.begin[1:], b"abc")
        self.assertEqual(gzip.decompress(zipped.begin)[1:], b"abc")

    def test_left(self) -> None:
        """Nothing is made for clients that are gone, and others do not wait for it."""
        cancelled: list[object] = []
        self.waiting = Deferred(cancelled.append)
        one, two, three = self.ask(), self.ask(), self.ask()
        two.answer.cancel()
        self.failureResultOf(two.answer)
        self.assertEqual(cancelled, [])
        waiting, self.waiting = self.waiting, None
        one.answer.cancel()
        self.failureResultOf(one.answer)
        self.assertEqual(cancelled, [waiting])
        self.turn(20)
        self.assertEqual(three.begin, b"2abc")
        four = self.ask()
        self.turn(20)
        self.assertEqual(four.begin, b"3abc")

    def test_interrupted(self) -> None:
        """If others have cancelled what the page waits for, its clients are told so."""
        self.waiting = Deferred()
        one = self.ask()
        self.waiting.cancel()
        self.assertEqual(self.failureResultOf(one.answer, PageError).value.status, 503)

    def test_all_left(self) -> None:
        """If all who wait are gone, who comes then gets a text of his own time."""
        self.turns.callLater(0, lambda: None)
        one = self.ask()
        one.answer.cancel()
        self.failureResultOf(one.answer)
        two = self.ask()
        self.turn(20)
        self.assertEqual((self.answers, two.begin), (1, b"1abc"))

    def test_errors(self) -> None:
        """A page that refuses does so to all; of a fault the first one gets the details."""
        self.turns.callLater(0, lambda: None)
        refused = [self.ask(refused="1") for _ in range(2)]
        broken = [self.ask(broken="1") for _ in range(2)]
        self.turn(20)
        for each in refused:
            self.assertEqual(self.failureResultOf(each.answer, PageError).value.status, 404)
        self.failureResultOf(broken[0].answer, ZeroDivisionError)
        self.assertEqual(self.failureResultOf(broken[1].answer, PageError).value.status, 500)
        self.assertEqual(self.answers, 2)
        self.ask()
        self.turn(20)
        self.assertEqual(self.answers, 3)

    def test_broken_later(self) -> None:
        """A text that cannot be made to its end is cut for all, and logged once."""

        def produce(number: bytes) -> Iterator[bytes]:
            yield number
            raise ZeroDivisionError

        self.produce = produce  # type: ignore[method-assign]
        self.turns.callLater(0, lambda: None)
        clients = [self.ask() for _ in range(3)]
        self.turn(20)
        self.assertTrue(all(each.is_cut and not each.is_finished for each in clients))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_live(self) -> None:
        """What goes on until its client leaves is for one client."""

        async def answer(request: PageRequest) -> LiveContent:
            self.answers += 1
            return LiveContent(b"text/plain", cast(Any, None))

        self.page = Page(answer, is_live=lambda query: True)
        self.turns.callLater(0, lambda: None)
        clients = [self.ask() for _ in range(3)]
        self.turn(20)
        self.assertEqual(self.answers, 3)
        for each in clients:
            self.successResultOf(each.answer)

    def together(self) -> tuple[Client, Client]:
        """A client that reads, and one that does not, of one text."""
        self.turns.callLater(0, lambda: None)
        fast, slow = self.ask(), self.ask()
        self.turn(2)
        slow.producer.pauseProducing()
        return fast, slow

    def test_slow(self) -> None:
        """A slow client delays neither those who read the same text nor those who wait."""
        self.pieces = [b"x" * MEGABYTE] * 20
        fast, slow = self.together()
        self.turn(60)
        self.assertTrue(fast.is_finished)
        later = self.ask()
        self.turn(60)
        self.assertTrue(later.is_finished)
        self.assertFalse(slow.is_cut)
        slow.producer.resumeProducing()
        self.turn(60)
        self.assertEqual((slow.size, slow.is_finished), (fast.size, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_alone(self) -> None:
        """For a slow client alone next to nothing is made, even if others wait for the next."""
        self.pieces = [b"x" * MEGABYTE] * 50
        slow = self.ask()
        self.turn(2)
        slow.producer.pauseProducing()
        self.turn(20)
        (text,) = self.texts._kept
        self.assertLessEqual(text.kept, 2 * MEGABYTE)
        others = [self.ask(), self.ask()]
        self.turn(200)
        self.assertLessEqual(text.kept, MOST_AHEAD + MEGABYTE)
        self.assertTrue(all(each.is_finished for each in others))
        self.assertEqual(self.answers, 2)

    def test_held(self) -> None:
        """A text is kept for a time that does not depend on how its clients read."""
        self.pieces = [b"x" * 100_000] * 20
        fast, slow = self.together()
        self.turn(60)
        self.assertTrue(fast.is_finished)
        for _ in range(4):
            slow.producer.resumeProducing()
            self.turn(1)
            slow.producer.pauseProducing()
            self.clock.advance(HELD / 4)
        self.assertTrue(slow.is_cut)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bound(self) -> None:
        """If too much is kept, the slowest client of the oldest text is cut, and no other."""
        self.pieces = [b"x" * MEGABYTE] * (MOST_KEPT // MEGABYTE // 2)
        pairs = []
        for _ in range(4):
            pairs.append(self.together())
            self.turn(200)
        self.assertEqual([slow.is_cut for _, slow in pairs], [True, True, True, False])
        self.assertTrue(all(fast.is_finished for fast, _ in pairs))
        self.assertLessEqual(sum(text.kept for text in self.texts._kept), MOST_KEPT)

    def test_nobody(self) -> None:
        """A text that nobody reads is not made: HEAD wants its fields alone."""
        made: list[int] = []
        text = SharedText((made.append(1) or b"x" for _ in range(3)), self.turns, "/page")  # type: ignore[func-returns-value]
        text.start()
        self.turn(5)
        self.assertEqual(made, [])
