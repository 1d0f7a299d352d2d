"""
Databases, brokers, name servers and mail servers of Debian behind a real process, asked by their
own clients: `make real-servers`.
"""

from __future__ import annotations

import os
import smtplib
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest

from tests.e2e.case import ProcessTestCase
from tests.support.debian_servers import (
    Server,
    dnsmasq,
    find_program,
    mosquitto,
    msmtpd,
    postgresql,
    redis,
)
from tests.support.echo_ports import free_port
from tests.support.process import LOOPBACK, PATIENCE, wait_until

SWITCH = "TXINGRESS_REAL_SERVERS"
"""The variable of the environment that has these tests run: they start six servers."""

SERVERS: dict[str, Callable[[], Server]] = {
    "postgresql": postgresql,
    "redis": redis,
    "mosquitto": mosquitto,
    "dns": dnsmasq,
    "smtp": msmtpd,
}


class RealServerTests(ProcessTestCase):
    servers: ClassVar[dict[str, Server]]
    missing: ClassVar[dict[str, str]]
    """Why each server that is not there is missing."""

    ports: ClassVar[dict[str, int]]
    """The ports of the proxy."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.servers, cls.missing, cls.ports = {}, {}, {}
        for name, make in SERVERS.items():
            try:
                cls.servers[name] = cls.keep(make())
            except SkipTest as error:
                cls.missing[name] = str(error)
        cls.ports = {name: free_port() for name in cls.servers}
        places = {name: f"127.0.0.1:{port}" for name, port in cls.ports.items()}
        tcp = {places[name]: f"default/{name}:1" for name in cls.servers}
        settings: dict[str, Any] = {
            "listen": {
                "http": LOOPBACK,
                "https": LOOPBACK,
                "admin": LOOPBACK,
                "tcp": tcp,
                "udp": {places["dns"]: "default/dns:1"} if "dns" in places else {},
            },
            "source": {
                "files": ["manifests"],
                "endpoints": {
                    f"default/{name}": server.address for name, server in cls.servers.items()
                },
            },
            "workers": 2,
        }
        cls.serve(folder, **settings)
        for server in cls.servers.values():
            assert server.port not in cls.ports.values()

    def setUp(self) -> None:
        if SWITCH not in os.environ:
            raise SkipTest(f"{SWITCH} is not set (make real-servers)")
        super().setUp()

    def port(self, name: str) -> str:
        """:raises SkipTest: if there is no such server here."""
        if name in self.missing:
            raise SkipTest(self.missing[name])
        return str(self.ports[name])

    def ask(self, program: str, *arguments: str, text: str = "") -> str:
        """What a client prints."""
        ended = subprocess.run(
            [find_program(program), *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout

    def psql(self, query: str) -> str:
        place = ["-h", "127.0.0.1", "-p", self.port("postgresql"), "-U", "postgres"]
        return self.ask("psql", *place, "-X", "-A", "-t", "-c", query)

    def test_postgresql(self) -> None:
        """psql writes, reads, and gets megabytes."""
        self.psql("create table words (word text); insert into words values ('hello'), ('you')")
        self.assertEqual(
            self.psql("select word from words order by word").split(), ["hello", "you"]
        )
        large = self.psql("select repeat(md5('x'), 300000)").strip()
        self.assertEqual(len(large), 32 * 300_000)
        rows = "\n".join(str(number) for number in range(50_000))
        place = ["-h", "127.0.0.1", "-p", self.port("postgresql"), "-U", "postgres", "-X"]
        self.ask("psql", *place, "-c", "copy words from stdin", text=rows)
        self.assertEqual(self.psql("select count(*) from words").strip(), "50002")

    def test_redis(self) -> None:
        """redis-cli sets and gets, one by one and many in a pipe."""
        port = self.port("redis")
        self.assertEqual(self.ask("redis-cli", "-p", port, "set", "a", "1").strip(), "OK")
        self.assertEqual(self.ask("redis-cli", "-p", port, "get", "a").strip(), "1")
        commands = "".join(f"SET key{number} {'v' * 100}\r\n" for number in range(10_000))
        self.assertIn("replies: 10000", self.ask("redis-cli", "-p", port, "--pipe", text=commands))
        self.assertEqual(self.ask("redis-cli", "-p", port, "dbsize").strip(), "10001")

    def test_mosquitto(self) -> None:
        """mosquitto_sub gets what mosquitto_pub sends, through the same port."""
        place = ["-h", "127.0.0.1", "-p", self.port("mosquitto")]
        command = [find_program("mosquitto_sub"), *place, "-t", "shop/#", "-C", "1", "-W", "30"]
        subscriber = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(subscriber.kill)
        publish = partial(self.ask, "mosquitto_pub", *place, "-t", "shop/orders", "-m", "order")

        def has_received() -> bool:
            # Nobody says when it has subscribed.
            publish("-q", "1")
            return subscriber.poll() is not None

        wait_until(has_received, "the message")
        self.assertEqual(subscriber.communicate(timeout=PATIENCE)[0], "order\n")
        publish("-r", "-q", "2")
        kept = self.ask("mosquitto_sub", *place, "-t", "shop/orders", "-C", "1", "-W", "30")
        self.assertEqual(kept, "order\n")

    def dig(self, *arguments: str) -> str:
        return self.ask("dig", "@127.0.0.1", "-p", self.port("dns"), "+tries=3", *arguments)

    def test_dns(self) -> None:
        """dig asks over UDP; a long answer is truncated, and comes over TCP at the same port."""
        self.assertEqual(self.dig("shop.test", "A", "+short", "+notcp").strip(), "192.0.2.7")
        self.assertEqual(self.dig("shop.test", "A", "+short", "+tcp").strip(), "192.0.2.7")
        truncated = self.dig("long.test", "TXT", "+noedns", "+ignore", "+notcp")
        self.assertIn(" tc", truncated)
        self.assertEqual(self.dig("long.test", "TXT", "+short", "+noedns").count("x"), 2000)
        questions = [word for _ in range(100) for word in ("shop.test", "A")]
        self.assertEqual(self.dig("+short", *questions).split(), ["192.0.2.7"] * 100)

    def test_smtp(self) -> None:
        """A session of SMTP, in which the server speaks first."""
        self.port("smtp")
        with smtplib.SMTP("127.0.0.1", self.ports["smtp"], timeout=PATIENCE) as client:
            client.sendmail(
                "a@shop.test", ["b@shop.test"], f"Subject: hello\r\n\r\n{'x' * 70}\r\n" * 99
            )
        mail = self.servers["smtp"].folder / "mail"
        wait_until(mail.exists, "the mail")
        self.assertEqual(mail.read_text().count("Subject: hello"), 99)
