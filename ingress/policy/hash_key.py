"""
The hash key of a request, as ``upstream-hash-by`` describes it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ingress.frozen import dataclass
from ingress.policy.scope import RuleScope
from ingress.policy.variables import REQUEST_VARIABLES, RequestSource, VariableText

_OF_FIELDS: Final = ("", "http_", "cookie_", "remote_user")
"""The variables that depend on the fields of a request alone, and the text between them."""


@dataclass(frozen=True, slots=True)
class HashKey:
    """The compiled value of ``upstream-hash-by``."""

    text: VariableText

    @property
    def written(self) -> str:
        """The value as its author wrote it."""
        return self.text.written

    @property
    def depends_on_fields_alone(self) -> bool:
        """Whether requests with the same fields, beside Host, have the same key."""
        return all(part.variable in _OF_FIELDS for part in self.text.parts)

    def at(self, rule: RuleScope) -> HashKey:
        """:return: the key of the requests of a rule."""
        text = self.text.at(rule)
        return self if text is self.text else replace(self, text=text)

    def of(self, source: RequestSource) -> bytes:
        """
        :param source: the request.
        :return: the key; empty if the request has a value for none of its variables, so
            that such requests do not all go to one endpoint.
        """
        return b"".join(self._values(source))

    def distinct(self, source: RequestSource) -> bytes:
        """
        :return: as `of`, but so that no two requests with other values have the same key, as
            ``ab`` and ``c`` of two variables would have with ``a`` and ``bc``.
        """
        return b"".join([b"%d:%b" % (len(value), value) for value in self._values(source)])

    def _values(self, source: RequestSource) -> list[bytes]:
        """:return: the values of all parts; nothing if no variable has any."""
        values, has_value, has_variable = [], False, False
        for part in self.text.parts:
            value = REQUEST_VARIABLES.value(part, source)
            if part.variable:
                has_variable = True
                has_value = has_value or bool(value)
            values.append(value)
        return values if has_value or not has_variable else []


def parse_hash_key(written: str) -> HashKey:
    """
    :raises VariableUnknown: for the first variable that there is not.
    """
    return HashKey(REQUEST_VARIABLES.compile(written))
