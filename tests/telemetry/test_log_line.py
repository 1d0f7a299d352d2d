"""Tests of `ingress.telemetry.log_line`."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any, get_args, get_type_hints

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import AccessLog
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.errors import Outcome
from ingress.policy.canary import Canary
from ingress.policy.canary_rule import Canaries, CanaryRule
from ingress.routing.route import Route
from ingress.telemetry.log_line import (
    FORMATS,
    iso_time,
    json_line,
    nginx_exact_line,
    nginx_line,
    nginx_time,
)
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from tests.support.exchange_record import ID, answered, request_of
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT, UPSTREAM

TIME = b"26/Nov/2026:01:47:27 +0000"
BEFORE = rb'192.0.2.1 - - [26/Nov/2026:01:47:27 +0000] "GET / HTTP/1.1" '
AFTER = b' "-" "-" 80 0.031 [default-web-80] [] '

CANARY = answered(
    route=Route(
        ingress=("default", "web"),
        upstream=UPSTREAM,
        canaries=Canaries(
            (CanaryRule(("default", "next"), UpstreamKey("default", "new", "80"), Canary(), 0.5),)
        ),
    ).canary_routes[0]
)
"""A request that went to a canary."""

LINE = re.compile(
    rb"(?P<client>\S+) - (?P<user>\S+) \[(?P<time>[^\]]+)\]"
    rb' "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<size>\d+)'
    rb' "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" (?P<length>\d+) (?P<seconds>\d+\.\d{3})'
    rb" \[(?P<upstream>[^\]]+)\] \[[^\]]*\]"
    rb" (?P<endpoints>\S+(?:, \S+)*) (?P<sizes>[-\d]+(?:, [-\d]+)*)"
    rb" (?P<times>[-.\d]+(?:, [-.\d]+)*) (?P<statuses>[-\d]+(?:, [-\d]+)*)"
    rb' (?P<id>\S+) (?P<outcome>[a-z_]+) "(?P<reason>[^"]*)"\n'
)
"""Our own parser of what is written."""

NAMES = r"\[(?P<upstream>[^\]]+)\] \[(?P<alternative>[^ ]*)\] "
HEAD = (
    r'^(?P<client>[^ ]*) - (?P<user>[^ ]*) \[(?P<time>[^\]]*)\] "(?P<request>[^"]*)"'
    r' (?P<status>[^ ]*) (?P<size>[^ ]*) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
    r" (?P<length>[^ ]*) (?P<seconds>[^ ]*) " + NAMES
)
ENDPOINTS = HEAD + r"(?P<address>[^ ]*) (?P<given>[^ ]*) (?P<took>[^ ]*) (?P<code>[^ ]*) "

LENIENT = {
    "CrowdSec": HEAD,
    "fluentd, Splunk": ENDPOINTS + r"(?P<id>\S+)",
    "Fluent Bit": ENDPOINTS + r"(?P<id>[^ ]*).*$",
}
"""How those parsers of ingress-nginx's log end that mind nothing behind the id."""

STRICT = {"Vector": ENDPOINTS + r"(?P<id>\S+)\s*$", "Elastic, Loki": ENDPOINTS + r"(?P<id>.*)$"}
"""How those end to which the id is the end of the line."""

any_bytes = st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode())
targets = st.from_regex(rb"/[\x21\x22\x24-\x7e]{0,60}", fullmatch=True)
users = st.binary(min_size=1, max_size=40).filter(lambda user: b":" not in user)


def unescaped(text: bytes) -> bytes:
    return re.sub(rb"\\x([0-9A-F]{2})", lambda match: bytes.fromhex(match[1].decode()), text)


def basic(credentials: bytes) -> dict[bytes, bytes]:
    return {b"authorization": b"Basic " + base64.b64encode(credentials)}


def parsed(record: ExchangeRecord) -> dict[str, bytes]:
    match = LINE.fullmatch(nginx_line(record, TIME))
    assert match is not None, nginx_line(record, TIME)
    return match.groupdict()


class NginxLineTests(SynchronousTestCase):
    """What nginx writes for the same was looked up with an nginx."""

    def check(self, record: ExchangeRecord, line: bytes) -> None:
        self.assertEqual(nginx_line(record, TIME), line + b"\n")

    def test_answered(self) -> None:
        """The default format of ingress-nginx, then the outcome and the reason, if any."""
        request = request_of({b"referer": b"https://b.example/", b"user-agent": b"curl/8.5"})
        self.check(
            answered(request),
            BEFORE + b'200 512 "https://b.example/" "curl/8.5" 80 0.031'
            b" [default-web-80] [] 10.1.0.1:8080 512 0.030 200 " + ID + b' ok "-"',
        )

    def test_kept(self) -> None:
        """Requests with the same head have the same fields."""
        request = request_of({b"user-agent": b"curl", **basic(b"ann:secret")})
        first, second = parsed(answered(request)), parsed(answered(request))
        self.assertEqual(first, second)
        self.assertEqual(second["user"], b"ann")

    def test_no_rule(self) -> None:
        """Where nobody was asked there are dashes."""
        record = answered(
            route=None,
            tries=(),
            status=404,
            outcome=Outcome.NO_ROUTE,
            detail="No rule matches this host and path.",
        )
        self.check(
            record,
            BEFORE + b'404 512 "-" "-" 80 0.031 [-] [] - - - - ' + ID + b' no_route "No rule'
            b' matches this host and path."',
        )

    def test_no_service(self) -> None:
        """A rule without a Service has no name of an upstream."""
        record = answered(route=Route(ingress=("default", "web"), upstream=None), tries=())
        self.assertEqual(parsed(record)["upstream"], b"-")

    def test_canary(self) -> None:
        """A request that went to a canary has its name beside that of the rule's Service."""
        self.assertIn(b" [default-web-80] [default-new-80] ", nginx_line(CANARY, TIME))

    def test_no_request(self) -> None:
        """What was no request is told as far as it goes, its bytes escaped."""
        record = ExchangeRecord(b"192.0.2.1", 100.0)
        record.request_id, record.line = ID, b'\x16\x03\x01 "\xff'
        record.status, record.body_size, record.request_size = 400, 120, 300
        record.outcome, record.detail = Outcome.BAD_REQUEST, "The head is not that."
        self.check(
            record,
            rb'192.0.2.1 - - [26/Nov/2026:01:47:27 +0000] "\x16\x03\x01 \x22\xFF" 400 120 "-" "-"'
            b" 300 0.000 [-] [] - - - - " + ID + b' bad_request "The head is not that."',
        )
        record.line = b""
        self.assertEqual(parsed(record)["request"], b"-")

    def test_clients(self) -> None:
        """Addresses of IPv6 are bare; who came through a UNIX socket has none."""
        self.assertEqual(parsed(answered(client_address=b"2001:db8::1"))["client"], b"2001:db8::1")
        self.assertEqual(parsed(answered(client_address=b""))["client"], b"unix:")

    def test_http_10(self) -> None:
        """The version is the request's."""
        self.assertEqual(
            parsed(answered(request_of(is_http_10=True)))["request"], b"GET / HTTP/1.0"
        )

    def test_absent_and_empty(self) -> None:
        """A field without a value is not the same as none."""
        found = parsed(answered(request_of({b"referer": b"", b"user-agent": b""})))
        self.assertEqual((found["referer"], found["agent"]), (b"", b""))

    def test_escapes(self) -> None:
        """Quotes, backslashes, control characters and what is not ASCII are escaped."""
        value = b'a"b\\c\x1b\x7f\xe9 d'
        found = parsed(
            answered(
                request_of({b"referer": value, b"user-agent": value}, target=b'/a"b\\c'),
                detail='A "quoted" reason.',
                outcome=Outcome.ACCESS_REFUSED,
            )
        )
        escaped = rb"a\x22b\x5Cc\x1B\x7F\xE9 d"
        self.assertEqual((found["referer"], found["agent"]), (escaped, escaped))
        self.assertEqual(found["request"], rb"GET /a\x22b\x5Cc HTTP/1.1")
        self.assertEqual(found["reason"], rb"A \x22quoted\x22 reason.")

    def test_users(self) -> None:
        """The user of Basic credentials is told, the password never."""
        long = b"ann:" + b"x" * 2000
        for fields, user in (
            (basic(b"ann:secret"), b"ann"),
            (basic(b"ann:"), b"ann"),
            (basic(b"ann:a:b"), b"ann"),
            (basic(long), b"ann"),
            (basic(b'j "\n:x'), rb"j\x20\x22\x0A"),
            (basic(b":secret"), b"-"),
            (basic(b"no-colon"), b"-"),
            (basic(b"x" * 300 + b":secret"), b"-"),
            ({b"authorization": b"basic  YW5uOnh5eg"}, b"ann"),
            ({b"authorization": b"Basic !!!!"}, b"-"),
            ({b"authorization": b"Basic YW5uO"}, b"-"),
            ({b"authorization": b"Basic"}, b"-"),
            ({b"authorization": b""}, b"-"),
            ({b"authorization": b"Bearer YW5uOnh5eg=="}, b"-"),
        ):
            line = nginx_line(answered(request_of(fields)), TIME)
            match = LINE.fullmatch(line)
            assert match is not None, line
            self.assertEqual(match["user"], user, fields)
            self.assertNotIn(b"secret", line)

    def test_endpoints(self) -> None:
        """What is told of several endpoints are lists; the client's body came from the last."""
        record = answered(
            tries=[
                AttemptRecord(ENDPOINT, 100.0, 502, None, None, 0.0),
                AttemptRecord(Endpoint("2001:db8::1", 80), 100.0, 503, 0.001, 0.002, 0.0029),
                AttemptRecord(OTHER_ENDPOINT, 100.0, 200, None, 0.01, 1.5),
            ]
        )
        self.check(
            record,
            BEFORE + b"200 512" + AFTER + b"10.1.0.1:8080, [2001:db8::1]:80, 10.1.0.2:8080"
            b" 0, 0, 512 0.000, 0.002, 1.500 502, 503, 200 " + ID + b' ok "-"',
        )

    def test_none_of_several_answered(self) -> None:
        """The body of the proxy's own answer is no endpoint's."""
        tries = [AttemptRecord(ENDPOINT, 100.0, 502, None, None, 0.0) for _ in range(2)]
        found = parsed(answered(tries=tries, status=502, outcome=Outcome.DIAL_FAILED))
        self.assertEqual((found["sizes"], found["statuses"]), (b"0, 0", b"502, 502"))

    def test_client_lost(self) -> None:
        """An endpoint that was left before it answered has no status."""
        record = answered(
            tries=[AttemptRecord(ENDPOINT, 100.0, 0, None, None, 0.25)],
            status=499,
            body_size=0,
            outcome=Outcome.CLIENT_LOST,
        )
        self.check(
            record,
            BEFORE + b"499 0" + AFTER + b"10.1.0.1:8080 0 0.250 - " + ID + b' client_lost "-"',
        )

    def test_times(self) -> None:
        """Times are told in seconds, to the millisecond that has passed."""
        for seconds, text in (
            (0.0, b"0.000"),
            (0.9999, b"0.999"),
            (1.0, b"1.000"),
            (75.5, b"75.500"),
            (-0.5, b"0.000"),
            (-3600.0, b"0.000"),
        ):
            record = answered(
                duration=seconds, tries=[AttemptRecord(ENDPOINT, 100.0, 200, None, 0.0, seconds)]
            )
            found = parsed(record)
            self.assertEqual((found["seconds"], found["times"]), (text, text))

    def test_every_outcome(self) -> None:
        """Each outcome has its word."""
        for outcome in Outcome:
            self.assertEqual(parsed(answered(outcome=outcome))["outcome"].decode(), outcome.value)

    @given(targets, any_bytes, any_bytes, users, any_bytes)
    def test_round_trip(
        self, target: bytes, referer: bytes, agent: bytes, user: bytes, password: bytes
    ) -> None:
        """Whatever a peer sends, a line is one of printable ASCII, and has it all."""
        fields = {b"referer": referer, b"user-agent": agent, **basic(user + b":" + password)}
        record = answered(request_of(fields, target=target))
        line = nginx_line(record, TIME)
        self.assertRegex(line, rb"\A[\x20-\x7e]*\n\Z")
        found = {name: unescaped(value) for name, value in parsed(record).items()}
        self.assertEqual(found["request"], b"GET %b HTTP/1.1" % target)
        self.assertEqual((found["referer"], found["agent"]), (referer, agent))
        self.assertEqual(found["user"], user)

    @given(any_bytes, any_bytes)
    def test_garbage(self, first: bytes, authorization: bytes) -> None:
        """The same of what is no request, and of credentials that are none."""
        record = ExchangeRecord(b"192.0.2.1", 100.0)
        record.request_id, record.status, record.line = ID, 400, first
        found = parsed(record)
        self.assertEqual(unescaped(found["request"]), first or b"-")
        parsed(answered(request_of({b"authorization": b"Basic " + authorization})))


class ParserTests(SynchronousTestCase):
    """The parsers that people have for the log of ingress-nginx."""

    def setUp(self) -> None:
        self.records = (
            answered(request_of({b"user-agent": b"curl/8.5"}), outcome=Outcome.OK),
            answered(
                route=None, tries=(), status=404, outcome=Outcome.NO_ROUTE, detail="No rule at all."
            ),
        )

    def check(self, patterns: dict[str, str], line: bytes) -> None:
        for name, pattern in patterns.items():
            match = re.search(pattern, line.decode().removesuffix("\n"))
            assert match is not None, (name, line)
            found = match.groupdict()
            self.assertEqual(found.get("id", ID.decode()), ID.decode(), name)
            self.assertEqual(found["request"], "GET / HTTP/1.1", name)

    def test_nginx(self) -> None:
        """Most mind nothing behind the id."""
        for record in self.records:
            self.check(LENIENT, nginx_line(record, TIME))

    def test_nginx_exact(self) -> None:
        """To some it must be the end: for them there is a format that has nothing behind it."""
        for record in self.records:
            line = nginx_exact_line(record, TIME)
            self.check(LENIENT | STRICT, line)
            self.assertTrue(line.endswith(ID + b"\n"), line)
            self.assertTrue(nginx_line(record, TIME).startswith(line[:-1] + b" "))


class JSONLineTests(SynchronousTestCase):
    def told(self, record: ExchangeRecord) -> dict[str, Any]:
        line = json_line(record, b"2026-11-26T01:47:27Z")
        self.assertRegex(line, rb"\A[\x20-\x7e]*\n\Z")
        found: dict[str, Any] = json.loads(line)
        return found

    def test_answered(self) -> None:
        """An object with all that is known."""
        request = request_of(
            {b"referer": b"https://b.example/", b"user-agent": b"curl", **basic(b"ann:secret")}
        )
        request.target = b"/cart?item=1"
        record = answered(request)
        record.tries = [
            AttemptRecord(OTHER_ENDPOINT, 100.0, 502, None, None, 0.0),
            AttemptRecord(ENDPOINT, 100.0, 200, 0.001, 0.002, 0.03),
        ]
        self.assertEqual(
            self.told(record),
            {
                "time": "2026-11-26T01:47:27Z",
                "request_id": ID.decode(),
                "client": "192.0.2.1",
                "status": 200,
                "outcome": "ok",
                "bytes_sent": 512,
                "bytes_received": 80,
                "seconds": 0.031,
                "target": "/cart?item=1",
                "method": "GET",
                "version": "1.1",
                "host": "a.example",
                "user": "ann",
                "referer": "https://b.example/",
                "user_agent": "curl",
                "namespace": "default",
                "ingress": "web",
                "path": "/",
                "service": "web",
                "port": "80",
                "endpoints": [
                    {"endpoint": "10.1.0.2:8080", "status": 502, "seconds": 0.0},
                    {
                        "endpoint": "10.1.0.1:8080",
                        "status": 200,
                        "connect_seconds": 0.001,
                        "header_seconds": 0.002,
                        "seconds": 0.03,
                    },
                ],
            },
        )
        self.assertEqual(self.told(answered(request))["user"], "ann")

    def test_canary(self) -> None:
        """The name of the canary comes with the Service of the rule."""
        told = self.told(CANARY)
        self.assertEqual((told["service"], told["canary"]), ("web", "default-new-80"))

    def test_little(self) -> None:
        """What is not known, or not there, is left out."""
        request = request_of({b"user-agent": b""}, is_http_10=True)
        request.authority = b""
        record = answered(request, route=None, tries=(), client_address=b"")
        record.status, record.outcome, record.detail = 404, Outcome.NO_ROUTE, "No rule matches."
        found = self.told(record)
        self.assertEqual(found["client"], "unix:")
        self.assertEqual((found["outcome"], found["reason"]), ("no_route", "No rule matches."))
        self.assertEqual(found["version"], "1.0")
        for key in ("host", "user", "referer", "user_agent", "ingress", "service", "endpoints"):
            self.assertNotIn(key, found)

    def test_no_service(self) -> None:
        """A rule without a Service is told as that."""
        found = self.told(
            answered(route=Route(ingress=("default", "web"), upstream=None), tries=())
        )
        self.assertEqual(found["ingress"], "web")
        self.assertNotIn("service", found)

    def test_no_request(self) -> None:
        """Of what was no request there is the beginning; bytes that are no text are escaped."""
        record = ExchangeRecord(b"192.0.2.1", 100.0)
        record.status, record.line = 400, b"\x16\x03\xff caf\xc3\xa9 \x7f"
        found = self.told(record)
        self.assertEqual(found["line"], "\x16\x03\\xff café \x7f")
        self.assertNotIn("target", found)

    def test_left(self) -> None:
        """An endpoint that was left has no status."""
        (endpoint,) = self.told(answered(tries=[AttemptRecord(ENDPOINT, 100.0)]))["endpoints"]
        self.assertEqual(endpoint, {"endpoint": "10.1.0.1:8080"})

    @given(targets, any_bytes, any_bytes, users)
    def test_round_trip(self, target: bytes, referer: bytes, agent: bytes, user: bytes) -> None:
        """Whatever a peer sends, a line is one of printable ASCII, and has it all."""
        fields = {b"referer": referer, b"user-agent": agent, **basic(user + b":secret")}
        found = self.told(answered(request_of(fields, target=target)))
        self.assertEqual(found["target"], target.decode())
        for key, value in (("referer", referer), ("user_agent", agent), ("user", user)):
            self.assertEqual(found.get(key, ""), value.decode("utf-8", "backslashreplace"))


class TimeTests(SynchronousTestCase):
    def test_nginx(self) -> None:
        """nginx's form, in the local zone, with its offset."""
        text = nginx_time(1795657647.9)
        self.assertRegex(text, rb"\A\d\d/Nov/2026:\d\d:\d\d:27 [+-]\d{4}\Z")
        read = datetime.strptime(text.decode(), "%d/%b/%Y:%H:%M:%S %z")
        self.assertEqual(read.timestamp(), 1795657647)

    def test_iso(self) -> None:
        """RFC 3339 in UTC."""
        self.assertEqual(iso_time(1795657647.9), b"2026-11-26T01:47:27Z")


class FormatTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each format of the configuration makes lines."""
        names = get_args(get_type_hints(AccessLog)["format"])
        self.assertEqual(names, tuple(FORMATS))
        for name, (to_line, to_text) in FORMATS.items():
            self.assertTrue(to_line(answered(), to_text(0.0)).endswith(b"\n"), name)
