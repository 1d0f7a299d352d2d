"""
Reading of the section ``compression`` of the configuration file.
"""

from __future__ import annotations

from ingress.config import value as accept
from ingress.config.compression import CodingSettings, CompressionSettings
from ingress.config.section import Section


def read_compression(root: Section) -> CompressionSettings:
    """Read the section; mistakes are noted in it."""
    default = CompressionSettings()
    with root.section("compression") as section:
        return CompressionSettings(
            gzip=_read_coding(section, "gzip", default.gzip, (1, 9)),
            brotli=_read_coding(section, "brotli", default.brotli, (0, 11)),
            # Higher levels of zstd need tens of megabytes for each response.
            zstd=_read_coding(section, "zstd", default.zstd, (1, 9)),
            memory=section.take("memory", accept.size(0, 1 << 40), default.memory),
            disabled_for=section.take("disabled-for", accept.or_null(accept.pattern), None),
        )


def _read_coding(
    parent: Section, name: str, default: CodingSettings, levels: tuple[int, int]
) -> CodingSettings:
    with parent.section(name, "enabled, level, min-length and types") as section:
        return CodingSettings(
            enabled=section.take("enabled", accept.boolean, default.enabled),
            level=section.take("level", accept.integer(*levels), default.level),
            min_length=section.take("min-length", accept.size(0, 1 << 30), default.min_length),
            types=section.take_all("types", accept.media_type, default.types),
        )
