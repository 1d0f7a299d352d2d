"""
Tests for `ingress.config.otlp_section`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import otlp
from ingress.config.otlp import OtlpSettings
from ingress.config.otlp_section import read_otlp
from ingress.config.section import Mistakes, Section
from ingress.document import load_documents

URL = "http://collector:4318/v1/traces"


def read(**section: object) -> tuple[OtlpSettings, list[str]]:
    """The settings of a section, and the mistakes in it."""
    named = {key.replace("_", "-"): value for key, value in section.items()}
    mistakes = Mistakes("file")
    (document,) = load_documents(json.dumps({"otlp": named}))
    assert isinstance(document.value, dict)
    settings = read_otlp(Section(document, mistakes, (), document.value))
    return settings, [str(each) for each in mistakes.in_order()]


class ReadTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Without an endpoint nothing has spans."""
        self.assertEqual(read(), (OtlpSettings(), []))
        self.assertEqual(read(endpoint=None, operation_name=None), (OtlpSettings(), []))

    def test_all(self) -> None:
        """Every key has its field."""
        found = read(
            endpoint=URL,
            service_name="edge",
            for_all=True,
            trust_incoming_span=False,
            operation_name="shop",
            sampler="ratio",
            ratio=0.5,
            parent_based=False,
            queue=10,
            batch=5,
            delay=1,
        )
        expected = OtlpSettings(
            URL, "edge", True, False, "shop", "ratio", 0.5, False, queue=10, batch=5, delay=1.0
        )
        self.assertEqual(found, (expected, []))

    def test_batch(self) -> None:
        """A batch is no larger than the queue; its default adapts."""
        self.assertEqual(read(queue=5), (OtlpSettings(queue=5, batch=5), []))
        settings, mistakes = read(queue=5, batch=6)
        self.assertEqual((settings.batch, len(mistakes)), (5, 1))

    def test_mistakes(self) -> None:
        """Each wrong value is a mistake; that of the endpoint is not quoted."""
        for key, value in (
            ("endpoint", "http://user:hunter2@collector/"),
            ("endpoint", "collector:4317"),
            ("endpoint", 5),
            ("service_name", ""),
            ("operation_name", "$uri"),
            ("for_all", "yes"),
            ("sampler", "AlwaysOn"),
            ("ratio", 1.5),
            ("queue", 0),
            ("batch", 0),
            ("delay", 0),
            ("unknown", 1),
        ):
            _, mistakes = read(**{key: value})
            self.assertEqual(len(mistakes), 1, (key, value, mistakes))
            self.assertNotIn("hunter2", mistakes[0])

    def test_packages(self) -> None:
        """An endpoint without the packages is a mistake that names the extra."""
        self.patch(otlp, "_MODULES", ("opentelemetry.missing", "missing.too"))
        settings, (mistake,) = read(endpoint=URL)
        self.assertEqual(settings.endpoint, "")
        self.assertIn("pip install 'txingress[otel]'", mistake)
        self.patch(otlp, "_MODULES", ("missing.too",))
        self.assertEqual(len(read(endpoint=URL)[1]), 1)
