"""
Tests for `ingress.telemetry.exchange_rows`.
"""

from __future__ import annotations

import json
import pickle

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import Outcome
from ingress.routing.route import Route
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.exchange_ring import SIZE
from ingress.telemetry.exchange_rows import (
    ExchangeQuestion,
    Exchanges,
    Place,
    Wanted,
    read_exchanges,
    together,
)
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from ingress.telemetry.recorder import Recorder
from ingress.telemetry.traffic import Traffic
from tests.support.exchange_record import answered, request_of
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT, UPSTREAM

ALL = Wanted()
NOW = 1_700_000_000.0


class ReadTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.recorder = Recorder(Traffic(), AccessLog(clock, None, clock.seconds))

    def record(self, **values: object) -> ExchangeRecord:
        record = answered(**values)  # type: ignore[arg-type]
        self.recorder.record(record)
        return record

    def read(self, wanted: Wanted = ALL, since: dict[int, Place] | None = None) -> Exchanges:
        question = pickle.loads(pickle.dumps(ExchangeQuestion(wanted, since)))
        read = read_exchanges(
            self.recorder, question, process=7, wall_time=lambda moment: NOW + moment
        )
        copied: Exchanges = pickle.loads(pickle.dumps(read))
        return copied

    def ids(self, wanted: Wanted = ALL, since: dict[int, Place] | None = None) -> list[str]:
        return [row["id"] for row in self.read(wanted, since).rows]

    def test_row(self) -> None:
        """A row says what became of a request, and nothing that may be secret."""
        tries = [
            AttemptRecord(OTHER_ENDPOINT, 100.0, 502, None, None, 0.01),
            AttemptRecord(ENDPOINT, 100.01, 200, None, 0.002, 0.02),
        ]
        request = request_of({b"authorization": b"Basic c2VjcmV0"}, target=b"/cart?token=secret")
        self.record(request=request, tries=tries)
        (row,) = self.read().rows
        self.assertNotIn("secret", json.dumps(row))
        self.assertEqual(row["at"], "2023-11-14T22:15:00.031Z")
        self.assertEqual(
            [row[name] for name in ("client", "method", "host", "path", "status", "outcome")],
            ["192.0.2.1", "GET", "a.example", "/", 200, "ok"],
        )
        self.assertEqual((row["ingress"], row["rule"], row["process"]), ("default/web", "*/", 7))
        self.assertEqual(row["upstream"], UPSTREAM.full_name)
        self.assertEqual(
            row["tries"],
            [
                {"address": str(OTHER_ENDPOINT), "status": 502, "seconds": 0.01},
                {"address": str(ENDPOINT), "status": 200, "seconds": 0.02},
            ],
        )

    def test_no_request(self) -> None:
        """What was no request has neither method nor rule."""
        record = ExchangeRecord(b"", 100.0)
        record.status, record.outcome, record.detail = 400, Outcome.BAD_REQUEST, "It is none."
        self.recorder.record(record)
        (row,) = self.read().rows
        self.assertEqual(
            [row[name] for name in ("method", "host", "path", "ingress", "rule", "detail")],
            ["", "", "", None, None, "It is none."],
        )

    def test_hostile(self) -> None:
        """What a client made up is shown shortened, without control characters."""
        request = request_of()
        request.method, request.host, request.path = b"G\x1b", b"\xff\n", b"/" + b"x" * 900
        self.record(request=request)
        (row,) = self.read().rows
        self.assertEqual((row["method"], row["host"]), ("G\\x1b", "\\\\xff\\n"))
        self.assertEqual(len(row["path"]), 256)

    def test_order(self) -> None:
        """The newest comes first, whether an endpoint answered or not."""
        for number, outcome in enumerate((Outcome.OK, Outcome.NO_ROUTE, Outcome.OK)):
            self.record(request_id=b"%d" % number, outcome=outcome, began_at=100.0 + number)
        self.assertEqual(self.ids(), ["2", "1", "0"])
        self.assertEqual(self.ids(Wanted(limit=2)), ["2", "1"])

    def test_wanted(self) -> None:
        """Rows are those of a host, an Ingress, a status or class, an outcome or a rule."""
        other = Route(("shop", "api"), UPSTREAM, "/api", host="*.b.example")
        request = request_of()
        request.host = b"x.b.example"
        self.record(request_id=b"a")
        self.record(request_id=b"b", route=other, status=404, request=request)
        self.record(request_id=b"c", route=None, status=503, outcome=Outcome.OVERLOADED)
        for wanted, expected in (
            (Wanted(), "cba"),
            (Wanted(host="a.example"), "ca"),
            (Wanted(host="x.b.example"), "b"),
            (Wanted(host="*.b.example"), "b"),
            (Wanted(ingress="shop/api"), "b"),
            (Wanted(status="4xx"), "b"),
            (Wanted(status="503"), "c"),
            (Wanted(outcome="ok"), "ba"),
            (Wanted(rule=other.labels), "b"),
            (Wanted(rule=other.labels._replace(canary="x")), "b"),
            (Wanted(rule=other.labels._replace(host="c.example")), ""),
        ):
            self.assertEqual(sorted(self.ids(wanted)), sorted(expected), wanted)

    def test_since(self) -> None:
        """A reading can go on where the last one ended."""
        self.record(request_id=b"a")
        place = self.read().place
        self.record(request_id=b"b", outcome=Outcome.NO_ROUTE)
        self.assertEqual(self.ids(since={7: place}), ["b"])
        self.assertEqual(sorted(self.ids(since={8: place})), ["a", "b"])
        # The place of an earlier process with the same id.
        self.assertEqual(sorted(self.ids(since={7: Place(900, 0)})), ["a", "b"])

    def test_missed(self) -> None:
        """Those that came too fast are counted."""
        place = self.read().place
        for _ in range(SIZE + 5):
            self.record()
        read = self.read(Wanted(limit=100), {7: place})
        self.assertEqual((len(read.rows), read.missed), (100, 5 + SIZE - 100))
        self.assertEqual(self.read(Wanted(limit=100)).missed, 0)

    def test_together(self) -> None:
        """The rows of all processes are in one order."""
        parts = [
            Exchanges(1, [{"at": "3"}, {"at": "1"}], Place()),
            Exchanges(2, [{"at": "2"}], Place()),
        ]
        self.assertEqual([row["at"] for row in together(parts, 2)], ["3", "2"])
