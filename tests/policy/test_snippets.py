"""
Tests for `ingress.policy.snippets`: what snippets do to requests and responses.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.config.nginx_settings import AnnotationSafety, NginxSettings
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.message import Response
from ingress.policy.decision import Proceed
from ingress.policy.proxy_settings import ProxySettings
from ingress.policy.scope import RuleScope
from ingress.policy.snippets import ConfigurationSnippet, ServerSnippet
from ingress.testing import policy_context, read_annotations, rule_scope
from tests.support.objects import built, ingress, served
from tests.support.wire import Wire

INTERPRET = Config(snippets="interpret")


def configuration(text: str) -> ConfigurationSnippet:
    reading = read_annotations(
        ConfigurationSnippet, {"configuration-snippet": text}, config=INTERPRET
    )
    assert reading.faults == {}, reading.faults
    assert isinstance(reading.feature, ConfigurationSnippet)
    scope = replace_scope(rule_scope())
    return reading.feature.at(scope)


def server(text: str, path: str = "/", path_type: str = "Prefix") -> ServerSnippet:
    reading = read_annotations(ServerSnippet, {"server-snippet": text}, config=INTERPRET)
    assert reading.faults == {}, reading.faults
    assert isinstance(reading.feature, ServerSnippet)
    return reading.feature.at(rule_scope()._replace(path=path, path_type=path_type))


def replace_scope(scope: RuleScope) -> RuleScope:
    return scope._replace(upstream=UpstreamKey("default", "web", "80"))


def decide(
    policy: ConfigurationSnippet | ServerSnippet, target: str = "/", **more: object
) -> object:
    path = target.partition("?")[0].encode()
    return policy.access(policy_context(target=target.encode(), path=path, **more))  # type: ignore[arg-type]


def status(decision: object) -> int:
    assert isinstance(decision, Answer), decision
    return decision.status


def location(decision: object) -> bytes:
    assert isinstance(decision, Answer), decision
    return dict(decision.fields)[b"Location"]


def target(decision: object) -> bytes | None:
    assert isinstance(decision, Proceed), decision
    return decision.target


class ReadTests(SynchronousTestCase):
    """Snippets are read as the configuration says."""

    def test_modes(self) -> None:
        """They are refused by default, ignored or interpreted where the configuration says so."""
        for policy, name in (
            (ConfigurationSnippet, "configuration-snippet"),
            (ServerSnippet, "server-snippet"),
        ):
            written = {name: "return 403;"}
            refused = read_annotations(policy, written)
            self.assertIsNotNone(refused.closing)
            self.assertIsNone(refused.feature)
            ignored = read_annotations(policy, written, config=Config(snippets="ignore"))
            self.assertIsNone(ignored.closing)
            self.assertIsNone(ignored.feature)
            self.assertEqual(list(ignored.faults), [name])
            allowed = Config(nginx=NginxSettings(annotations=AnnotationSafety(allow_snippets=True)))
            for config in (INTERPRET, allowed):
                self.assertIsInstance(
                    read_annotations(policy, written, config=config).feature, policy
                )

    def test_closed(self) -> None:
        """A directive that is not supported closes; the Problem names it and not the snippet."""
        reading = read_annotations(
            ConfigurationSnippet,
            {"configuration-snippet": "return 200 hunter2;\nlua_code_cache off;"},
            config=INTERPRET,
        )
        self.assertIsNotNone(reading.closing)
        self.assertIn("line 2: lua_code_cache", reading.faults["configuration-snippet"])
        self.assertNotIn("hunter2", str(reading.faults))

    def test_settings(self) -> None:
        """Times and sizes are those of the requests of the Ingress."""
        reading = read_annotations(
            ProxySettings,
            {"configuration-snippet": "client_max_body_size 0; proxy_read_timeout 7s;"},
            config=INTERPRET,
        )
        assert isinstance(reading.feature, ProxySettings)
        self.assertEqual((reading.feature.body_size, reading.feature.read_timeout), (None, 7.0))

    def test_server_settings(self) -> None:
        """Those of a server-snippet have no effect, which is told."""
        reading = read_annotations(
            ServerSnippet, {"server-snippet": "proxy_read_timeout 7s;"}, config=INTERPRET
        )
        self.assertIn("no effect", reading.faults["server-snippet"])


class StepTests(SynchronousTestCase):
    """Steps are carried out in their order."""

    def test_return(self) -> None:
        """A return answers, with a text, a URL or nothing."""
        for text, expected in (("return 403;", 403), ("return 444;", 403), ("return 204;", 204)):
            self.assertEqual(status(decide(configuration(text))), expected)
        answer = decide(configuration('return 200 "you are $remote_addr";'))
        assert isinstance(answer, Answer)
        self.assertEqual(answer.page, (b"text/html", b"you are 192.0.2.1"))
        moved = configuration("return 301 https://b.example$request_uri;")
        self.assertEqual(location(decide(moved, "/x?y=1")), b"https://b.example/x?y=1")
        self.assertEqual(status(decide(configuration("return https://b.example/;"))), 302)
        self.assertEqual(
            location(decide(configuration("return 302 /here;"), host=b"a.example:8080")),
            b"http://a.example:8080/here",
        )

    def test_if(self) -> None:
        """Each comparison decides as in nginx."""
        for condition, query, holds in (
            ("$arg_a", "a=1", True),
            ("$arg_a", "a=0", False),
            ("$arg_a", "", False),
            ("$arg_a = x", "a=x", True),
            ("$arg_a = x", "a=X", False),
            ("$arg_a != x", "a=X", True),
            ("$arg_a ~ ^x+$", "a=xxx", True),
            ("$arg_a ~ ^x+$", "a=Xxx", False),
            ("$arg_a ~* ^x+$", "a=Xxx", True),
            ("$arg_a !~ ^x+$", "a=xxx", False),
            ("$arg_a !~* ^x+$", "a=y", True),
            ("$request_method = GET", "", True),
        ):
            policy = configuration(f"if ({condition}) {{ return 418; }}")
            decision = decide(policy, f"/?{query}")
            self.assertEqual(isinstance(decision, Answer), holds, (condition, query))

    def test_set(self) -> None:
        """Variables have the values of the last set, and captures those of the last match."""
        policy = configuration(
            'set $a "b"; set $a "$a$a"; if ($uri ~ ^/([a-z]+)/([0-9]+)) { set $b "$2-$1"; }'
            ' return 200 "$a $b $c"; set $c x;'
        )
        answer = decide(policy, "/shop/12")
        assert isinstance(answer, Answer)
        assert answer.page is not None
        self.assertEqual(answer.page[1], b"bb 12-shop ")

    def test_rewrite(self) -> None:
        """A rewrite changes the path, keeps the query, and ends as its flag says."""
        for text, asked, expected, searches in (
            ("rewrite ^/a/(.*)$ /b/$1 break;", "/a/x?y=1", b"/b/x?y=1", False),
            ("rewrite ^/a/(.*)$ /b/$1 last;", "/a/x", b"/b/x", True),
            ("rewrite ^/a/(.*)$ /b/$1;", "/a/x", b"/b/x", True),
            ("rewrite ^/a /b?z=1 break;", "/a?y=1", b"/b?z=1&y=1", False),
            ("rewrite ^/a /b?z=1? break;", "/a?y=1", b"/b?z=1", False),
            ("rewrite ^/a /b; rewrite ^/b /c break;", "/a", b"/c", False),
        ):
            decision = decide(configuration(text), asked)
            self.assertEqual(target(decision), expected, text)
            assert isinstance(decision, Proceed)
            self.assertEqual(decision.finds_rule_again, searches, text)
        self.assertIsNone(decide(configuration("rewrite ^/a /b break;"), "/x"))

    def test_arguments_of_rewrite(self) -> None:
        """An argument is that of the query that a rewrite has made."""
        policy = configuration("rewrite ^/a /b?z=2?; return 200 [$arg_z$arg_y];")
        answer = decide(policy, "/a?y=1")
        assert isinstance(answer, Answer)
        assert answer.page is not None
        self.assertEqual(answer.page[1], b"[2]")

    def test_redirecting_rewrite(self) -> None:
        """With redirect, permanent or a URL the client is redirected, with the query."""
        for text, expected, code in (
            ("rewrite ^/a$ /b redirect;", b"http://a.example/b?q=1", 302),
            ("rewrite ^/a$ /b permanent;", b"http://a.example/b?q=1", 301),
            ("rewrite ^/a$ https://c.example/b?;", b"https://c.example/b", 302),
        ):
            decision = decide(configuration(text), "/a?q=1")
            self.assertEqual((location(decision), status(decision)), (expected, code))

    def test_dot_segments(self) -> None:
        """A path in which an endpoint could read a dot segment is refused."""
        policy = configuration("rewrite ^/a/(.*)$ /$1 break;")
        self.assertEqual(status(decide(policy, "/a/%2e%2e/admin")), 400)
        policy = configuration("rewrite ^ /x/$arg_p break;")
        for value in ("../admin", "..%2fadmin", "%", "a b"):
            self.assertEqual(status(decide(policy, f"/?p={value}")), 400, value)

    def test_access(self) -> None:
        """The first of allow and deny that fits decides; nothing fits: the request passes."""
        policy = configuration("allow 10.0.0.0/8; deny 10.0.0.0/16; deny 192.168.0.0/16;")
        for address, refused in ((b"10.0.0.1", False), (b"192.168.1.1", True), (b"1.1.1.1", False)):
            decision = decide(policy, address=address)
            self.assertEqual(decision is not None, refused, address)
        self.assertEqual(status(decide(configuration("deny all;"))), 403)
        self.assertTrue(policy.guards)
        self.assertFalse(configuration("add_header X-A 1;").guards)

    def test_bounded(self) -> None:
        """A variable that doubles with each set does not grow for ever."""
        policy = configuration("set $a $request_uri;" + 'set $a "$a$a";' * 60 + 'return 200 "$a";')
        answer = decide(policy, "/" + "x" * 1000)
        assert isinstance(answer, Answer)
        assert answer.page is not None
        self.assertLessEqual(len(answer.page[1]), 8192)


class FieldTests(SynchronousTestCase):
    """Fields of requests and responses are changed."""

    def edited(
        self, policy: ConfigurationSnippet | ServerSnippet, code: int = 200, **fields: str
    ) -> dict[bytes, bytes]:
        """The fields of a response after the snippet."""
        pairs = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()
        ]
        response = Response(code, b"", [(name.lower(), name, value) for name, value in pairs], 0)
        decision = policy.response(policy_context(), response)
        if decision is None:
            return dict(pairs)
        assert isinstance(decision, Proceed)
        return dict(decision.response_edits.apply(pairs))

    def test_request(self) -> None:
        """more_set_input_headers, then proxy_set_header; an empty value removes."""
        policy = configuration(
            "more_set_input_headers 'X-A: $service_name'; more_set_input_headers -r 'X-B: 1';"
            "more_clear_input_headers X-C; proxy_set_header X-D ''; proxy_set_header Host b.example;"
        )
        decision = decide(policy)
        assert isinstance(decision, Proceed)
        edits = decision.request_edits
        self.assertEqual(dict(edits.replace), {b"X-A": b"web", b"Host": b"b.example"})
        self.assertLessEqual({b"x-c", b"x-d"}, edits.remove)

    def test_add_header(self) -> None:
        """It is for the usual statuses, with always for all, and adds beside what is there."""
        policy = configuration("add_header X-A 1; add_header X-B 2 always; add_header X-C '';")
        self.assertEqual(self.edited(policy), {b"X-A": b"1", b"X-B": b"2"})
        self.assertEqual(self.edited(policy, 404), {b"X-B": b"2"})
        answer = Answer(500, Outcome.INTERNAL_ERROR, "x")
        decision = policy.error(policy_context(), answer)
        assert isinstance(decision, Proceed)
        self.assertEqual(decision.response_edits.add, ((b"X-B", b"2"),))

    def test_more_headers(self) -> None:
        """Fields are set and cleared for statuses and types, wildcards included."""
        policy = configuration(
            "more_set_headers -s 404 'X-A: 1'; more_set_headers -t 'text/html' 'Server: us';"
            "more_clear_headers 'X-In*' Via;"
        )
        self.assertEqual(
            self.edited(policy, 200, X_Inner="1", Via="x", X_Other="2"), {b"X-Other": b"2"}
        )
        self.assertEqual(self.edited(policy, 404), {b"X-A": b"1"})
        found = self.edited(policy, 200, Content_Type="text/html; charset=utf-8", Server="them")
        self.assertEqual(found[b"Server"], b"us")
        cleared = configuration("more_clear_headers '*';")
        self.assertEqual(self.edited(cleared, 200, X_A="1", Date="now"), {b"Date": b"now"})

    def test_hidden(self) -> None:
        """Fields of endpoints are hidden; those that are added of the same name stay."""
        policy = configuration("proxy_hide_header X-A; add_header X-A ours;")
        self.assertEqual(self.edited(policy, 200, X_A="theirs"), {b"X-A": b"ours"})

    def test_expires(self) -> None:
        """Expires and Cache-Control are those of nginx."""
        for written, control in (
            ("1h", b"max-age=3600"), ("-1", b"no-cache"), ("max", b"max-age=315360000"),
            ("epoch", b"no-cache"), ("0", b"max-age=0"),
        ):  # fmt: skip
            found = self.edited(configuration(f"expires {written};"))
            self.assertEqual(found[b"Cache-Control"], control)
            self.assertRegex(found[b"Expires"], rb"\A\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\Z")
        self.assertEqual(self.edited(configuration("expires off;")), {})
        self.assertEqual(self.edited(configuration("expires 1h;"), 404), {})

    def test_conditional(self) -> None:
        """The level of the last condition that held decides about fields."""
        policy = configuration("add_header X-A 1; if ($host) { add_header X-B 1; }")
        self.assertEqual(self.edited(policy), {b"X-B": b"1"})

    @given(st.binary(max_size=40))
    def test_any_value(self, value: bytes) -> None:
        """No value of a client can end a field or fail the request."""
        policy = configuration(
            "add_header X-A $http_x; more_set_headers 'X-B: $arg_y'; proxy_set_header X-C $http_x;"
        )
        context = policy_context(
            target=b"/?y=" + value.replace(b" ", b"").replace(b"\r", b""), fields=[(b"X", value)]
        )
        for decision in (
            policy.access(context),
            policy.response(context, Response(200, b"", [], 0)),
        ):
            if isinstance(decision, Proceed):
                for _, each in (*decision.request_edits.replace, *decision.response_edits.add):
                    self.assertNotRegex(each, rb"[\r\n\0]")


class ServerTests(SynchronousTestCase):
    """A server-snippet acts on the paths of its namespace."""

    def test_locations(self) -> None:
        """The location is chosen as nginx would beside the rule's own."""
        text = (
            "location = /a { return 201; } location /a { return 202; } "
            "location ^~ /a/b { return 203; } location ~ x$ { return 204; } "
            "location ~* Y$ { return 205; }"
        )
        for path, expected in (
            ("/a", 201), ("/ab", 202), ("/a/bx", 203), ("/ax", 204), ("/ay", 205), ("/", None),
        ):  # fmt: skip
            decision = decide(server(text), path)
            found = decision.status if isinstance(decision, Answer) else None
            self.assertEqual(found, expected, path)

    def test_own_location(self) -> None:
        """A longer path of the Ingress wins over a prefix, an exact one over an expression."""
        text = "location /a { return 202; } location ~ x$ { return 204; }"
        self.assertIsNone(decide(server(text, "/a/b"), "/a/b"))
        self.assertEqual(status(decide(server(text, "/a"), "/a/c")), 202)
        self.assertIsNone(decide(server(text, "/ax", "Exact"), "/ax"))

    def test_nothing_there(self) -> None:
        """A location without an answer has no files behind it."""
        text = "location /a { add_header X-A 1 always; } location /b { deny all; }"
        self.assertEqual(status(decide(server(text), "/a")), 404)
        self.assertEqual(status(decide(server(text), "/b")), 403)

    def test_host_wide(self) -> None:
        """It reaches other Ingresses of its namespace on the host, and no other namespace."""
        snippet = {"server-snippet": "location /x { return 403; }"}
        web = ingress("a.example", {"/": "web:80"}, annotations=snippet)
        same = ingress("a.example", {"/x/y": "web:80"}, name="same")
        other = ingress("a.example", {"/x/z": "web:80"}, name="other/other")
        result = built(
            web, same, other, served("web"), served("other/web"), config=config_with_files()
        )
        policies = {
            route.ingress: [policy.name for policy in route.policies]
            for route in result.snapshot.hosts[b"a.example"].routes()
        }
        self.assertIn("server-snippet", policies["default", "same"])
        self.assertNotIn("server-snippet", policies["other", "other"])


def config_with_files() -> Config:
    from tests.support.objects import FILES

    return replace(FILES, snippets="interpret")


class SearchTests(SynchronousTestCase):
    """A rewrite has the rule of the new path found."""

    def ask(self, path: str, **annotations: str) -> tuple[int, bytes]:
        """:return: the status, and the target that the endpoint got."""
        names = {name.replace("_", "-"): value for name, value in annotations.items()}
        result = built(
            ingress("a.example", {"/a": "web:80"}, annotations=names),
            ingress(
                "a.example", {"/closed": "web:80"}, name="closed",
                annotations={"whitelist-source-range": "10.0.0.0/8"},
            ),
            ingress("a.example", {"/open": "web:80"}, name="open"),
            served("web"),
            config=config_with_files(),
        )  # fmt: skip
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect()
        client.send(b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % path.encode())
        wire.network.settle()
        seen = b""
        if wire.dials:
            endpoint = wire.accept()
            seen = endpoint.read().split(b" ")[1]
            endpoint.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        return client.receive().status, seen

    def test_found(self) -> None:
        """The endpoint of the new rule gets the new path."""
        snippet = "rewrite ^/a/(.*)$ /open/$1 last;"
        self.assertEqual(self.ask("/a/x?y", configuration_snippet=snippet), (204, b"/open/x?y"))

    def test_access(self) -> None:
        """The access rules of the new rule decide: a rewrite leads nowhere that is closed."""
        snippet = "rewrite ^/a/(.*)$ /closed/$1 last;"
        self.assertEqual(self.ask("/a/x", configuration_snippet=snippet), (403, b""))

    def test_nothing(self) -> None:
        """A path without a rule is 404."""
        snippet = "rewrite ^/a/(.*)$ /nowhere/$1 last;"
        self.assertEqual(self.ask("/a/x", configuration_snippet=snippet)[0], 404)

    def test_endless(self) -> None:
        """A path that is rewritten without end is 500."""
        snippet = "rewrite ^/a(.*)$ /a/x$1 last;"
        self.assertEqual(self.ask("/a/x", configuration_snippet=snippet)[0], 500)


class GuardTests(SynchronousTestCase):
    def test_who(self) -> None:
        """A snippet guards its paths if it refuses requests, or redirects those of some clients."""
        for text, expected in (
            ("return 403;", True),
            ("deny 10.0.0.0/8;", True),
            ("if ($http_x_key != 'k') { return 401; }", True),
            ("if ($cookie_session = '') { return 302 /login; }", True),
            ("if ($cookie_session = '') { rewrite ^ /login redirect; }", True),
            ("set $who $cookie_session; if ($who = '') { return 302 /login; }", True),
            ("if ($remote_addr != 10.0.0.1) { return 200 'no'; }", True),
            ("if ($host = old.example) { return 301 https://new.example$request_uri; }", False),
            ("if ($http_x_forwarded_proto = http) { return 301 https://$host; }", False),
            ("if ($uri ~ ^/old) { return 301 /new; }", False),
            ("if ($uri ~ ^/admin) { return 404; }", True),
            ("if ($cookie_a) { set $b 1; }", False),
            ("return 301 /new;", False),
            ("more_set_headers 'X: 1';", False),
        ):
            self.assertIs(configuration(text).guards, expected, text)


class OlderTests(SynchronousTestCase):
    def test_closed(self) -> None:
        """A snippet that refuses something closes its paths if an older one takes its place."""
        for snippet, expected in (
            ("location /b { deny all; }", "refusal"),
            ("more_set_headers 'X: 1';", "server-snippet"),
        ):
            items = [
                ingress(
                    "a.example",
                    {path: "web:80"},
                    name=path[1:],
                    annotations={"server-snippet": text},
                    created=created,
                )
                for path, text, created in (
                    ("/a", "location /x { deny all; }", "2026-01-01"),
                    ("/b", snippet, "2026-01-02"),
                )
            ]
            result = built(*items, served("web"), config=config_with_files())
            policies = {
                route.ingress[1]: [policy.name for policy in route.policies]
                for route in result.snapshot.hosts[b"a.example"].routes()
            }
            self.assertEqual(policies, {"a": ["server-snippet"], "b": [expected]})


class ReadingsTests(SynchronousTestCase):
    """What a snippet closes by its path is closed however the path is written."""

    AMBIGUOUS = ("/x%2F..%2Fadmin", "/%2Fadmin", "/;x/admin", "/x/..;/admin", "/admin%2fx")

    def ask(self, path: str, snippet: str, written: str = "/", **annotations: str) -> int:
        """:return: the status; 204 if an endpoint was asked."""
        names = {name.replace("_", "-"): value for name, value in annotations.items()}
        result = built(
            ingress("a.example", {written: "web:80"}, annotations={**names, "server-snippet": snippet}),
            served("web"),
            config=config_with_files(),
        )  # fmt: skip
        self.assertEqual(result.problems, {})
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect()
        client.send(b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % path.encode())
        wire.network.settle()
        if wire.dials:
            wire.accept().send(b"HTTP/1.1 204 No Content\r\n\r\n")
        return client.receive().status

    def test_location(self) -> None:
        """A location that denies has no other spelling."""
        snippet = "location /admin { deny all; }"
        self.assertEqual(self.ask("/admin", snippet), 403)
        for path in self.AMBIGUOUS:
            self.assertIn(self.ask(path, snippet), (400, 403), path)

    def test_condition(self) -> None:
        """A condition on the path is looked at for each way to read it."""
        for snippet in (
            "if ($uri ~ ^/admin) { return 403; }",
            "set $path $uri; if ($path ~ ^/admin) { return 403; }",
        ):
            self.assertEqual(self.ask("/admin", snippet), 403)
            for path in self.AMBIGUOUS:
                self.assertIn(self.ask(path, snippet), (400, 403), (snippet, path))

    def test_same(self) -> None:
        """A path passes if the snippet treats each way to read it alike."""
        for snippet in ("location /admin { deny all; }", "if ($uri ~ ^/admin) { return 403; }"):
            for path in ("/files/a%2Fb", "/files;v=1/a", "/adm%2Fin"):
                self.assertEqual(self.ask(path, snippet), 204, path)

    def test_expressions(self) -> None:
        """The length of an expression of the Ingress opens nothing that a location closes."""
        for location in ("^~ /adm", "/adm", "~ ^/adm", "= /admin/x"):
            snippet = f"location {location} {{ deny all; }}"
            for written in ("~/(.*)", "~/(admin|something-longer)/(.*)", "=/admin/x"):
                got = self.ask("/admin/x", snippet, written, use_regex="true")
                self.assertEqual(got, 403, (location, written))
