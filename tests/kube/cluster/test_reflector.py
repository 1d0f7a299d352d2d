"""
Tests for `ingress.kube.cluster.reflector`.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import AnswerTooLarge, APIUnreachable
from ingress.kube.cluster.backoff import FIRST_DELAY, MAX_DELAY
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.reflector import (
    LASTING,
    MAX_TIMEOUT,
    MIN_TIMEOUT,
    PAGE_SIZE,
    Access,
    Reflector,
)
from ingress.kube.cluster.resource import PAGE_LIMIT, SERVICES, Target
from ingress.kube.slices import Slices
from tests.kube.cluster.test_mirror import RecordingSink
from tests.support.hand_api import Asked, HandAPI, stored
from tests.support.manifest import Manifest, service_manifest
from tests.support.turn_clock import TurnClock


def service(name: str, version: int = 1) -> Manifest:
    return stored(service_manifest(name), version)


class ReflectorTestCase(SynchronousTestCase):
    target = Target(SERVICES)

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.api = HandAPI()
        self.sink = RecordingSink()
        self.slices = Slices(self.clock, lambda: None)
        access = Access(self.api, self.clock, Random(1), self.slices)
        self.contact = Contact(self.target, self.clock, lambda: None, access.liveness)
        mirror = Mirror(self.target.resource, self.sink, ProblemBook(self.clock))
        self.reflector = Reflector(access, mirror, self.contact)
        self.reflector.start()

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.pump([seconds, 0, 0, 0, 0, 0])

    def list(self, *items: Manifest, version: str = "1") -> Asked:
        """Answer the list; the watch that follows it."""
        self.api.only().page(items, version)
        self.turn()
        return self.api.only()

    def assert_waits(self) -> None:
        """Nothing is asked before some time has passed, but then something is."""
        self.turn()
        self.assertEqual(self.api.pending(), [])
        self.turn(FIRST_DELAY / 4)
        self.assertEqual(self.api.pending(), [])
        self.turn(MAX_DELAY)
        self.assertEqual(len(self.api.pending()), 1)


class ListTests(ReflectorTestCase):
    """The list at the beginning."""

    def test_query(self) -> None:
        """It is asked for in pages, as it is now."""
        asked = self.api.only()
        self.assertEqual(asked.path, "/api/v1/services")
        self.assertEqual(asked.query, {"limit": str(PAGE_LIMIT)})

    def test_pages(self) -> None:
        """It has synced when the last page has come, and not before."""
        self.api.only().page([service("a")], token="next page")
        self.turn()
        self.assertFalse(self.contact.has_synced)
        asked = self.api.only()
        self.assertEqual(asked.query["continue"], "next page")
        asked.page([service("b")])
        self.turn()
        self.assertTrue(self.contact.has_synced)
        self.assertEqual(self.sink.names, ["a", "b"])

    def test_expired(self) -> None:
        """Pages whose history is lost are begun anew, without what they gave."""
        self.api.only().page([service("a")], token="next")
        self.turn()
        self.api.only().refuse(410, "Expired")
        self.assert_waits()
        self.assertNotIn("continue", self.api.only().query)
        self.list(service("b"))
        self.assertEqual(self.sink.names, ["b"])

    def test_trouble(self) -> None:
        """Whatever is wrong, it is asked again, and again."""
        for code in (401, 403, 404, 429, 500, 503):
            self.api.only().refuse(code)
            self.assert_waits()
        self.api.only().break_off()
        self.assert_waits()
        self.api.only().json({"kind": "Nonsense"})
        self.assert_waits()
        self.assertIsNotNone(self.contact.error)
        self.list(service("a"))
        self.assertIsNone(self.contact.error)
        self.assertEqual(self.sink.names, ["a"])

    def test_retry_after(self) -> None:
        """The server is not asked before the time that it has named."""
        self.api.only().refuse(429, retry_after=30.0)
        self.turn(29)
        self.assertEqual(self.api.pending(), [])
        self.turn(2)
        self.assertEqual(len(self.api.pending()), 1)

    def test_large_objects(self) -> None:
        """Of large objects fewer are asked for at a time."""
        large = {**service("a"), "status": "x" * (PAGE_SIZE // 2)}
        self.api.only().page([large], token="next")
        self.turn()
        limit = int(self.api.only().query["limit"])
        self.assertTrue(1 <= limit <= 2, limit)

    def test_too_large(self) -> None:
        """A page that is too large is asked for in parts."""
        for limit in (PAGE_LIMIT // 8, PAGE_LIMIT // 64):
            self.api.only().fail(AnswerTooLarge("too large"))
            self.assert_waits()
            self.assertEqual(self.api.only().query["limit"], str(limit))

    def test_slices(self) -> None:
        """A page is taken in slices, between which others have their turn."""
        self.api.only().page([service(f"s{number}") for number in range(PAGE_LIMIT)])
        work = self.clock.getDelayedCalls()
        self.assertEqual(len(work), 1)
        self.assertEqual(self.sink.names, [])
        self.turn()
        self.assertEqual(len(self.sink.names), PAGE_LIMIT)


class WatchTests(ReflectorTestCase):
    """The watch that follows the list."""

    def setUp(self) -> None:
        super().setUp()
        self.watch = self.list(service("a"), version="7")

    def test_query(self) -> None:
        """It goes on from where the list was, with bookmarks, for some minutes."""
        query = self.watch.query
        timeout = int(query.pop("timeoutSeconds"))
        self.assertTrue(MIN_TIMEOUT <= timeout <= MAX_TIMEOUT)
        self.assertTrue(self.watch.is_watch)
        self.assertEqual(
            query, {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": "7"}
        )

    def test_events(self) -> None:
        """Objects come and go."""
        self.watch.send("ADDED", service("b", 8))
        self.assertEqual(self.sink.names, ["a", "b"])
        self.watch.send("DELETED", service("a", 9))
        self.assertEqual(self.sink.names, ["b"])

    def assert_goes_on(self, version: str) -> None:
        """The next watch begins at that version, with no list between."""
        watch = self.api.only()
        self.assertTrue(watch.is_watch)
        self.assertEqual(watch.query["resourceVersion"], version)

    def test_timeout(self) -> None:
        """When the server has ended the watch, the next one goes on from its last event."""
        self.watch.send("ADDED", service("b", 8))
        self.turn(MIN_TIMEOUT)
        self.watch.end()
        self.assert_goes_on("8")
        self.assertEqual(self.contact.watch_failures, 0)

    def test_bookmark(self) -> None:
        """A bookmark moves on where nothing changes."""
        self.watch.bookmark("30")
        self.turn(MIN_TIMEOUT)
        self.watch.end()
        self.assert_goes_on("30")
        self.assertEqual(self.sink.names, ["a"])

    def test_unknown_event(self) -> None:
        """An event of an unknown type changes nothing."""
        self.watch.send("NEWS", service("b", 8))
        self.turn(MIN_TIMEOUT)
        self.watch.end()
        self.assert_goes_on("8")
        self.assertEqual(self.sink.names, ["a"])

    def test_broken(self) -> None:
        """After a broken connection it goes on from the last event, a little later."""
        self.watch.send("ADDED", service("b", 8))
        self.watch.break_off()
        self.assert_waits()
        self.assert_goes_on("8")
        self.assertEqual(self.contact.watch_failures, 1)
        self.assertEqual(self.sink.names, ["a", "b"])

    def test_refused(self) -> None:
        """A watch that the server cannot serve now is tried again later."""
        for code in (401, 429, 500, 503):
            self.api.only().refuse(code)
            self.assert_waits()
            self.assert_goes_on("7")

    def test_error_event(self) -> None:
        """An error event within a watch has the same effect."""
        self.watch.send_error(500)
        self.assert_waits()
        self.assert_goes_on("7")

    def test_ends_at_once(self) -> None:
        """A server that ends each watch at once is not asked all the time."""
        self.watch.end()
        self.assert_waits()
        self.assert_goes_on("7")

    def test_ends_early(self) -> None:
        """Nor one that ends each watch after a word."""
        self.watch.bookmark("8")
        self.watch.end()
        self.assert_waits()
        self.assert_goes_on("8")
        self.assertEqual(self.contact.watch_failures, 0)

    def test_trouble_is_over(self) -> None:
        """When a watch is accepted all is well again, even if it has nothing to tell."""
        self.watch.break_off()
        self.assertIsNotNone(self.contact.error)
        self.turn(MAX_DELAY)
        self.api.only().open()
        self.assertIsNone(self.contact.error)

    def test_delays(self) -> None:
        """A connection that breaks again and again is made again less and less often."""
        waits = []
        for _ in range(8):
            self.api.only().break_off()
            waited = 0.0
            while not self.api.pending():
                self.turn(0.25)
                waited += 0.25
            waits.append(waited)
        self.assertLess(waits[0], 1.0)
        self.assertTrue(MAX_DELAY / 2 <= waits[-1] <= MAX_DELAY + 0.5, waits)
        self.api.only().bookmark("8")
        self.api.only().break_off()
        self.turn(FIRST_DELAY)
        self.assertEqual(len(self.api.pending()), 1)

    def assert_relists(self) -> None:
        asked = self.api.only()
        self.assertFalse(asked.is_watch)
        self.assertNotIn("resourceVersion", asked.query)

    def test_history_lost(self) -> None:
        """After a lost history, in either form, all is listed anew, and vanished objects are gone."""
        self.watch.bookmark("8")
        self.watch.send_error(410)
        self.turn()
        self.assert_relists()
        watch = self.list(service("b"), version="20")
        self.assertEqual(self.sink.names, ["b"])
        self.assertEqual(self.contact.relists, 1)
        self.turn(LASTING)
        watch.bookmark("21")
        watch.refuse(410, "Expired")
        self.turn()
        self.assert_relists()

    def test_served_meanwhile(self) -> None:
        """Known objects stay until the new list is complete."""
        self.watch.bookmark("8")
        self.watch.send_error(410)
        self.turn()
        self.api.only().page([service("b")], token="next")
        self.turn()
        self.assertEqual(self.sink.names, ["a"])

    def test_lost_again(self) -> None:
        """A history that is lost as soon as it was listed is not listed all the time."""
        self.watch.send_error(410)
        self.assert_waits()
        self.assert_relists()

    def test_lost_after_a_word(self) -> None:
        """Nor is one that is lost after each word."""
        watch, waits = self.watch, []
        for version in range(100, 108):
            watch.bookmark(str(version))
            watch.send_error(410)
            waited = 0.0
            self.turn()
            while not self.api.pending():
                self.turn(0.25)
                waited += 0.25
            waits.append(waited)
            watch = self.list(service("a"), version=str(version))
        self.assertEqual(waits[0], 0.0)
        self.assertGreaterEqual(waits[-1], MAX_DELAY / 2)

    def test_too_large(self) -> None:
        """An event that is too large would be so again: a list may have room for it."""
        self.watch.bookmark("8")
        self.watch.fail(AnswerTooLarge("an event of very many bytes"))
        self.turn()
        self.assert_relists()

    def test_nonsense(self) -> None:
        """A watch that cannot be understood leads to a list."""
        self.watch.bookmark("8")
        self.watch.send("ADDED", {"kind": "Service"})
        self.turn()
        self.assert_relists()

    def test_forbidden(self) -> None:
        """With the right to list alone, lists give what they can, once refusals have lasted."""
        self.watch.refuse(403)
        while not self.contact.lacks_right:
            self.turn(0.25)
            if self.api.pending():
                self.api.only().refuse(403)
        self.turn(MAX_DELAY)
        self.assert_relists()
        self.list(service("b"))
        self.assertEqual(self.sink.names, ["b"])
        self.assertTrue(self.contact.is_forbidden)


class StopTests(ReflectorTestCase):
    """It can be stopped wherever it is."""

    def assert_stopped(self) -> None:
        self.assertEqual(self.api.pending(), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_listing(self) -> None:
        """While it lists."""
        self.reflector.stop()
        self.assert_stopped()

    def test_watching(self) -> None:
        """While it watches: the watch is closed, what is known stays."""
        watch = self.list(service("a"))
        self.reflector.stop()
        self.assertTrue(watch.is_cancelled)
        self.assert_stopped()
        self.assertEqual(self.sink.names, ["a"])

    def test_waiting(self) -> None:
        """While it waits."""
        self.api.only().break_off()
        self.reflector.stop()
        self.assert_stopped()

    def test_taking(self) -> None:
        """While it takes a page."""
        self.api.only().page([service("a")])
        self.slices.is_running = False
        self.reflector.stop()
        self.turn()
        self.assert_stopped()

    def test_twice(self) -> None:
        """Twice is as good as once."""
        self.reflector.stop()
        self.reflector.stop()
        self.assert_stopped()

    def test_relist(self) -> None:
        """It can be made to list, whatever it does."""
        watch = self.list(service("a"))
        self.reflector.relist()
        self.assertTrue(watch.is_cancelled)
        self.assertFalse(self.api.only().is_watch)
        self.list(service("b"))
        self.assertEqual(self.sink.names, ["b"])

    def test_fault(self) -> None:
        """A fault of ours is logged, and followed by a new list after a while."""
        self.api.only().fail(ZeroDivisionError())
        self.assert_waits()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("ZeroDivisionError", str(self.contact.error))
        watch = self.list(service("a"))
        watch.fail(ZeroDivisionError())
        self.assert_waits()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(self.api.only().is_watch)
        self.list(service("b"))
        self.assertEqual(self.sink.names, ["b"])
        self.assertIsNone(self.contact.error)


class Server:
    """A server that has Services and a history of them, some of which it forgets."""

    def __init__(self) -> None:
        self.version = 1
        self.services: dict[str, int] = {}
        self.history: list[tuple[int, str, str]] = []
        self.forgotten = 0

    def change(self, name: str) -> None:
        """It comes, or goes."""
        self.version += 1
        if self.services.pop(name, None) is None:
            self.services[name] = self.version
            self.history.append((self.version, "ADDED", name))
        else:
            self.history.append((self.version, "DELETED", name))

    def forget(self) -> None:
        self.forgotten = self.version
        self.version += 1

    def answer(self, asked: Asked) -> None:
        """A list, whole; or what a watch has to tell, after which it is broken off."""
        if not asked.is_watch:
            items = [service(name, version) for name, version in self.services.items()]
            asked.page(items, str(self.version))
            return
        since = int(asked.query["resourceVersion"])
        if since < self.forgotten:
            asked.send_error(410)
            return
        for version, change, name in self.history:
            if version > since and asked.is_open:
                asked.send(change, service(name, version))


steps = st.lists(
    st.one_of(
        st.sampled_from("abcde"),
        st.sampled_from(("answer", "answer", "forget", "break", "end", "refuse")),
    ),
    max_size=40,
)


class HistoryTests(ReflectorTestCase):
    """Whatever happens to server and connection, in the end it is known what there is."""

    @settings(deadline=None)
    @given(steps)
    def test_any(self, sequence: list[str]) -> None:
        """After any history, what the server has is what is known."""
        self.setUp()
        server = Server()
        for step in sequence:
            pending = self.api.pending()
            if len(step) == 1:
                server.change(step)
            elif step == "forget":
                server.forget()
            elif pending and step == "answer":
                server.answer(pending[0])
            elif pending and step == "refuse":
                pending[0].refuse(503)
            elif pending and step == "break":
                pending[0].fail(APIUnreachable("broken"))
            elif pending and step == "end" and pending[0].is_watch:
                pending[0].end()
            self.turn(1)
        # In peace: what is pending is answered, up to a watch that has told everything.
        for _ in range(8):
            for asked in self.api.pending():
                server.answer(asked)
            self.turn(MAX_DELAY)
        self.assertEqual(self.sink.names, sorted(server.services))
        self.reflector.stop()
