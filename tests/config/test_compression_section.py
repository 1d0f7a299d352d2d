"""Tests of `ingress.config.compression_section`."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ingress.config.compression import DEFAULT_TYPES, CodingSettings, CompressionSettings
from ingress.config.compression_section import read_compression
from ingress.config.section import Mistakes, Section
from ingress.document import load_documents
from ingress.linear_pattern import LinearPattern


def read(**section: object) -> tuple[CompressionSettings, list[str]]:
    """The settings of a section, and the mistakes in it."""
    mistakes = Mistakes("file")
    (document,) = load_documents(json.dumps({"compression": section}))
    assert isinstance(document.value, dict)
    settings = read_compression(Section(document, mistakes, (), document.value))
    return settings, [each.key for each in mistakes.in_order()]


class ReadTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Nothing is on by default, and each coding has its own settings."""
        self.assertEqual(read(), (CompressionSettings(), []))
        settings, _ = read(brotli={"enabled": True})
        self.assertEqual(settings.brotli, CodingSettings(True, 4, 20, DEFAULT_TYPES))

    def test_all(self) -> None:
        """Every key has its field."""
        coding = {"enabled": True, "level": 2, "min-length": "1k", "types": ["Text/CSS", "*"]}
        expected = CodingSettings(True, 2, 1024, ("text/css", "*"))
        found = read(gzip=coding, brotli=coding, zstd=coding, memory="1m", **{"disabled-for": "x"})
        pattern = LinearPattern.of("x", ignores_case=True)
        settings = CompressionSettings(expected, expected, expected, 1 << 20, pattern)
        self.assertEqual(found, (settings, []))

    def test_mistakes(self) -> None:
        """Bad values are mistakes, all of them."""
        _, mistakes = read(
            gzip={"level": 10, "types": ["text", 5]},
            zstd={"level": 19},
            memory=-1,
            **{"disabled-for": "(?=x)"},
        )
        self.assertEqual(
            sorted(mistakes),
            [
                "compression.disabled-for",
                "compression.gzip.level",
                "compression.gzip.types[0]",
                "compression.gzip.types[1]",
                "compression.memory",
                "compression.zstd.level",
            ],
        )
