"""
A server that behaves as oauth2-proxy's documentation says, in a process of its own.

It has the paths below ``/oauth2``, its own identity provider, sessions in cookies that are split where they
are too long for one, and the fields of ``--set-xauthrequest``. Run it as ``python -m
tests.support.oauth2_proxy``: it prints its port, and logs each request to standard output.
"""

from __future__ import annotations

import subprocess
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

CHECKOUT = Path(__file__).resolve().parents[2]

COOKIE = "_oauth2_proxy"
SESSION = "alice@example.com|" + "t" * 6000
"""Too long for one cookie: a browser keeps at most 4096 bytes of each."""

PIECE = 3840


def split_cookies(value: str) -> list[str]:
    """:return: the cookies of a session, numbered from 0 where there is more than one."""
    pieces = [value[start : start + PIECE] for start in range(0, len(value), PIECE)]
    names = [COOKIE] if len(pieces) == 1 else [f"{COOKIE}_{index}" for index in range(len(pieces))]
    attributes = "; Path=/; HttpOnly; SameSite=Lax"
    return [f"{name}={piece}{attributes}" for name, piece in zip(names, pieces, strict=True)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match url.path:
            case "/oauth2/auth":
                self._auth()
            case "/oauth2/start" | "/oauth2/sign_in":
                state = quote(f"csrf:{query.get('rd', '/')}", safe="")
                csrf = f"{COOKIE}_csrf=csrf; Path=/; HttpOnly"
                self._answer(302, ("Location", f"/oauth2/callback?code=1&state={state}"), csrf)
            case "/oauth2/callback":
                token, _, target = query.get("state", "").partition(":")
                if self._cookies().get(f"{COOKIE}_csrf") != token:
                    self._answer(403)
                else:
                    self._answer(302, ("Location", target or "/"), *split_cookies(SESSION))
            case "/oauth2/sign_out":
                gone = [f"{COOKIE}_{index}=; Path=/; Max-Age=0" for index in range(2)]
                self._answer(302, ("Location", query.get("rd", "/")), *gone)
            case "/ping":
                self._answer(200)
            case _:
                self._answer(404)

    do_HEAD = do_POST = do_GET

    def _cookies(self) -> dict[str, str]:
        jar = SimpleCookie(self.headers.get("Cookie", ""))
        return {name: each.value for name, each in jar.items()}

    def _auth(self) -> None:
        """The endpoint for auth_request: 202 or 401."""
        cookies = self._cookies()
        session = "".join(cookies.get(f"{COOKIE}_{index}", "") for index in range(2))
        if session != SESSION:
            self._answer(401)
            return
        email = session.partition("|")[0]
        fields = [
            ("X-Auth-Request-User", email.partition("@")[0]),
            ("X-Auth-Request-Email", email),
            ("Authorization", "Bearer " + "j" * 2000),
        ]
        # --cookie-refresh: a session that is old enough gets new cookies.
        fresh = split_cookies(SESSION) if "refresh" in cookies else []
        self._send(202, fields, fresh)

    def _answer(self, status: int, field: tuple[str, str] | str = "", *cookies: str) -> None:
        fields = [field] if isinstance(field, tuple) else []
        self._send(status, fields, list(cookies))

    def _send(self, status: int, fields: list[tuple[str, str]], cookies: list[str]) -> None:
        length = int(self.headers.get("Content-Length", 0))
        print(f"{self.command} {self.path} body={length}", flush=True)
        self.send_response(status)
        for name, value in (*fields, *(("Set-Cookie", each) for each in cookies)):
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """BaseHTTPRequestHandler: `_send` logs."""


class OAuth2Proxy:
    """
    The process, seen from a test.

    :ivar port: its port on 127.0.0.1.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.oauth2_proxy"],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> list[str]:
        """End it, and return what it logged."""
        self._process.terminate()
        output, _ = self._process.communicate()
        return output.splitlines()


def main() -> None:
    """Serve on any free port until the process is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
