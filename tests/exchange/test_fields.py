"""Tests of `ingress.exchange.fields`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.encoded_fields import EncodedFields
from ingress.errors import Outcome
from ingress.exchange import fields as fields_module
from ingress.exchange.field_names import FieldNames
from ingress.exchange.fields import (
    answer_fields,
    downstream_fields,
    downstream_trailers,
    interim_fields,
    own_request_id,
    upstream_head,
    upstream_trailers,
)
from ingress.exchange.loop_marker import LoopMarker
from ingress.exchange.message_edits import apply_edits
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.http1.response_head import parse_response_head
from ingress.http_date import date_now
from ingress.message import DatedFields, Response
from tests.support.upstream_head import (
    UpstreamHeadCase,
    make_request,
)


def make_response(*fields: bytes, status: int = 200) -> Response:
    lines = [b"HTTP/1.1 %d X" % status, *fields]
    return parse_response_head(b"\r\n".join(lines) + b"\r\n\r\n", b"GET")[0]


class RequestFieldsTests(UpstreamHeadCase):
    def test_order_and_number(self) -> None:
        """The client's fields go on in order, number and spelling, Host among them."""
        message = self.send(b"Accept: */*", b"cOOkie: a", b"X-One: 1", b"X-one: 2", b"X-Empty:")
        self.assertEqual(
            message.fields[:6],
            [
                (b"Host", b"a.example"),
                (b"Accept", b"*/*"),
                (b"cOOkie", b"a"),
                (b"X-One", b"1"),
                (b"X-one", b"2"),
                (b"X-Empty", b""),
            ],
        )

    def test_trailers_are_taken(self) -> None:
        """TE goes to the endpoint with trailers alone, and is named in Connection."""
        message = self.send(b"TE: gzip, Trailers;q=0.5, trailers")
        self.assertEqual(message.values(b"TE"), [b"trailers"])
        self.assertEqual(message.values(b"Connection"), [b"TE"])

    def test_hop_by_hop(self) -> None:
        """Fields of this hop, by nature or by Connection, do not pass."""
        message = self.send(
            b"Connection: keep-alive, X-Hop",
            b"X-Hop: 1",
            b"Keep-Alive: 5",
            b"Proxy-Connection: keep-alive",
            b"TE: gzip",
            b"Trailer: X",
            b"Upgrade: h2c",
            b"HTTP2-Settings: x",
        )
        names = (b"Connection", b"X-Hop", b"Keep-Alive", b"Proxy-Connection", b"TE", b"Trailer")
        self.check(message, {name: [] for name in (*names, b"Upgrade")})

    def test_expectation_of_http_10(self) -> None:
        """Expect means nothing in HTTP/1.0 and is not passed on."""
        self.assertEqual(self.send(b"Expect: 100-continue").values(b"Expect"), [b"100-continue"])
        message = self.send(b"Expect: 100-continue", version=b"1.0")
        self.assertEqual(message.values(b"Expect"), [])

    def test_long_names_are_not_kept(self) -> None:
        """Values that differ each time are not kept beyond their request."""
        before = fields_module._judge_name.cache_info().currsize
        self.send(b"X-" + b"a" * 10_000 + b": 1")
        self.assertLess(fields_module._judge_name.cache_info().currsize - before, 2)


class OwnRequestIdTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """An id of the client's that is a token is kept."""
        for own in (b"a", b"A-z0.9_", b"a" * 128):
            request = make_request(b"X-Request-ID: " + own)
            self.assertEqual(own_request_id(request), own)
            self.assertEqual(own_request_id(request), own)

    def test_none(self) -> None:
        """The id is empty without one that is a token."""
        self.assertEqual(own_request_id(make_request()), b"")
        for own in (b"", b"a" * 129, b"a b", b"<a>", b"a,b", b"\xe4"):
            self.assertEqual(own_request_id(make_request(b"X-Request-ID: " + own)), b"")


class DownstreamFieldsTests(SynchronousTestCase):
    def test_order_and_number(self) -> None:
        """The endpoint's fields reach the client in order, number and spelling."""
        fields = downstream_fields(
            make_response(b"Date: x", b"Set-Cookie: a", b"set-cookie: b", b"Content-Length: 5"),
            NO_EDITS,
        )
        self.assertEqual(
            fields,
            [
                (b"Date", b"x"),
                (b"Set-Cookie", b"a"),
                (b"set-cookie", b"b"),
                (b"Content-Length", b"5"),
            ],
        )

    def test_date(self) -> None:
        """A Date is added if the endpoint sent none, or one for this hop."""
        for response in (make_response(), make_response(b"Connection: Date", b"Date: x")):
            (date,) = [
                value for name, value in downstream_fields(response, NO_EDITS) if name == b"Date"
            ]
            self.assertRegex(date, rb"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")

    def test_hop_by_hop(self) -> None:
        """Fields of the endpoint's hop do not reach the client."""
        fields = downstream_fields(
            make_response(
                b"Date: x",
                b"Connection: close, X-Hop",
                b"X-Hop: 1",
                b"Keep-Alive: 5",
                b"Transfer-Encoding: chunked",
                b"Trailer: X",
                b"Upgrade: h2c",
                b"Proxy-Connection: close",
            ),
            NO_EDITS,
        )
        self.assertEqual(fields, [(b"Date", b"x")])

    def test_connection_cannot_remove_the_length(self) -> None:
        """Content-Length passes even if Connection names it."""
        fields = downstream_fields(
            make_response(b"Connection: Content-Length", b"Content-Length: 5"), NO_EDITS
        )
        self.assertIn((b"Content-Length", b"5"), fields)

    def test_no_length_with_204(self) -> None:
        """A 204 has no Content-Length, a 304 may have one."""
        fields = downstream_fields(make_response(b"Content-Length: 0", status=204), NO_EDITS)
        self.assertNotIn(b"Content-Length", dict(fields))
        fields = downstream_fields(make_response(b"Content-Length: 5", status=304), NO_EDITS)
        self.assertIn(b"Content-Length", dict(fields))

    def test_kept_with_its_date(self) -> None:
        """What was made with a Date of ours serves the responses of the same second alone."""
        response = make_response(b"X: 1")
        while True:
            date = date_now()
            one, other = (downstream_fields(response, NO_EDITS) for _ in range(2))
            if date is date_now():
                break
        self.assertIs(one, other)
        self.assertEqual(one, [(b"X", b"1"), (b"Date", date)])
        response.cache.dated = DatedFields(b"earlier")
        response.cache.dated.fields[b""] = EncodedFields([(b"Date", b"earlier")])
        later = dict(downstream_fields(response, NO_EDITS))
        self.assertNotEqual(later[b"Date"], b"earlier")

    def test_trailers_that_come_again(self) -> None:
        """Of trailers that an endpoint repeats, those that pass are chosen once."""
        trailers = EncodedFields([(b"grpc-status", b"0"), (b"Set-Cookie", b"a=b")])
        found = downstream_trailers(trailers)
        self.assertEqual(found, [(b"grpc-status", b"0")])
        self.assertIs(downstream_trailers(trailers), found)
        self.assertEqual(downstream_trailers([*trailers]), found)

    def test_interim(self) -> None:
        """An interim response has neither fields of the hop, nor a length, nor a Date of ours."""
        fields = interim_fields(
            make_response(
                b"Link: </a>", b"Connection: X-Hop", b"X-Hop: 1", b"Content-Length: 0", status=103
            )
        )
        self.assertEqual(fields, [(b"Link", b"</a>")])


class AnswerFieldsTests(SynchronousTestCase):
    def test_all(self) -> None:
        """An answer of our own has a date, a type, a length, the id and its own fields."""
        answer = Answer(308, Outcome.REDIRECTED, "Over there.", ((b"Location", b"https://a"),))
        fields, body = answer_fields(answer, b"text/html", b"id-1", NO_EDITS)
        self.assertEqual(fields[0][0], b"Date")
        self.assertEqual(
            fields[1:],
            [
                (b"Content-Type", b"text/html; charset=utf-8"),
                (b"Content-Length", b"%d" % len(body)),
                (b"X-Request-ID", b"id-1"),
                (b"Location", b"https://a"),
            ],
        )


class EditTests(SynchronousTestCase):
    """Edits, with HSTS as an example."""

    def test_replaces_the_endpoints(self) -> None:
        """The response has our field alone; without ours the endpoint's own passes."""
        response, _ = parse_response_head(
            b"HTTP/1.1 200 OK\r\nDate: today\r\nstrict-transport-security: max-age=0\r\nX: 1\r\n\r\n",
            b"GET",
        )
        ours = (b"Strict-Transport-Security", b"max-age=5")
        theirs = (b"strict-transport-security", b"max-age=0")
        others = [(b"Date", b"today"), (b"X", b"1")]
        edits = FieldEdits(replace=(ours,))
        for _ in range(2):
            self.assertEqual(downstream_fields(response, edits), [*others, ours])
            self.assertEqual(downstream_fields(response, NO_EDITS), [others[0], theirs, others[1]])

    def test_answers(self) -> None:
        """An answer of our own has the field as well."""
        edits = FieldEdits(replace=((b"Strict-Transport-Security", b"max-age=5"),))
        fields, _ = answer_fields(Answer(404, Outcome.NO_ROUTE, "None."), None, b"1", edits)
        self.assertEqual(fields[-1], (b"Strict-Transport-Security", b"max-age=5"))

    def test_no_body(self) -> None:
        """An answer without a body has neither a type nor a length."""
        for has_body in (False, True):
            answer = Answer(204, Outcome.OK, "", ((b"X-Allowed", b"GET"),), has_body=has_body)
            fields, body = answer_fields(answer, None, b"1", NO_EDITS)
            self.assertEqual(body, b"")
            self.assertEqual([name for name, _ in fields], [b"Date", b"X-Request-ID", b"X-Allowed"])

    def test_no_body_where_one_could_be(self) -> None:
        """An answer without a body has a length of 0 if a client could wait for one."""
        answer = Answer(200, Outcome.OK, "", has_body=False)
        fields, body = answer_fields(answer, None, b"1", NO_EDITS)
        self.assertEqual((body, dict(fields)[b"Content-Length"]), (b"", b"0"))

    def test_requests(self) -> None:
        """A request is edited for its endpoint, and the next one without edits is not."""
        edits = FieldEdits(
            replace=((b"X-A", b"ours"), (b"Host", b"other.example")),
            add=((b"X-B", b"2"),),
            remove=frozenset({b"x-c"}),
        )
        request = make_request(b"X-A: 1", b"X-B: 1", b"X-C: 1", b"X-D: 1")
        client = BelievedClient(b"", b"a.example", b"", is_secure=False, is_trusted=False)
        for _ in range(2):
            head = upstream_head(request, client, b"1", FieldNames(), edits, LoopMarker())
            self.assertEqual(head.authority, b"other.example")
            self.assertEqual(
                list(head.fields),
                [
                    (b"X-B", b"1"),
                    (b"X-D", b"1"),
                    (b"X-A", b"ours"),
                    (b"X-B", b"2"),
                    (b"CDN-Loop", b"txingress"),
                ],
            )
            head = upstream_head(request, client, b"1", FieldNames(), NO_EDITS, LoopMarker())
            self.assertEqual(head.authority, b"a.example")
            self.assertEqual(len(head.fields), 5)


class RequestTrailersTests(SynchronousTestCase):
    def test_edits(self) -> None:
        """No trailer brings back what edits of the route or of a single request take out or set."""
        request = make_request()
        client = BelievedClient(b"", b"", b"", is_secure=False, is_trusted=False)
        static = FieldEdits(remove=frozenset({b"x-user", b"x-group"}))
        head = upstream_head(request, client, b"", FieldNames(), static, LoopMarker())
        apply_edits(head, FieldEdits(replace=((b"X-Claim", b"1"),)))
        trailers = [(name, b"1") for name in (b"X-User", b"x-group", b"X-Claim", b"X-Checksum")]
        self.assertEqual(upstream_trailers(trailers, head), [(b"X-Checksum", b"1")])
