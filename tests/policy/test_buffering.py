"""Tests of the annotations for buffers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.buffering import Buffering
from ingress.testing import read_annotations


def faults(**values: str) -> list[tuple[str, str]]:
    """:param values: names with ``_`` for ``-``."""
    annotations = {name.replace("_", "-"): value for name, value in values.items()}
    return list(read_annotations(Buffering, annotations).faults.items())


class BufferingTests(SynchronousTestCase):
    def test_streaming(self) -> None:
        """What asks for streaming, or tunes a buffer that is not there, is no fault."""
        self.assertEqual(
            faults(
                proxy_buffering="off",
                proxy_request_buffering="off",
                proxy_http_version="1.1",
                client_body_buffer_size="1M",
                proxy_buffer_size="64k",
                proxy_buffers_number="8",
                proxy_busy_buffers_size="16k",
                proxy_max_temp_file_size="1024m",
            ),
            [],
        )

    def test_buffers(self) -> None:
        """Who asks for what we do not do is told."""
        for name, value, part in (
            ("proxy-buffering", "on", "responses are streamed"),
            ("proxy-request-buffering", "on", "requests are streamed"),
            ("proxy-http-version", "1.0", "in HTTP/1.1"),
            ("proxy-buffer-size", "65k", "may have 65536 bytes"),
        ):
            ((found, message),) = faults(**{name.replace("-", "_"): value})
            self.assertEqual(found, name)
            self.assertIn(part, message)

    def test_bad_values(self) -> None:
        """A value that nginx would not take is a fault."""
        for name, value in (
            ("proxy-buffering", "yes"),
            ("proxy-request-buffering", "true"),
            ("proxy-http-version", "2"),
            ("client-body-buffer-size", "1 megabyte"),
            ("proxy-buffer-size", "8kb"),
            ("proxy-buffers-number", "4 8k"),
            ("proxy-max-temp-file-size", "-1"),
        ):
            ((found, message),) = faults(**{name.replace("-", "_"): value})
            self.assertEqual(found, name)
            self.assertIn("is accepted", message)
