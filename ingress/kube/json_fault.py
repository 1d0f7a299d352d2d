"""
JSON that others send, and what is raised where it is none.
"""

from __future__ import annotations

from typing import Final

import msgspec

NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""
What msgspec raises for bytes that are no JSON, not of the type that was asked for, or so
deeply nested that nobody means anything by it.
"""
