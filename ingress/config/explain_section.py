"""
Reads the section ``explain`` of the configuration.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ingress.config import file_value
from ingress.config import value as accept
from ingress.config.explain import ExplainSettings
from ingress.config.section import Accept, NotAccepted, Section

_TOKEN: Final = re.compile(rb"[!-~]{16,256}")
_MAX_FILE: Final = 4096


def read_explain(root: Section, folder: Path) -> ExplainSettings:
    """:return: the settings; faults are noted."""
    with root.section("explain") as section:
        return ExplainSettings(
            section.take("token-file", accept.or_null(_token(folder)), None) or b""
        )


def _token(folder: Path) -> Accept[bytes]:
    accept_path = file_value.existing_path(folder)

    def read(value: object) -> bytes:
        file = accept_path(value)
        try:
            with file.open("rb") as opened:
                token = opened.read(_MAX_FILE).strip()
        except OSError as error:
            raise NotAccepted(f"a file that can be read ({error.strerror})") from None
        if not _TOKEN.fullmatch(token):
            raise NotAccepted(
                "a file with a token of 16 to 256 printable ASCII characters without blanks"
            )
        return token

    return read
