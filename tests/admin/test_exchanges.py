"""
Tests for `ingress.admin.exchanges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.exchanges import Following, is_followed, wanted_of
from ingress.admin.page import PageError, Query
from ingress.telemetry.exchange_rows import Exchanges, Place, Wanted
from tests.support.observed_proxy import HandReports


class QueryTests(SynchronousTestCase):
    def test_wanted(self) -> None:
        """A query says which exchanges are asked for."""
        query = Query(
            {"host": ["A.example"], "status": ["5xx"], "outcome": ["no_route"], "limit": ["7"]}
        )
        self.assertEqual(
            wanted_of(query), Wanted(host="a.example", status="5xx", outcome="no_route", limit=7)
        )
        self.assertFalse(is_followed(query))
        self.assertTrue(is_followed(Query({"follow": ["true"]})))

    def test_wrong(self) -> None:
        """What cannot be meant is refused, with what is accepted."""
        for query, words in (
            ({"status": ["4x"]}, "404 or a class such as 4xx"),
            ({"status": ["999"]}, "404 or a class such as 4xx"),
            ({"outcome": ["bad"]}, "no_route"),
            ({"limit": ["501"]}, "from 0 to 500"),
        ):
            error = self.assertRaises(PageError, wanted_of, Query(query))
            self.assertIn(words, str(error))


class FollowingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reports = HandReports()
        self.following = Following(self.reports, Wanted(limit=2))

    def next(self) -> Sequence[Any]:
        return self.successResultOf(Deferred.fromCoroutine(self.following.next()))

    def test_following(self) -> None:
        """Each reading goes on where the last one ended, in each process; the oldest is first."""
        self.reports.last = [Exchanges(1, [{"at": "2"}, {"at": "1"}], Place(2))]
        self.assertEqual(self.next(), [{"at": "1"}, {"at": "2"}])
        self.reports.last = [
            Exchanges(1, [{"at": "4"}], Place(3), 1),
            Exchanges(2, [{"at": "3"}], Place(1), 2),
        ]
        self.assertEqual(self.next(), [{"missed": 3}, {"at": "3"}, {"at": "4"}])
        self.reports.last = [Exchanges(2, [], Place(1))]
        self.assertEqual(self.next(), [])
        self.assertEqual(
            [question.since for question in self.reports.questions],
            [None, {1: Place(2)}, {1: Place(3), 2: Place(1)}],
        )
