"""
The examples of ingress-nginx's documentation, with the answers that it promises, by a real process.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.offline import load
from ingress.explain.asked import ask
from ingress.explain.explanation import explain
from tests.support.client import Reply
from tests.support.example import FOLDER, Example, ExampleRequest, all_examples
from tests.support.process import IngressProcess

_PROBLEM = re.compile(r"\S+/manifests\.yaml, line \d+: .*")


class ExampleTests(SynchronousTestCase):
    """``examples/ingress-nginx``."""

    def serve(self, *examples: Example) -> IngressProcess:
        """Serve these examples together."""
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, folder)
        resources = ExitStack()
        self.addCleanup(resources.close)
        endpoints: dict[str, list[str]] = {}
        settings: dict[str, object] = {}
        for example in examples:
            for service, addresses in example.start(resources).items():
                self.assertNotIn(service, endpoints, f"{example.name}: another example has it")
                endpoints[service] = addresses
            settings.update(example.settings)
        process = IngressProcess(
            folder,
            source={
                "files": [str(example.manifests) for example in examples],
                "endpoints": endpoints,
            },
            public_ports={"http": 80, "https": 443},
            **{key.replace("-", "_"): value for key, value in settings.items()},
        )
        resources.callback(process.stop)
        process.start()
        return process

    def check(self, *examples: Example) -> None:
        process = self.serve(*examples)
        ports = {name: process.port(name) for name in ("http", "https")}
        failures = []
        for example in examples:
            for request in example.requests:
                try:
                    replies = request.check(ports)
                    self.compare(process, request, replies)
                except (AssertionError, OSError, ValueError, KeyError) as error:
                    failures.append(f"{request.name}: {error}")
        log = process.log
        expected = [pattern for example in examples for pattern in example.problems]
        found = _PROBLEM.findall(log)
        failures += [
            f"a Problem that no example expects: {line}"
            for line in found
            if not any(pattern.search(line) for pattern in expected)
        ]
        failures += [
            f"no Problem matches {pattern.pattern!r}"
            for pattern in expected
            if not any(map(pattern.search, found))
        ]
        self.assertEqual(failures, [], "\n".join((*failures, log)))
        self.assertNotIn("Traceback", log, log)

    def compare(
        self, process: IngressProcess, request: ExampleRequest, replies: list[Reply]
    ) -> None:
        """Compare the answers with what ``txingress explain`` says of the request."""
        if len(replies) > 1 or "certificate" in request.written:
            return  # Later answers depend on earlier ones, and no certificate is explained.
        written = request.written
        method, target = written["send"].split(" ", 1)
        fields = tuple(f"{name}: {value}" for name, value in written.get("fields", {}).items())
        scheme = "https" if written.get("https") else "http"
        asked = ask(f"{scheme}://{written['host']}{target}", method, fields)
        explanation = explain(load(str(process.config), []).built, asked)
        (reply,) = replies
        if explanation.undecided or explanation.passthrough is not None:
            return
        if explanation.status is not None:
            assert explanation.status == reply.status, f"explained as {explanation.status}"
            assert explanation.redirect == (reply.field("Location") or "")
        elif reply.status == 200 and reply.body.startswith(b'{"name": '):
            assert explanation.sent_target == reply.echo["target"], "another target is explained"

    def test_together(self) -> None:
        """All examples that need no settings of the configuration give the answers promised."""
        self.check(*(example for example in all_examples() if not example.settings))

    def test_with_settings(self) -> None:
        """Each example that needs settings gives its answers in a process of its own."""
        for example in all_examples():
            if example.settings:
                self.check(example)

    def test_folders(self) -> None:
        """Each folder has manifests and requests."""
        folders = {entry.name for entry in FOLDER.iterdir() if entry.is_dir()}
        self.assertEqual({example.name for example in all_examples()}, folders)
        for example in all_examples():
            self.assertTrue(example.manifests.is_file(), example.name)
