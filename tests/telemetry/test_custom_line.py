"""
Tests for `ingress.telemetry.custom_line`.
"""

from __future__ import annotations

import json
import pickle
from base64 import b64encode
from typing import Literal

from twisted.trial.unittest import SynchronousTestCase

from ingress.config.access_log import CustomLine
from ingress.errors import Outcome
from ingress.log_template import DEFAULT_TEMPLATE, VARIABLES, LogTemplate
from ingress.telemetry.custom_line import compile_line
from ingress.telemetry.log_line import nginx_exact_line
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from tests.support.exchange_record import ID, answered, request_of
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT

TIME = b"26/Nov/2026:01:47:27 +0000"

HOSTILE = {
    b"user-agent": b'evil" \\ \xff\xc3\xa9\x7f\t',
    b"referer": b'", "status": "200',
    b"authorization": b"Basic " + b64encode(b"a b\n:secret"),
}


def line(
    written: str,
    record: ExchangeRecord,
    escape: Literal["default", "json", "none"] = "default",
) -> bytes:
    # As a worker gets it.
    custom = pickle.loads(pickle.dumps(CustomLine(LogTemplate.read(written), escape)))
    return compile_line(custom)(record, TIME).removesuffix(b"\n")


class CompileLineTests(SynchronousTestCase):
    """What nginx writes for the same."""

    def records(self) -> list[ExchangeRecord]:
        request = request_of({b"referer": b"https://b.example/", b"user-agent": b"curl/8.5"})
        hostile = answered(request_of(HOSTILE))
        unread = ExchangeRecord(b"", 0.0)
        unread.line, unread.status, unread.request_id = b'GET "\x00', 400, ID
        several = answered()
        several.tries = [
            AttemptRecord(ENDPOINT, 0.0, 502, 0.1, None, 0.2),
            AttemptRecord(OTHER_ENDPOINT, 0.0, 200, None, 0.01, 0.02),
        ]
        return [answered(request), hostile, unread, several, answered(tries=[])]

    def test_default(self) -> None:
        """The default of ingress-nginx, compiled, is what the built-in format writes."""
        compiled = compile_line(CustomLine(DEFAULT_TEMPLATE))
        for record in self.records():
            self.assertEqual(compiled(record, TIME), nginx_exact_line(record, TIME))

    def test_all(self) -> None:
        """Each variable has a value for each kind of exchange, in a line of printable ASCII."""
        for name in VARIABLES:
            for record in self.records():
                for escape in ("default", "json"):
                    text = line(f"${name}", record, escape)
                    self.assertTrue(text.decode("ascii").isprintable(), (name, text))

    def test_json(self) -> None:
        """With escape=json a line of JSON is JSON, whatever a client sends."""
        written = (
            '{"agent": "$http_user_agent", "referer": "$http_referer", "user": "$remote_user",'
            ' "request": "$request", "none": "$http_none", "status": $status}'
        )
        for record in self.records():
            told = json.loads(line(written, record, "json"))
            self.assertEqual(told["none"], "")
        told = json.loads(line(written, answered(request_of(HOSTILE)), "json"))
        self.assertEqual(told["agent"], 'evil" \\ \\xffé\x7f\t')
        self.assertEqual((told["referer"], told["user"]), ('", "status": "200', "a b\n"))

    def test_none(self) -> None:
        """With escape=none values are as they are, but a line stays a line."""
        record = answered(request_of({b"user-agent": b'a"b\\c', b"referer": b"x\x0by"}))
        self.assertEqual(
            line("$http_user_agent|$http_referer|$http_none|", record, "none"), rb'a"b\c|x\x0By||'
        )

    def test_families(self) -> None:
        """Fields, cookies and arguments by name; a token for explanations never."""
        request = request_of(
            {b"cookie": b"a=1; B=2", b"x-a-b": b"c", b"x-explain": b"of the operator"},
            target=b"/p?x=1&Y=2",
        )
        text = line("$cookie_b $arg_y $arg_z $http_x_a_b $http_x_explain $uri", answered(request))
        self.assertEqual(text, b"2 2 - c - /")

    def test_documented(self) -> None:
        """The format in JSON of ingress-nginx's documentation is JSON, with nothing amiss."""
        written = (
            '{"time": "$time_iso8601", "remote_addr": "$proxy_protocol_addr", "x_forwarded_for": '
            '"$proxy_add_x_forwarded_for", "request_id": "$req_id", "remote_user": "$remote_user", '
            '"bytes_sent": $bytes_sent, "request_time": $request_time, "status": $status, "vhost": '
            '"$host", "request_proto": "$server_protocol", "path": "$uri", "request_query": "$args", '
            '"request_length": $request_length, "duration": $request_time,"method": '
            '"$request_method", "http_referrer": "$http_referer", "http_user_agent": '
            '"$http_user_agent" }'
        )
        self.assertEqual(LogTemplate.read(written).without_value, ())
        record = answered(request_of({b"x-forwarded-for": b"198.51.100.1"}))
        told = json.loads(line(written, record, "json"))
        self.assertEqual(told["x_forwarded_for"], "198.51.100.1, 192.0.2.1")
        self.assertEqual((told["remote_addr"], told["vhost"]), ("", "a.example"))
        custom = CustomLine(LogTemplate.read("$proxy_protocol_addr"), has_proxy_protocol=True)
        self.assertEqual(compile_line(custom)(record, TIME), b"192.0.2.1\n")

    def test_percent(self) -> None:
        """A % is itself, and so is text that is no ASCII."""
        self.assertEqual(line("100% %b %% é $status", answered()), "100% %b %% é 200".encode())

    def test_scheme(self) -> None:
        """Scheme and port are the client's."""
        record = answered()
        written = "$scheme $https $server_port"
        self.assertEqual(line(written, record), b"http  80")
        record.is_secure = True
        self.assertEqual(line(written, record), b"https on 443")

    def test_rule(self) -> None:
        """The names of the rule."""
        text = line("$namespace $ingress_name $service_name $service_port", answered())
        self.assertEqual(text, b"default web web 80")
        lost = ExchangeRecord(b"192.0.2.1", 0.0)
        lost.outcome = Outcome.NO_ROUTE
        self.assertEqual(line("$namespace $txingress_outcome", lost), b" no_route")

    def test_without_value(self) -> None:
        """What has no value here is as good as absent."""
        self.assertEqual(line("[$ssl_cipher]", answered()), b"[-]")
        self.assertEqual(line("[$ssl_cipher]", answered(), "json"), b"[]")
