"""
The resources that have a form in HTML, each with the function that makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingress.admin.representation import Render

HTML_PAGES: Final[Mapping[str, Render]] = {}
"""By the name of the resource; the empty one is for ``/``."""
