"""
Where people sign in: ``auth-signin``, the redirect in place of a 401.

Source of the rules: docs/compatibility.md, sections 2.5 and 6, "Public ports" (``rd``).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from ingress.errors import IngressError
from ingress.frozen import dataclass
from ingress.policy.context import PolicyContext
from ingress.policy.own_location import own_location
from ingress.policy.scope import RuleScope
from ingress.policy.variables import REQUEST_VARIABLES, VariableText, escape_component

PARAMETER: Final = "rd"
"""The parameter of the URL that gets the URL that was asked for."""

PARAMETER_NAME: Final = re.compile(r"[A-Za-z0-9._~\-]{1,64}")

_URL: Final = re.compile(r"(?:https?://[^/?]|/(?!/))[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z{}~]*", re.I)
_MAX_LENGTH: Final = 2048

MAX_LOCATION: Final = 8192
"""Bytes of a Location that clients take; a longer one does without what was asked for."""

_FORBIDDEN: Final = re.compile(rb"[^!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]")

ACCEPTED: Final = (
    f"an http or https URL, or a path, of at most {_MAX_LENGTH:,} characters is accepted"
)


class SignInRefused(IngressError):
    """A URL cannot be used; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The URL of a page to sign in."""

    url: VariableText
    suffix: bytes
    """What follows the URL, before the URL that was asked for; empty to add nothing."""

    def at(self, rule: RuleScope) -> SignIn:
        """:return: the same with the values of the rule's variables."""
        url = self.url.at(rule)
        return self if url is self.url else replace(self, url=url)

    def location(self, context: PolicyContext) -> bytes:
        """
        :return: the Location for a request. What no URL has is escaped, so that values of the
            client cannot become anything else.
        """
        location = REQUEST_VARIABLES.expand(self.url, context)
        if location.startswith(b"/"):
            location = own_location(context, location)
        asked_for = b""
        if self.suffix:
            origin = own_location(context, b"/")[:-1]
            asked_for = self.suffix + origin + escape_component(context.request.target)
        if len(location) + len(asked_for) > MAX_LOCATION:
            asked_for = b""
        return _FORBIDDEN.sub(_escaped, location + asked_for)[:MAX_LOCATION]


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


def parse_sign_in(written: str, parameter: str = "") -> SignIn:
    """
    :param parameter: the name of the parameter; empty for `PARAMETER`.
    :raises SignInRefused: for what is no such URL.
    :raises VariableUnknown: for a variable that there is not.
    """
    if len(written) > _MAX_LENGTH or _URL.fullmatch(written) is None:
        raise SignInRefused(ACCEPTED)
    name = parameter or PARAMETER
    _, mark, query = written.partition("?")
    has_it = any(
        pair.partition("=")[0] == name and pair.partition("=")[2] for pair in query.split("&")
    )
    suffix = b""
    if not has_it:
        suffix = (b"&" if query else b"") if mark else b"?"
        suffix += name.encode("ascii") + b"="
    return SignIn(REQUEST_VARIABLES.compile(written), suffix)
