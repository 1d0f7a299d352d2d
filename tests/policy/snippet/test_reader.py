"""
Tests for `ingress.policy.snippet.reader`, and of what each directive accepts.
"""

from __future__ import annotations

import pickle

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.snippet.program import If, Settings
from ingress.policy.snippet.reader import NO_EFFECT, read_snippet
from ingress.policy.snippet.tokens import SnippetRefused

EVERYTHING = """
set $a "x $host";
if ($request_method = POST) { return 405; }
if ($http_x !~* "^a+$") { set $b 1; add_header X-If 1; }
if ($a) { break; }
rewrite ^/old/(.*)$ /new/$1 last;
return 301 https://$host$request_uri;
add_header X-A "$a" always;
more_set_headers -s '404 500' -t text/html "X-B: $1" 'X-C:';
more_clear_headers Server 'X-Internal-*';
more_set_input_headers -r "X-D: 1";
more_clear_input_headers X-E;
proxy_set_header X-F $remote_addr;
proxy_set_header Connection "upgrade";
proxy_hide_header X-G;
expires 1h;
allow 10.0.0.0/8;
deny all;
proxy_connect_timeout 1s;
proxy_send_timeout 2;
proxy_read_timeout 3m;
client_max_body_size 8m;
access_log off;
"""


class ReadSnippetTests(SynchronousTestCase):
    def test_everything(self) -> None:
        """Each directive of the table is read, and the program can be sent to workers."""
        block = read_snippet(EVERYTHING, "location")
        self.assertEqual(len(block.steps), 6)
        self.assertEqual(block.settings, Settings(1.0, 2.0, 180.0, 8 << 20, False))
        self.assertEqual([header.name for header in block.level.proxy_headers], [b"X-F"])
        self.assertEqual(pickle.loads(pickle.dumps(block)), block)

    def test_inherited(self) -> None:
        """A condition has the fields around it unless it has some of that kind, as in nginx."""
        block = read_snippet(
            "add_header X-A 1; more_set_headers 'X-M: 1'; "
            "if ($arg_a) { add_header X-B 1; more_set_headers 'X-N: 1'; } if ($arg_b) { set $x 1; }",
            "location",
        )
        first, second = (step for step in block.steps if isinstance(step, If))
        self.assertEqual([each.name for each in first.level.add_headers], [b"X-B"])
        self.assertEqual(len(first.level.more_headers), 2)
        self.assertEqual(second.level, block.level)

    def test_no_effect(self) -> None:
        """Directives for buffers and logs that are not here are accepted."""
        for name in NO_EFFECT:
            self.assertEqual(read_snippet(f"{name} on;", "location"), read_snippet("", "location"))

    def test_refused(self) -> None:
        """Every other directive, place, argument and variable is refused, with its line."""
        for text, part in (
            ("include /etc/passwd;", "line 1: include is not supported"),
            ("\nload_module x.so;", "line 2: load_module"),
            ("content_by_lua_block { ngx.say(1) }", "content_by_lua_block"),
            ("proxy_pass http://169.254.169.254/;", "proxy_pass"),
            ("root /etc;", "root"),
            ("alias /etc;", "alias"),
            ("auth_basic off;", "auth_basic"),
            ("satisfy any;", "satisfy"),
            ("if ($a = 1) { return 200; }", "there is no variable $a"),
            ("if (-f /etc/passwd) { return 200; }", "cannot be tested"),
            ("if ($host) { if ($arg_a) { break; } }", "not allowed in another if"),
            ("if ($host) { deny all; }", "deny is not allowed in if"),
            ("if ($host) { proxy_set_header A b; }", "not allowed in if"),
            ("if $host { break; }", "if has"),
            ("if ($host ~ '(a)\\1') { break; }", "linear time"),
            ("rewrite (?=a) /b;", "linear time"),
            ("rewrite ^ /b nonsense;", "rewrite has"),
            ("set $host x;", "$host cannot be changed"),
            ("set host x;", "set has"),
            ("return 99;", "return has"),
            ("return 600;", "not the status"),
            ("add_header X-A;", "add_header has"),
            ("add_header 'X A' 1;", "not a field name"),
            ("add_header Content-Length 1;", "belongs to the connection"),
            ("more_set_headers 'X-A';", "'Name: value'"),
            ("more_set_headers -z 'X-A: 1';", "no option -z"),
            ("more_clear_headers;", "names no field"),
            ("more_set_input_headers -t text/html 'X: y';", "'Name: value'"),
            ("proxy_set_header Transfer-Encoding chunked;", "belongs to the connection"),
            ("allow 10.0.0.0/99;", "allow"),
            ("deny unix:;", "deny"),
            ("expires tomorrow;", "expires"),
            ("proxy_read_timeout forever;", "a time such as"),
            ("client_max_body_size much;", "a size such as"),
            ("access_log /tmp/x;", "only off"),
            ("location /x { return 200; }", "in a server-snippet"),
            ("map $a $b { }", "not supported in a snippet"),
            ("return 200 $upstream_addr;", "there is no variable $upstream_addr"),
        ):
            with self.assertRaises(SnippetRefused, msg=text) as raised:
                read_snippet(text, "location")
            self.assertIn(part, str(raised.exception))
