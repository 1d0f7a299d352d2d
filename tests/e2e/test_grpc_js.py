"""
gRPC through a real process by a second client, `@grpc/grpc-js`, where ``make grpc-js`` has installed it.
"""

from __future__ import annotations

import json
import shutil

from tests.e2e.case import run
from tests.e2e.test_grpc import HOST, SAFE_HOST, GRPCProcessTestCase
from tests.support.process import CHECKOUT

INSTALLED = CHECKOUT / "build" / "grpc-js" / "node_modules"
CLIENT = CHECKOUT / "tests" / "support" / "grpc_js" / "client.js"

CASES = {
    "unary", "large", "trailing_metadata", "status", "server_streaming", "client_streaming",
    "bidi_streaming", "ping_pong", "deadline", "cancel", "slow_reader", "many",
}  # fmt: skip


class GRPCJSTests(GRPCProcessTestCase):
    """The cases of client.js, each with its own answer."""

    def check(self, host: str, *, is_secure: bool) -> None:
        port = self.process.port("https" if is_secure else "http")
        ended = run(
            "node",
            str(CLIENT),
            str(INSTALLED),
            f"127.0.0.1:{port}",
            host,
            *([str(self.authorities)] if is_secure else []),
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        told = [json.loads(line) for line in ended.stdout.splitlines()]
        failed = [each for each in told if "error" in each]
        self.assertEqual(failed, [])
        self.assertEqual({each["case"] for each in told}, CASES)

    def test_plain(self) -> None:
        """All pass in the clear, towards endpoints in the clear and over TLS."""
        for host in (HOST, SAFE_HOST):
            self.check(host, is_secure=False)

    def test_tls(self) -> None:
        """All pass over TLS, towards endpoints in the clear and over TLS."""
        for host in (HOST, SAFE_HOST):
            self.check(host, is_secure=True)


if shutil.which("node") is None:
    GRPCJSTests.skip = "node is not installed"
elif not INSTALLED.exists():
    GRPCJSTests.skip = "@grpc/grpc-js is not installed: make grpc-js"
