"""
Reads the section ``otlp`` of the configuration.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.config import value as accept
from ingress.config.otlp import MISSING_PACKAGES, OtlpSettings, has_packages, is_collector_url
from ingress.config.section import NotAccepted, Section

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/:-]{0,127}")
_NAMED: Final = "letters, digits, blanks and . _ / : - (128 characters at most)"


def read_otlp(root: Section) -> OtlpSettings:
    """:return: the settings; faults are noted."""
    default = OtlpSettings()
    with root.section("otlp") as section:
        queue = section.take("queue", accept.integer(1, 1 << 20), default.queue)
        batch = section.take("batch", accept.integer(1, 1 << 16), min(default.batch, queue))
        if batch > queue:
            section.refuse("batch", "no more than queue")
            batch = queue
        return OtlpSettings(
            endpoint=section.take_secret("endpoint", accept.or_null(_endpoint), None) or "",
            service_name=section.take(
                "service-name", accept.text(_NAME, _NAMED), default.service_name
            ),
            for_all=section.take("for-all", accept.boolean, default.for_all),
            trust_incoming_span=section.take(
                "trust-incoming-span", accept.boolean, default.trust_incoming_span
            ),
            operation_name=section.take(
                "operation-name", accept.or_null(accept.text(_NAME, _NAMED)), None
            )
            or "",
            sampler=section.take(
                "sampler", accept.one_of("always-on", "always-off", "ratio"), default.sampler
            ),
            ratio=section.take("ratio", accept.number("a share", 0.0, 1.0), default.ratio),
            parent_based=section.take("parent-based", accept.boolean, default.parent_based),
            queue=queue,
            batch=batch,
            delay=section.take("delay", accept.seconds(3600.0, 0.1), default.delay),
        )


def _endpoint(value: object) -> str:
    if not isinstance(value, str) or not is_collector_url(value):
        raise NotAccepted("an http or https URL such as http://collector:4318/v1/traces, or null")
    if not has_packages():
        raise NotAccepted(MISSING_PACKAGES)
    return value
