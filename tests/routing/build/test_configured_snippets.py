"""
Tests for `ingress.routing.build.configured_snippets` and `ingress.policy.configured_snippets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.config_map.reading import CLOSED
from ingress.kube.objects import ConfigMap, Metadata
from ingress.policy.configured_snippets import EveryLocationSnippet, EveryServerSnippet
from ingress.policy.refusal import Refusal
from ingress.policy.snippets import ConfigurationSnippet
from ingress.routing.build import Built, build
from tests.support.objects import FILES, NOW, ingress, objects, served

NAME = ("nginx", "controller")
CONFIG = replace(FILES, config_map=NAME, snippets="interpret")
WEB = ingress(
    "a.example",
    {"/": "web:80"},
    annotations={"configuration-snippet": 'more_set_headers "X-B: own";'},
)
PLAIN = ingress("b.example", {"/": "web:80"}, name="plain")


def built(data: Mapping[str, str], before: Built | None = None) -> Built:
    item = ConfigMap(metadata=Metadata(namespace=NAME[0], name=NAME[1]), data=dict(data))
    everything = objects(WEB, PLAIN, served("web"), item)
    return build(everything, CONFIG, before, now=NOW)


def kinds(result: Built, host: bytes) -> list[Any]:
    route = result.snapshot.hosts[host].route(b"/")
    assert route is not None
    return [type(each) for each in route.policies]


def faults(result: Built) -> dict[str, str]:
    return {each.field: each.message for each in result.all_problems()}


class ConfiguredSnippetTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Both act on every rule, before the snippets of its own."""
        data = {
            "server-snippet": "location /private { deny all; }",
            "location-snippet": 'more_set_headers "X-A: all";',
        }
        result = built(data)
        self.assertEqual(faults(result), {})
        both = [EveryServerSnippet, EveryLocationSnippet]
        self.assertEqual(kinds(result, b"b.example"), both)
        self.assertEqual(kinds(result, b"a.example"), [*both, ConfigurationSnippet])

    def test_gone(self) -> None:
        """Without the keys there are none again."""
        before = built({"location-snippet": 'more_set_headers "X-A: all";'})
        self.assertEqual(kinds(built({}, before), b"b.example"), [])

    def test_unreadable(self) -> None:
        """A directive that is not supported is named; nothing of the snippet is carried out."""
        result = built({"location-snippet": "lua_need_request_body on;"})
        self.assertEqual(kinds(result, b"b.example"), [])
        message = faults(result)["data[location-snippet]"]
        self.assertIn("lua_need_request_body", message)
        self.assertTrue(message.endswith("nothing of it is carried out"))

    def test_access(self) -> None:
        """If it may decide about access it closes every path."""
        for text in (
            "deny all; lua_need_request_body on;",
            "access_by_lua_block { ngx.exit(403) }",
            "auth_basic on;",
            "location /x {\n  auth_request /auth;\n}",
            "if ($x) {return 403;}",
            "deny all",
        ):
            result = built({"server-snippet": text})
            self.assertEqual(kinds(result, b"b.example"), [Refusal], text)
            self.assertTrue(faults(result)["data[server-snippet]"].endswith(CLOSED))

    def test_http(self) -> None:
        """What would keep clients out of all hosts closes them; a server of its own does not."""
        for text, policies in (
            ("deny 192.0.2.1;", [Refusal]),
            ("limit_req_zone $x zone=a:1m rate=1r/s;\nlimit_req zone=a;", [Refusal]),
            ("server { listen 8080; return 308 https://$host; }", []),
            ("map $a $b { default 1; }\nlimit_req_zone $x zone=a:1m rate=1r/s;", []),
            ("server {", []),
            ("server {\n  deny all;", [Refusal]),
        ):
            result = built({"http-snippet": text})
            self.assertEqual(kinds(result, b"b.example"), policies, text)
            self.assertEqual(CLOSED in faults(result)["data[http-snippet]"], bool(policies))

    def test_turned_bad(self) -> None:
        """One that turns bad keeps the last good one, also over several builds."""
        before = built({"location-snippet": "deny 192.0.2.1;"})
        for _ in range(2):
            before = built({"location-snippet": "deny 192.0.2.1; nonsense;"}, before)
            self.assertEqual(kinds(before, b"b.example"), [EveryLocationSnippet])
            self.assertIn("last good value", faults(before)["data[location-snippet]"])

    def test_settings(self) -> None:
        """What the ConfigMap has keys for is told."""
        result = built({"location-snippet": "proxy_read_timeout 7s; add_header X-A b;"})
        self.assertIn("has keys for them", str(faults(result)))
        self.assertEqual(kinds(result, b"b.example"), [EveryLocationSnippet])
