"""
Exceptions for malformed JSON.
"""

from __future__ import annotations

from typing import Final

import msgspec

NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""
The exceptions of msgspec for bytes that are not JSON, not of the requested type, or nested too
deeply.
"""
