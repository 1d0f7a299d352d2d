"""
Tests for `ingress.command.log_format`.
"""

from __future__ import annotations

import json
from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.failure import CannotRun
from ingress.command.log_format import LogEntry, make_reader
from ingress.telemetry.log_line import FORMATS
from tests.support.exchange_record import answered, request_of

LINE = (
    b'192.0.2.7 - al ice [30/Nov/2026:10:00:00 +0000] "GET /a?b=\\x22c HTTP/2.0" 200 512 '
    b'"https://r.example/" "curl \\x22x\\x22" 431 0.005 [default-web-80] [] '
    b"10.0.0.1:80, [fd00::1]:80 0, 512 0.001, 0.004 502, 200 0123456789abcdef"
)
"""As ingress-nginx writes it: a user with a blank, quotes, and two attempts."""


def read(line: bytes, written: str = "") -> LogEntry:
    entry = make_reader(written)(line)
    assert entry is not None, line
    return entry


class TextTests(SynchronousTestCase):
    def test_ingress_nginx(self) -> None:
        """The default format, with what nginx escapes and with lists of attempts."""
        entry = read(LINE)
        self.assertEqual(
            entry,
            LogEntry(
                b"GET", b'/a?b="c', None, None, "192.0.2.7", 200, b"default-web-80",
                b"10.0.0.1:80, [fd00::1]:80",
                b'User-Agent: curl "x"\r\nReferer: https://r.example/\r\n',
            ),
        )  # fmt: skip

    def test_our_own(self) -> None:
        """Ours has the outcome and its reason behind that."""
        self.assertEqual(read(LINE + b' ok "-"'), read(LINE))
        self.assertEqual(read(LINE + b' no_route "No \\x22 rule."'), read(LINE))

    def test_older(self) -> None:
        """That of ingress-nginx 0.25."""
        older = LINE.replace(b"192.0.2.7 - ", b"192.0.2.7 - [192.0.2.7] - ", 1)
        reader = make_reader("")
        for line in (older, LINE, older):
            self.assertEqual(reader(line), read(LINE))

    def test_container(self) -> None:
        """What a container runtime writes before a line is left out."""
        line = b"2026-11-30T10:00:00.1Z stdout F " + LINE
        self.assertEqual(read(line), read(LINE))

    def test_no_request(self) -> None:
        """A line may be of no request."""
        for request in (b"-", b"", b"\\x16\\x03\\x01", b"GET /"):
            entry = read(LINE.replace(b"GET /a?b=\\x22c HTTP/2.0", request))
            self.assertEqual((entry.method, entry.target), (b"", b""), request)

    def test_malformed(self) -> None:
        """A line of another form is none."""
        for line in (b"", b"x", LINE[:-30], LINE.replace(b"200", b"2x0"), LINE.replace(b"]", b"")):
            self.assertIsNone(make_reader("")(line), line)

    def test_own_format(self) -> None:
        """A format in nginx's syntax, alone or as a directive."""
        written = '$remote_addr "$request" $status ${http_host} $scheme $foo'
        line = b'192.0.2.7 "GET /x HTTP/1.1" 308 a.example https some thing'
        for text in (written, f"log_format own escape=default '{written}';"):
            entry = read(line, text)
            self.assertEqual((entry.host, entry.is_secure), (b"a.example", True))
            self.assertEqual((entry.status, entry.upstream, entry.asked), (308, None, None))

    def test_refused_formats(self) -> None:
        """A format that cannot be taken apart, or says too little, is told."""
        for written, part in (
            ("x", "no variables"),
            ("$status$request", "nothing between $status"),
            ("$request", "needs $status"),
            ("$status", "needs $status, and $request"),
        ):
            with self.assertRaises(CannotRun) as raised:
                make_reader(written)
            self.assertIn(part, str(raised.exception))

    def test_hostile(self) -> None:
        """No line takes longer than in proportion to its length."""
        reader = make_reader("")
        for part in (b'"', b"[", b"] ", b'\\"', b" - ", b", ", b"a", b' "" [', b"0 : "):
            started = process_time()
            self.assertIsNone(reader(LINE[:40] + part * 30_000))
            self.assertLess(process_time() - started, 0.5, part)


class JSONTests(SynchronousTestCase):
    def test_names(self) -> None:
        """The names that operators give members, in any order; the query may be a member."""
        entry = read(
            json.dumps(
                {
                    "status": 308, "vhost": "a.example", "request_query": "x=1", "path": "/a b",
                    "method": "POST", "upstreamName": "default-web-80", "upstream_addr": "",
                    "remote_addr": "192.0.2.7", "scheme": "http", "other": {"x": 1},
                }
            ).encode()
        )  # fmt: skip
        self.assertEqual(
            entry,
            LogEntry(
                b"POST", b"/a%20b?x=1", b"a.example", False, "192.0.2.7", 308, b"default-web-80",
                b"", b"",
            ),
        )  # fmt: skip

    def test_written(self) -> None:
        """A format of JSON says which member is which, in whatever order they come."""
        written = '{"a": "$host", "b": $status, "c": "$request", "d": "x $foo", "h": "$args"}'
        entry = read(b'{"c": "GET / HTTP/1.1", "b": 200, "a": "a.example", "h": "q"}', written)
        self.assertEqual((entry.host, entry.status, entry.target), (b"a.example", 200, b"/"))

    def test_our_own(self) -> None:
        """Ours has the Service by its parts, and the attempts."""
        line = {
            "outcome": "ok", "status": 200, "target": "/", "method": "GET", "host": "a.example",
            "namespace": "default", "service": "web", "port": "80", "client": "192.0.2.7",
            "endpoints": [{"endpoint": "10.0.0.1:80", "status": 200}],
        }  # fmt: skip
        entry = read(json.dumps(line).encode())
        self.assertEqual((entry.upstream, entry.asked), (b"default-web-80", b"10.0.0.1:80"))
        entry = read(b'{"outcome": "no_route", "status": 404, "target": "/", "method": "GET"}')
        self.assertEqual((entry.upstream, entry.asked), (b"-", b"-"))
        entry = read(b'{"outcome": "bad_request", "status": 400, "line": "x"}')
        self.assertEqual(entry.method, b"")

    def test_malformed(self) -> None:
        """Other JSON, broken or deep JSON and text that is no UTF-8 are none."""
        self.assertIsNone(make_reader("")(b'{"a":' * 150_000))
        for line in (b"{", b"{}", b"[]", b'{"status": "x"}', b'{"status": 200}', b'{"a": "\xff"}'):
            self.assertIsNone(make_reader("")(line), line)


class RoundTripTests(SynchronousTestCase):
    def test_written_here(self) -> None:
        """Whatever our own formats write of a request is read again, attacks included."""
        for target, agent in ((b"/", b"curl"), (b'/"\\x', b'"\\ \xff\n'), (b"/a?b", b"")):
            record = answered(request_of({b"user-agent": agent}, target=target))
            for name, (to_line, to_time) in FORMATS.items():
                entry = read(to_line(record, to_time(0)).rstrip(b"\n"))
                asked = (entry.target.replace(b"%5C", b"\\"), entry.status, entry.upstream)
                self.assertEqual(asked, (target, record.status, b"default-web-80"), name)
                self.assertNotIn(b"\n", entry.fields.rstrip(b"\r\n"))
