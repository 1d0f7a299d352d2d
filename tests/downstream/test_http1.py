"""Tests of `ingress.downstream.http1`: connections, as their clients see them."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.downstream.http1 import (
    MAX_PIPELINED,
)
from ingress.endpoint import UpstreamKey
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from tests.support.corpus import (
    BAD_CHUNKED_BODIES,
    BAD_REQUESTS,
    FRAMING_TRAILERS,
    TOO_LARGE_REQUESTS,
)
from tests.support.memory_socket import CAPACITY
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    ONE_BUFFER_TOO_MUCH,
    UPSTREAM,
    Message,
    Peer,
    Wire,
    post,
    request,
    response,
    snapshot_of,
)

MUCH = b"x" * (8 * CAPACITY)
"""More than all buffers between a client and an endpoint hold together."""


class BrokenKey(UpstreamKey):
    """The key of an Upstream with a fault of our own: it cannot be looked up."""

    def __hash__(self) -> int:
        raise ZeroDivisionError


def broken_snapshot() -> Snapshot:
    route = Route(ingress=("default", "web"), upstream=BrokenKey(*UPSTREAM))
    return snapshot_of(ENDPOINT, route=route)


class OneRequestTests(SynchronousTestCase):
    """A request goes to the endpoint and its response comes back."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()

    def test_whole(self) -> None:
        """A request is passed on and its response passed back."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().first_line, b"GET / HTTP/1.1")
        endpoint.send(OK)
        answer = self.client.receive()
        self.assertEqual(answer.first_line, b"HTTP/1.1 200 OK")
        self.assertEqual(answer.rest, b"ok")
        self.assertTrue(self.client.is_open)

    def test_bytewise(self) -> None:
        """The pieces in which the bytes of either side come make no difference."""
        self.client.send_bytewise(post(5) + b"hello")
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().rest, b"hello")
        endpoint.send_bytewise(OK)
        self.assertEqual(self.client.receive().rest, b"ok")

    def test_raw_target(self) -> None:
        """The target goes upstream as it was written."""
        self.client.send(request(b"GET", target=b"/a/../b%2f//c?d=%zz&&"))
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().first_line, b"GET /a/../b%2f//c?d=%zz&& HTTP/1.1")

    def test_chunked_request(self) -> None:
        """A body of unknown length goes upstream in chunks, as it comes."""
        self.client.send(request(b"POST", b"Transfer-Encoding: chunked"))
        endpoint = self.wire.accept()
        head = endpoint.receive()
        self.assertEqual(head.values(b"Transfer-Encoding"), [b"chunked"])
        self.client.send(b"5;a=b\r\nhello\r\n")
        self.assertEqual(endpoint.read(), b"5\r\nhello\r\n")
        self.client.send(b"0\r\nX-Trailer: 1\r\n\r\n")
        self.assertEqual(endpoint.read(), b"0\r\n\r\n")

    def test_chunked_response(self) -> None:
        """A body of unknown length reaches the client in chunks, as it comes."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n")
        head = self.client.receive()
        self.assertEqual(head.values(b"Transfer-Encoding"), [b"chunked"])
        self.assertEqual(head.rest, b"5\r\nhello\r\n")
        endpoint.send(b"0\r\n\r\n")
        self.assertEqual(self.client.read(), b"0\r\n\r\n")
        self.assertTrue(self.client.is_open)

    def test_response_until_close(self) -> None:
        """A body that ends with the endpoint's connection reaches the client in chunks."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(response(200) + b"hello")
        self.assertEqual(self.client.receive().rest, b"5\r\nhello\r\n")
        endpoint.close()
        self.assertEqual(self.client.read(), b"0\r\n\r\n")
        self.assertTrue(self.client.is_open)

    def test_head(self) -> None:
        """The answer to HEAD keeps its length and has no body; the connection is kept."""
        self.client.send(request(b"HEAD") + GET)
        endpoint = self.wire.accept()
        endpoint.send(response(200, b"Content-Length: 1000"))
        answer = self.client.receive()
        self.assertEqual(answer.values(b"Content-Length"), [b"1000"])
        self.assertEqual(answer.rest, b"")
        self.wire.accept().send(OK)
        self.assertEqual(self.client.receive().rest, b"ok")

    def test_without_body(self) -> None:
        """204 and 304 end with their heads."""
        for status in (204, 304):
            self.client.send(GET)
            if status == 204:
                endpoint = self.wire.accept()
            endpoint.send(response(status))
            answer = self.client.receive()
            self.assertEqual((answer.status, answer.rest), (status, b""))
            self.assertEqual(answer.values(b"Transfer-Encoding"), [])

    def test_proxy_answers_head(self) -> None:
        """An answer of the proxy's own to HEAD has a length and no body."""
        self.client.send(request(b"HEAD"))
        self.wire.next_dial().refuse()
        answer = self.client.receive()
        self.assertEqual(answer.status, 502)
        self.assertNotEqual(answer.values(b"Content-Length"), [b"0"])
        self.assertEqual(answer.rest, b"")
        self.assertTrue(self.client.is_open)

    def test_over_https(self) -> None:
        """Each answer over https has our HSTS field, refusals included."""
        client = Wire(is_secure=True).connect()
        client.send(b"BREW / HTTP/1.1\r\n\r\n")
        answer = client.receive()
        self.assertEqual(answer.status, 501)
        self.assertEqual(
            answer.values(b"Strict-Transport-Security"), [b"max-age=31536000; includeSubDomains"]
        )


class HTTP10Tests(SynchronousTestCase):
    def ask(self, *fields: bytes) -> tuple[Peer, Peer]:
        wire = Wire()
        client = wire.connect()
        client.send(request(b"GET", *fields, version=b"1.0"))
        return client, wire.accept()

    def test_closes(self) -> None:
        """A client of HTTP/1.0 gets its answer and a closed connection."""
        client, endpoint = self.ask()
        self.assertEqual(endpoint.receive().first_line, b"GET / HTTP/1.1")
        endpoint.send(OK)
        answer = client.receive()
        self.assertEqual(answer.values(b"Connection"), [b"close"])
        self.assertEqual(answer.rest, b"ok")
        self.assertTrue(client.saw_end)

    def test_keep_alive(self) -> None:
        """A client of HTTP/1.0 that asks to keep the connection learns that it is kept."""
        client, endpoint = self.ask(b"Connection: keep-alive")
        endpoint.send(OK)
        self.assertEqual(client.receive().values(b"Connection"), [b"keep-alive"])
        self.assertTrue(client.is_open)

    def test_body_of_unknown_length(self) -> None:
        """A body without length ends with the connection, even if that was to be kept."""
        client, endpoint = self.ask(b"Connection: keep-alive")
        endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n0\r\n\r\n")
        answer = client.receive()
        self.assertEqual(answer.values(b"Connection"), [b"close"])
        self.assertEqual(answer.values(b"Transfer-Encoding"), [])
        self.assertEqual(answer.rest, b"hello")
        self.assertTrue(client.saw_end)

    def test_truncated_body_of_unknown_length(self) -> None:
        """The connection is reset if an orderly end would pass for the end of the body."""
        client, endpoint = self.ask()
        endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n")
        self.assertEqual(client.receive().rest, b"hello")
        endpoint.close()
        self.assertTrue(client.saw_reset)

    def test_interim(self) -> None:
        """Interim responses never reach a client of HTTP/1.0."""
        client, endpoint = self.ask()
        endpoint.send(response(100) + response(103, b"Link: x") + OK)
        self.assertEqual(client.receive().status, 200)

    def test_without_host(self) -> None:
        """HTTP/1.0 needs no Host."""
        wire = Wire()
        client = wire.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        endpoint = wire.accept()
        self.assertEqual(endpoint.receive().values(b"Host"), [b""])
        endpoint.send(OK)
        self.assertEqual(client.receive().status, 200)


class KeepAliveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()

    def test_both_sides(self) -> None:
        """Many requests need one connection on either side."""
        endpoint = None
        for _ in range(3):
            self.client.send(GET)
            endpoint = endpoint or self.wire.accept()
            self.assertEqual(endpoint.receive().first_line, b"GET / HTTP/1.1")
            endpoint.send(OK)
            self.assertEqual(self.client.receive().rest, b"ok")
        self.assertEqual(self.wire.dials, [])

    def test_after_a_body_that_came_with_its_head(self) -> None:
        """A body that came whole while the endpoint was dialled leaves the connection usable."""
        self.client.send(post(5) + b"hello")
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().rest, b"hello")
        endpoint.send(OK)
        self.client.read()
        self.client.send(GET)
        self.assertEqual(endpoint.receive().first_line, b"GET / HTTP/1.1")

    def test_after_a_failed_dial_with_a_body(self) -> None:
        """A request whose endpoint cannot be reached leaves the connection usable."""
        self.client.send(post(5) + b"hello")
        self.wire.next_dial().refuse()
        self.assertEqual(self.client.receive().status, 502)
        self.client.send(GET)
        self.assertEqual(self.wire.accept().receive().first_line, b"GET / HTTP/1.1")

    def test_close(self) -> None:
        """A client that asks for it finds the connection closed after the answer."""
        self.client.send(request(b"GET", b"Connection: close"))
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().values(b"Connection"), [])
        endpoint.send(OK)
        self.assertEqual(self.client.receive().values(b"Connection"), [b"close"])
        self.assertTrue(self.client.saw_end)
        endpoint.send_some(b"")
        self.assertTrue(endpoint.is_open)

    def test_pipelined(self) -> None:
        """Requests sent at once are answered one after the other, in order."""
        targets = [b"/%d" % number for number in range(5)]
        self.client.send(b"".join(request(b"GET", target=target) for target in targets))
        endpoint = self.wire.accept()
        for target in targets:
            self.assertEqual(endpoint.receive().first_line, b"GET " + target + b" HTTP/1.1")
            endpoint.send(OK)
        self.assertEqual(self.client.read().count(b"\r\n\r\nok"), 5)

    def test_pipelined_behind_a_body(self) -> None:
        """What follows a body is the next request."""
        self.client.send(post(5) + b"hello" + GET + request(b"POST", b"Transfer-Encoding: chunked"))
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().rest, b"hello")
        endpoint.send(OK)
        self.assertEqual(endpoint.receive().first_line, b"GET / HTTP/1.1")
        endpoint.send(OK)
        self.assertEqual(endpoint.receive().first_line, b"POST / HTTP/1.1")

    def test_pipelined_own_answers(self) -> None:
        """Many requests that the proxy answers itself are answered one after the other."""
        wire = Wire(route=Route(ingress=("default", "web"), upstream=None))
        client = wire.connect()
        client.send(GET * 500)
        self.assertEqual(client.read().count(b"HTTP/1.1 404 Not Found"), 500)
        self.assertTrue(client.is_open)

    def test_pipelined_garbage(self) -> None:
        """A bad request after a good one is refused after the answer to the good one."""
        self.client.send(GET + b"nonsense\r\n\r\n")
        self.wire.accept().send(OK)
        first = self.client.receive()
        self.assertEqual(first.rest[:2], b"ok")
        self.assertEqual(Message.parse(first.rest[2:]).status, 400)
        self.assertTrue(self.client.saw_end)

    def test_pipelined_without_bound(self) -> None:
        """Further requests wait in the client once enough of them wait here."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        more = request(b"GET", b"X: " + b"a" * 1000) * 500
        sent = self.client.send_some(more)
        self.assertGreater(sent, MAX_PIPELINED)
        self.assertLess(sent, MAX_PIPELINED + 3 * CAPACITY)
        for _ in range(501):
            self.assertIn(b"GET", endpoint.read())
            endpoint.send(OK)
            self.assertEqual(self.client.receive().rest, b"ok")
            sent += self.client.send_some(more[sent:])
        self.assertEqual(sent, len(more))

    def test_head_larger_than_what_is_kept(self) -> None:
        """A head may have all that its limit allows, be it the first one or pipelined."""
        wire = Wire(config=Config(limits=Limits(head_size=8 * MAX_PIPELINED)))
        client = wire.connect()
        large = request(b"GET", b"X: " + b"a" * (4 * MAX_PIPELINED))
        client.send(large)
        endpoint = wire.accept()
        self.assertIn(b"X: aaa", endpoint.read())
        sent = client.send_some(large)
        self.assertLess(sent, len(large))
        endpoint.send(OK)
        client.send(large[sent:])
        self.assertIn(b"X: aaa", endpoint.read())

    def test_empty_lines_before_a_request(self) -> None:
        """Empty lines before a request are ignored, in whatever pieces they come."""
        self.client.send(b"\r\n\r\n" + GET)
        endpoint = self.wire.accept()
        endpoint.send(OK)
        self.assertEqual(self.client.receive().status, 200)
        self.client.send_bytewise(b"\r\n\r\n" + GET)
        endpoint.send(OK)
        self.assertEqual(self.client.receive().status, 200)


class RefusalTests(SynchronousTestCase):
    """Bad requests are answered with a reason, reach no endpoint, and end the connection."""

    def refused(self, data: bytes, *, bytewise: bool = False) -> tuple[Wire, Peer]:
        # Else the preface of HTTP/2 would not be refused.
        wire = Wire(config=Config(limits=Limits(http2_streams=0)))
        client = wire.connect()
        if bytewise:
            for index in range(len(data)):
                if client.send_some(data[index : index + 1]) == 0:
                    break
        else:
            client.send(data)
        return wire, client

    def test_bad_heads(self) -> None:
        """A bad head is answered with 400, the connection is closed, and no endpoint is asked."""
        wrong = {}
        for name, data in BAD_REQUESTS.items():
            for sent, bytewise in ((data, False), (data, True), (data + GET, False)):
                wire, client = self.refused(sent, bytewise=bytewise)
                answer = client.read().replace(b"HTTP/1.1 request", b"")
                status = Message.parse(answer).status if answer else None
                if (
                    status != 400
                    or not client.saw_end
                    or wire.dials
                    or answer.count(b"HTTP/1.1 ") > 1
                ):
                    wrong[name] = (status, client.saw_end, len(wire.dials))
        self.assertEqual(wrong, {})

    def test_too_large(self) -> None:
        """A target that is too long is answered with 414, a head that is too large with 431."""
        for name, (status, data) in TOO_LARGE_REQUESTS.items():
            wire, client = self.refused(data)
            self.assertEqual(client.receive().status, status, name)
            self.assertTrue(client.saw_end)
            self.assertEqual(wire.dials, [])

    def test_bad_bodies(self) -> None:
        """A body that turns out to be bad is answered with 400, and never gets a last chunk."""
        head = request(b"POST", b"Transfer-Encoding: chunked")
        wrong = {}
        for name, data in (BAD_CHUNKED_BODIES | FRAMING_TRAILERS).items():
            for pieces in ([head + data], [head, data[:-1]], [head, *data.split(b"\n")]):
                wire = Wire()
                client = wire.connect()
                client.send(pieces[0])
                endpoint = wire.accept() if wire.dials else None
                for piece in pieces[1:]:
                    client.send_some(piece + b"\n")
                got = endpoint.read() if endpoint is not None else b""
                answer = client.read()
                status = Message.parse(answer).status if answer else None
                is_cut = endpoint is None or endpoint.saw_reset
                if status != 400 or not client.saw_end or b"\r\n0\r\n\r\n" in got or not is_cut:
                    wrong[name] = (status, client.saw_end, got, is_cut)
        self.assertEqual(wrong, {})

    def test_bad_body_after_the_response_began(self) -> None:
        """A body that turns out to be bad during its response cuts both."""
        wire = Wire()
        client = wire.connect()
        client.send(request(b"POST", b"Transfer-Encoding: chunked"))
        endpoint = wire.accept()
        endpoint.send(CHUNKED_OK + b"2\r\nok\r\n")
        client.read()
        client.send(b"nonsense\r\n")
        self.assertEqual(client.read(), b"")
        self.assertFalse(client.is_open)
        self.assertTrue(endpoint.saw_reset)

    def test_answer_reaches_a_client_that_goes_on_sending(self) -> None:
        """The write side closes first, and input is still read, so that the answer is not lost."""
        wire, client = self.refused(b"BREW / HTTP/1.1\r\n\r\n" + MUCH)
        client.send(MUCH)
        self.assertEqual(client.receive().status, 501)
        self.assertTrue(client.saw_end)
        client.close()
        self.assertEqual(len(wire.plane.clients.connections), 0)

    def test_lingering_is_bounded(self) -> None:
        """A refused client that goes on sending is cut after a while."""
        wire, client = self.refused(b"BREW / HTTP/1.1\r\n\r\n")
        wire.advance(LIMITS.linger_timeout + 2)
        self.assertTrue(client.saw_reset)
        self.assertEqual(len(wire.plane.clients.connections), 0)

    def test_lingering_ends_with_the_process(self) -> None:
        """A connection that only lingers does not keep the process, once it drains."""
        wire, client = self.refused(b"BREW / HTTP/1.1\r\n\r\n")
        self.assertEqual(client.receive().status, 501)
        wire.plane.clients.is_draining = True
        drained = wire.plane.clients.connections.drain()
        wire.network.settle()
        self.successResultOf(drained)
        self.assertFalse(client.is_open)

    def test_nothing_is_echoed(self) -> None:
        """A refusal has nothing that the client sent."""
        _, client = self.refused(
            b"GET /<script> HTTP/1.1\r\nHost: <script>\r\nAccept: text/html\r\n"
            b"X-Request-ID: <script>\r\n\r\n"
        )
        self.assertNotIn(b"script", client.read())

    def test_fault_of_our_own(self) -> None:
        """A fault of the proxy is a 500 and logged, and ends that connection alone."""
        wire = Wire()
        wire.plane.publish(broken_snapshot())
        client = wire.connect()
        client.send(GET)
        self.assertEqual(client.receive().status, 500)
        self.assertTrue(client.saw_end)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_fault_of_our_own_behind_another_request(self) -> None:
        """A fault of the proxy in a pipelined request leaves the endpoint's connection alone."""
        wire = Wire()
        client = wire.connect()
        client.send(GET)
        endpoint = wire.accept()
        client.send(GET)
        wire.plane.publish(broken_snapshot())
        endpoint.send(OK)
        first = client.receive()
        self.assertEqual(Message.parse(first.rest[2:]).status, 500)
        self.assertTrue(endpoint.is_open)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class UploadTests(SynchronousTestCase):
    """Request bodies stream under back pressure."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()

    def test_back_pressure(self) -> None:
        """A client sends no faster than the endpoint reads, and all arrives."""
        self.client.send(post(len(MUCH)))
        endpoint = self.wire.accept()
        head = endpoint.receive()
        self.assertEqual(head.rest, b"")
        sent = self.client.send_some(MUCH)
        self.assertLess(sent, 5 * CAPACITY)
        received = len(endpoint.read())
        while sent < len(MUCH):
            more = self.client.send_some(MUCH[sent:])
            self.assertGreater(more, 0)
            sent += more
            received += len(endpoint.read())
        self.assertEqual(received, len(MUCH))
        endpoint.send(OK)
        self.assertEqual(self.client.receive().rest, b"ok")
        self.client.send(GET)
        self.assertEqual(endpoint.receive().first_line, b"GET / HTTP/1.1")

    def test_waits_for_the_dial(self) -> None:
        """The client is paused while the endpoint is dialled."""
        self.client.send(post(len(MUCH)))
        sent = self.client.send_some(MUCH)
        self.assertLess(sent, 3 * CAPACITY)
        endpoint = self.wire.accept()
        self.assertEqual(len(endpoint.receive().rest), sent)
        self.client.send_some(MUCH[sent:])
        self.assertGreater(len(endpoint.read()), 0)

    def test_waits_for_the_second_dial(self) -> None:
        """A body that waited for one endpoint goes to another over an idle connection."""
        wire = Wire()
        client = wire.connect()
        client.send(post(len(MUCH)) + MUCH[:10])
        wire.next_dial().refuse()
        self.assertEqual(client.receive().status, 502)

    def test_early_response(self) -> None:
        """An answer that comes before the end of the upload reaches a client that goes on sending."""
        self.client.send(post(len(MUCH)) + MUCH[:1000])
        endpoint = self.wire.accept()
        endpoint.send(response(413, b"Content-Length: 2") + b"no")
        self.client.send(MUCH[1000:])
        answer = self.client.receive()
        self.assertEqual((answer.status, answer.rest), (413, b"no"))
        self.assertEqual(answer.values(b"Connection"), [b"close"])
        self.assertTrue(self.client.saw_end)
        self.assertTrue(endpoint.saw_reset)
        self.wire.advance(LIMITS.linger_timeout + 2)
        self.assertTrue(self.client.saw_reset)

    def test_early_response_to_a_client_that_does_not_read(self) -> None:
        """A client that reads only after its upload gets the whole early answer."""
        self.client.send(post(len(MUCH)) + b"x")
        endpoint = self.wire.accept()
        body = b"y" * (2 * CAPACITY)
        endpoint.send_some(response(413, b"Content-Length: %d" % len(body)) + body)
        self.wire.advance(2 * LIMITS.linger_timeout)
        self.client.send_some(MUCH[1:])
        self.assertEqual(len(self.client.receive().rest), len(body))
        self.assertTrue(self.client.saw_end)

    def test_early_response_that_waits_for_its_reader(self) -> None:
        """The time that a client has to close begins when it has read the answer."""
        self.client.send(post(len(MUCH)) + b"x")
        endpoint = self.wire.accept()
        endpoint.send(ONE_BUFFER_TOO_MUCH)
        self.wire.advance(2 * LIMITS.linger_timeout)
        self.client.send(MUCH[1:])
        self.assertEqual(self.client.receive().rest.count(b"x"), ONE_BUFFER_TOO_MUCH.count(b"x"))
        self.assertTrue(self.client.saw_end)
        self.wire.advance(LIMITS.linger_timeout + 2)
        self.assertTrue(self.client.saw_reset)

    def test_response_while_the_upload_goes_on(self) -> None:
        """A response that begins before the upload ends does not end the upload."""
        self.client.send(post(10) + b"hello")
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK + b"5\r\nHELLO\r\n")
        endpoint.read()
        self.assertEqual(self.client.receive().rest, b"5\r\nHELLO\r\n")
        self.client.send(b"world")
        self.assertEqual(endpoint.read(), b"world")
        endpoint.send(b"5\r\nWORLD\r\n0\r\n\r\n")
        self.assertEqual(self.client.read(), b"5\r\nWORLD\r\n0\r\n\r\n")

    def test_expect_continue(self) -> None:
        """Expect: 100-continue reaches the endpoint, and its answer the client."""
        self.client.send(post(5, b"Expect: 100-continue"))
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().values(b"Expect"), [b"100-continue"])
        endpoint.send(response(100))
        self.assertEqual(self.client.receive().status, 100)
        self.client.send(b"hello")
        self.assertEqual(endpoint.read(), b"hello")
        endpoint.send(OK)
        self.assertEqual(self.client.receive().status, 200)

    def test_expectation_failed(self) -> None:
        """An endpoint's refusal of a body reaches the client before any of the body is sent."""
        self.client.send(post(5, b"Expect: 100-continue"))
        endpoint = self.wire.accept()
        endpoint.send(response(417, b"Content-Length: 0"))
        self.assertEqual(self.client.receive().status, 417)
        self.assertTrue(self.client.saw_end)


class DownloadTests(SynchronousTestCase):
    """Response bodies stream under back pressure."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()
        self.client.send(GET)
        self.endpoint = self.wire.accept()
        self.endpoint.read()

    def test_back_pressure(self) -> None:
        """An endpoint sends no faster than the client reads, and all arrives."""
        self.endpoint.send(response(200, b"Content-Length: %d" % len(MUCH)))
        self.client.read()
        sent = self.endpoint.send_some(MUCH)
        self.assertLess(sent, 5 * CAPACITY)
        received = len(self.client.read())
        while sent < len(MUCH):
            more = self.endpoint.send_some(MUCH[sent:])
            self.assertGreater(more, 0)
            sent += more
            received += len(self.client.read())
        self.assertEqual(received, len(MUCH))
        self.client.send(GET)
        self.assertEqual(self.endpoint.receive().first_line, b"GET / HTTP/1.1")

    def test_no_answer_for_who_leaves_the_last_unread(self) -> None:
        """The next request waits until the answer to the last one has been read."""
        self.endpoint.send(ONE_BUFFER_TOO_MUCH)
        self.client.send(GET)
        self.assertEqual(self.endpoint.read(), b"")
        self.assertEqual(len(self.client.receive().rest), ONE_BUFFER_TOO_MUCH.count(b"x"))
        self.assertEqual(self.endpoint.receive().first_line, b"GET / HTTP/1.1")
        self.endpoint.send(OK)
        self.assertEqual(self.client.receive().rest, b"ok")

    def test_interim_responses(self) -> None:
        """Interim responses reach the client before the final one, without fields of the hop."""
        self.endpoint.send(
            response(103, b"Link: </a>", b"Connection: X-Hop", b"X-Hop: 1", b"Keep-Alive: 5")
        )
        self.assertEqual(self.client.read(), b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\n")
        self.endpoint.send(OK)
        self.assertEqual(self.client.receive().status, 200)

    def test_truncated(self) -> None:
        """A response whose endpoint dies ends before its length, so that the client sees it."""
        self.endpoint.send(response(200, b"Content-Length: 10") + b"hello")
        self.endpoint.close()
        self.assertEqual(self.client.receive().rest, b"hello")
        self.assertTrue(self.client.saw_end)

    def test_truncated_chunked(self) -> None:
        """A response in chunks whose endpoint dies has no last chunk."""
        self.endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n")
        self.endpoint.reset()
        self.assertEqual(self.client.receive().rest, b"5\r\nhello\r\n")
        self.assertTrue(self.client.saw_end)

    def test_reset_is_no_end(self) -> None:
        """A reset does not pass for the end of a body that ends with the connection."""
        self.endpoint.send(response(200) + b"hello")
        self.endpoint.reset()
        self.assertNotIn(b"0\r\n\r\n", self.client.receive().rest)
        self.assertTrue(self.client.saw_end)

    def test_broken_chunks(self) -> None:
        """A response whose chunks turn out to be bad is cut, and so is its connection."""
        for name, data in BAD_CHUNKED_BODIES.items():
            wire = Wire()
            client = wire.connect()
            client.send(GET)
            endpoint = wire.accept()
            endpoint.read()
            endpoint.send(CHUNKED_OK)
            endpoint.send_some(data)
            self.assertFalse(client.receive().rest.endswith(b"0\r\n\r\n"), name)
            self.assertFalse(client.is_open, name)
            self.assertTrue(endpoint.saw_reset, name)


class DeadlineTests(SynchronousTestCase):
    """No wait is without end."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()

    def test_nothing_sent(self) -> None:
        """A client that never sends anything is closed."""
        self.wire.advance(LIMITS.head_timeout - 2)
        self.assertTrue(self.client.is_open)
        self.wire.advance(4)
        self.assertEqual(self.client.read(), b"")
        self.assertTrue(self.client.saw_end)

    def test_slow_head(self) -> None:
        """A head that comes too slowly is answered with 408, however many bytes come meanwhile."""
        head = request(b"GET", b"X: " + b"a" * 1000)
        for index in range(int(LIMITS.head_timeout) - 2):
            self.client.send(head[index : index + 1])
            self.wire.advance(1)
        self.assertTrue(self.client.is_open)
        self.wire.advance(4)
        self.assertEqual(self.client.receive().status, 408)
        self.assertTrue(self.client.saw_end)

    def test_empty_lines_are_no_head(self) -> None:
        """Empty lines do not prolong the time that a client has for its head."""
        for _ in range(int(LIMITS.head_timeout) + 2):
            self.client.send_some(b"\r\n")
            self.wire.advance(1)
        self.assertFalse(self.client.is_open)

    def test_slow_body(self) -> None:
        """A body that stops is answered with 408, and the endpoint's connection is cut."""
        self.client.send(post(1000) + b"hello")
        endpoint = self.wire.accept()
        for _ in range(3):
            self.wire.advance(LIMITS.body_timeout - 2)
            self.client.send(b"more")
        self.wire.advance(LIMITS.body_timeout + 2)
        self.assertEqual(self.client.receive().status, 408)
        self.assertTrue(self.client.saw_end)
        self.assertTrue(endpoint.saw_reset)

    def test_slow_body_after_the_client_was_slow(self) -> None:
        """A client that has caught up with its response must still send its body in time."""
        self.client.send(post(1000))
        endpoint = self.wire.accept()
        endpoint.send_some(CHUNKED_OK + b"f0000\r\n" + MUCH[:0xF0000])
        self.client.read()
        self.wire.advance(LIMITS.body_timeout + 2)
        self.assertFalse(self.client.is_open)
        self.assertTrue(endpoint.saw_reset)

    def test_idle(self) -> None:
        """A connection without requests is closed after a while, without an answer."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send(OK)
        self.client.read()
        self.wire.advance(LIMITS.keep_alive_timeout - 2)
        self.assertTrue(self.client.is_open)
        self.wire.advance(4)
        self.assertEqual(self.client.read(), b"")
        self.assertTrue(self.client.saw_end)

    def test_slow_reader(self) -> None:
        """A client that reads nothing of its response is cut."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send_some(response(200, b"Content-Length: %d" % len(MUCH)) + MUCH)
        self.wire.advance(LIMITS.send_timeout - 2)
        self.assertTrue(self.client.is_open)
        self.wire.advance(4)
        self.assertTrue(self.client.saw_reset)
        self.assertTrue(endpoint.saw_reset)

    def test_slow_reader_that_reads(self) -> None:
        """A client that reads some of it now and then is not cut, however slow it is."""
        for fields in ((), (b"Connection: close",)):
            client = self.wire.connect()
            client.send(request(b"GET", *fields))
            self.wire.accept().send(ONE_BUFFER_TOO_MUCH)
            for _ in range(5):
                self.wire.advance(LIMITS.send_timeout - 2)
                self.assertEqual(len(client.read_some(1000)), 1000)
            self.wire.advance(LIMITS.send_timeout - 2)
            self.assertFalse(client.saw_reset)
            self.wire.advance(LIMITS.send_timeout + 4)
            self.assertTrue(client.saw_reset)

    def test_slow_reader_of_the_last_answer(self) -> None:
        """A client that does not read its answer to the end is cut as well."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send(ONE_BUFFER_TOO_MUCH)
        self.wire.advance(LIMITS.send_timeout + 2)
        self.assertTrue(self.client.saw_reset)

    def test_slow_reader_of_the_last_answer_before_a_close(self) -> None:
        """A client that does not read an answer that ends the connection is cut as well."""
        self.client.send(request(b"GET", b"Connection: close"))
        endpoint = self.wire.accept()
        endpoint.send(ONE_BUFFER_TOO_MUCH)
        self.wire.advance(LIMITS.send_timeout + 3)
        self.assertTrue(self.client.saw_reset)

    def test_endpoint_at_work(self) -> None:
        """The time of a client does not run while it waits for its answer."""
        self.client.send(post(5) + b"hello")
        endpoint = self.wire.accept()
        for _ in range(10):
            self.wire.advance(50)
            endpoint.send(response(102))
        endpoint.send(OK)
        self.assertTrue(self.client.read().endswith(b"ok"))


class EndTests(SynchronousTestCase):
    """Connections that end, from either side, leave nothing behind."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.client = self.wire.connect()

    def test_lost_while_dialling(self) -> None:
        """A client that goes away ends the dial."""
        self.client.send(GET)
        dial = self.wire.next_dial()
        self.client.reset()
        self.assertTrue(dial.is_cancelled)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_lost_while_waiting(self) -> None:
        """A client that goes away ends the endpoint's work."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        self.client.reset()
        self.assertTrue(endpoint.saw_reset)

    def test_lost_while_receiving(self) -> None:
        """A client that goes away ends the response."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n")
        self.client.reset()
        self.assertTrue(endpoint.saw_reset)

    def test_lost_while_uploading(self) -> None:
        """A client that goes away ends its upload: the endpoint sees that it is not whole."""
        self.client.send(request(b"POST", b"Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        endpoint = self.wire.accept()
        self.assertTrue(endpoint.read().endswith(b"5\r\nhello\r\n"))
        self.client.close()
        self.assertTrue(endpoint.saw_reset)

    def test_lost_while_stalled(self) -> None:
        """A client that goes away with a response half read ends it."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send_some(response(200, b"Content-Length: %d" % len(MUCH)) + MUCH)
        self.client.reset()
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_lost_while_its_upload_is_paused(self) -> None:
        """A client that resets during a paused upload is noticed when the endpoint's time is over."""
        self.client.send(post(len(MUCH)))
        endpoint = self.wire.accept()
        self.client.send_some(MUCH)
        self.client.reset()
        self.assertEqual(len(self.wire.plane.clients.connections), 1)
        self.wire.advance(LIMITS.upstream_send_timeout + 2)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)
        self.assertTrue(endpoint.saw_reset)

    def test_lost_with_further_requests(self) -> None:
        """Pipelined requests of a client that is gone are not begun."""
        self.client.send(GET + GET)
        endpoint = self.wire.accept()
        self.client.reset()
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(self.wire.dials, [])

    def test_half_closed(self) -> None:
        """A client that sends no more still gets its answers, and then the end."""
        self.client.send(GET + GET)
        self.client.end()
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(OK)
        endpoint.read()
        endpoint.send(OK)
        answers = self.client.read()
        self.assertEqual(answers.count(b"HTTP/1.1 200"), 2)
        self.assertEqual(answers.count(b"Connection: close"), 1)
        self.assertTrue(self.client.saw_end)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_half_closed_in_a_head(self) -> None:
        """A head that will never be whole ends the connection."""
        self.client.send(GET[:-2])
        self.client.end()
        self.assertTrue(self.client.saw_end)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_half_closed_in_a_body(self) -> None:
        """A body that will never be whole ends the connections on both sides."""
        self.client.send(request(b"POST", b"Content-Length: 10") + b"hello")
        endpoint = self.wire.accept()
        endpoint.read()
        self.client.end()
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_drain_idle(self) -> None:
        """A drain closes connections without a request."""
        self.client.send(GET)
        self.wire.accept().send(OK)
        self.client.read()
        fresh = self.wire.connect()
        self.wire.plane.clients.is_draining = True
        drained = self.wire.plane.clients.connections.drain()
        self.assertTrue(self.client.saw_end)
        self.assertTrue(fresh.saw_end)
        self.successResultOf(drained)

    def test_drain_before_the_head_of_the_answer(self) -> None:
        """Answers under way say that the connection ends with them."""
        self.client.send(GET)
        self.wire.plane.clients.is_draining = True
        drained = self.wire.plane.clients.connections.drain()
        self.assertNoResult(drained)
        self.wire.accept().send(OK)
        self.assertEqual(self.client.receive().values(b"Connection"), [b"close"])
        self.assertTrue(self.client.saw_end)
        self.successResultOf(drained)

    def test_drain_after_the_head_of_the_answer(self) -> None:
        """The connection closes after the answer if its head was sent before the drain."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK)
        self.client.read()
        self.wire.plane.clients.is_draining = True
        drained = self.wire.plane.clients.connections.drain()
        endpoint.send(b"0\r\n\r\n")
        self.assertEqual(self.client.read(), b"0\r\n\r\n")
        self.assertTrue(self.client.saw_end)
        self.successResultOf(drained)

    def test_drain_within_a_head(self) -> None:
        """A request that has begun to arrive is still served."""
        self.client.send(GET[:10])
        self.wire.plane.clients.is_draining = True
        self.wire.plane.clients.connections.drain()
        self.client.send(GET[10:])
        self.wire.accept().send(OK)
        self.assertEqual(self.client.receive().values(b"Connection"), [b"close"])
        self.assertTrue(self.client.saw_end)

    def test_cut(self) -> None:
        """A cut resets the connection, whatever is under way."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        self.wire.plane.clients.connections.cut()
        self.assertTrue(self.client.saw_reset)
        self.assertTrue(endpoint.saw_reset)

    def test_repr(self) -> None:
        """A connection shows its peer and its exchange, for the log."""
        protocol = self.wire.factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 1))
        self.assertEqual(repr(protocol), "<HTTP1Downstream 192.0.2.7 WAITING None>")
