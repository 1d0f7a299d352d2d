"""
Which clients understand ``SameSite=None``.

Some old clients treat it as ``Strict``, or drop the cookie. The list is Chromium's
("SameSite=None: Known Incompatible Clients"), which ingress-nginx follows as well.
"""

from __future__ import annotations

import re

_CHROMIUM = re.compile(rb"Chrom(?:e|ium)/(\d{1,5})\.")
_REJECTING_CHROMIUMS = range(51, 67)

_UC_BROWSER = re.compile(rb"UCBrowser/(\d{1,5})\.(\d{1,5})\.(\d{1,5})")
_FIRST_ACCEPTING_UC_BROWSER = (12, 13, 2)

_IOS_12 = (b"CPU iPhone OS 12", b"iPad; CPU OS 12")
_MACOS_10_14 = b"Mac OS X 10_14"
_EMBEDDED_END = b"(KHTML, like Gecko)"

_MAX_LENGTH = 1024
"""The most bytes of the field that are examined."""


def accepts_same_site_none(user_agent: bytes | None) -> bool:
    """
    :param user_agent: the User-Agent field, if any.
    """
    agent = (user_agent or b"")[:_MAX_LENGTH]
    if any(mark in agent for mark in _IOS_12):
        return False  # Every browser there is WebKit underneath.
    uc_browser = _UC_BROWSER.search(agent)
    if uc_browser is not None:
        version = tuple(int(number) for number in uc_browser.groups())
        return version >= _FIRST_ACCEPTING_UC_BROWSER
    chromium = _CHROMIUM.search(agent)
    if chromium is not None:
        return int(chromium[1]) not in _REJECTING_CHROMIUMS
    is_webkit = b" Safari/" in agent or agent.endswith(_EMBEDDED_END)
    return not (_MACOS_10_14 in agent and is_webkit)
