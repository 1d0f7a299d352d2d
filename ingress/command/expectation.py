"""
Requests with expected answers as data: what a file for ``txingress test`` may say, and whether an
explanation fulfils it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingress.command.failure import CannotRun
from ingress.config.section import Mistake, Mistakes, NotAccepted, Section
from ingress.document import Document, DocumentError, decode_text, load_documents
from ingress.explain.as_json import as_json
from ingress.explain.as_text import summary
from ingress.explain.asked import Asked, NotAsked, ask
from ingress.explain.explanation import Explanation
from ingress.explain.heads import field_pairs

_FORM: Final = "a list of {request: {url: …}, expect: {…}} is accepted"
_FIELD_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MOST_SHOWN: Final = 200


@dataclass(frozen=True)
class Expectation:
    """One request, and what is expected of its answer."""

    file: str
    line: int
    """From 1."""

    name: str
    """Empty if it has none."""

    asked: Asked
    expected: Mapping[str, Any]
    """By the keys of `KEYS`; only what is named is compared."""

    @property
    def title(self) -> str:
        """The name, or the request."""
        return self.name or f"{self.asked.method} {self.asked.url}"


@dataclass(frozen=True)
class Miss:
    """Something that is not as expected."""

    key: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.key}: {self.expected} is expected, but it is {self.found}"


def read_expectations(file: str, data: bytes) -> list[Expectation]:
    """
    Read a file.

    :param file: its name as the user wrote it.
    :raises CannotRun: for all mistakes of the file, each with its line and what is accepted.
    """
    try:
        documents = load_documents(decode_text(data))
    except DocumentError as error:
        raise CannotRun(f"{file}, line {error.line}: {error.message}") from None
    mistakes, found = Mistakes(file), list[Expectation]()
    for document in documents:
        found += _read_document(file, document, mistakes)
    wrong: tuple[Mistake, ...] = mistakes.in_order()
    if wrong:
        raise CannotRun("\n".join(map(str, wrong)))
    if not found:
        raise CannotRun(f"{file}: there is nothing to test; {_FORM}")
    return found


def _read_document(file: str, document: Document, mistakes: Mistakes) -> Iterator[Expectation]:
    items = document.value
    if not isinstance(items, list):
        mistakes.in_file(_FORM, document.line)
        return
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            mistakes.at(document, (index,), "", _FORM)
            continue
        with Section(document, mistakes, (index,), item) as section:
            read = _read_item(section)
        if read is not None:
            yield Expectation(file, document.line_of((index,)), *read)


def _read_item(section: Section) -> tuple[str, Asked, Mapping[str, Any]] | None:
    name = section.take("name", _text, "")
    for key in ("request", "expect"):
        if not section.has(key):
            section.miss(key, f"is missing; {_FORM}")
    asked, expected = None, dict[str, Any]()
    with section.section("request") as request:
        asked = _read_request(request)
    with section.section("expect", "a mapping of what is expected") as expect:
        for key, (accept, _) in KEYS.items():
            if expect.has(key):
                expected[key] = expect.take(key, accept, None)
        if not expected and not expect.is_faulty and section.has("expect"):
            section.refuse("expect", f"something is expected; known are {', '.join(sorted(KEYS))}")
    return None if asked is None else (name, asked, expected)


def _read_request(request: Section) -> Asked | None:
    url = request.take("url", _text, "")
    method = request.take("method", _text, "GET")
    client = request.take("client", _text, "127.0.0.1")
    fields = request.take("headers", _fields, ())
    if not request.has("url"):
        if not request.is_faulty:
            request.miss("url", "is missing; a URL such as https://shop.example/cart is accepted")
        return None
    try:
        return ask(url, method, fields, client)
    except NotAsked as error:
        request.miss("url", str(error))
        return None


# What is accepted.


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotAccepted("a text is accepted")
    return value


def _text_or_null(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise NotAccepted("a text is accepted, or null for none")
    return value


def _status(value: object) -> int | None:
    if value is None or (type(value) is int and 100 <= value <= 599):
        return value
    raise NotAccepted("a number of 100 to 599 is accepted, or null where an endpoint answers")


def _fields(value: object) -> tuple[str, ...]:
    """Fields of a request: a mapping, in which a list has a field several times."""
    if not isinstance(value, dict):
        raise NotAccepted("a mapping of names to values is accepted")
    lines = []
    for name, written in value.items():
        for each in written if isinstance(written, list) else [written]:
            if not isinstance(each, str | int | float) or isinstance(each, bool):
                raise NotAccepted("a mapping of names to texts is accepted")
            lines.append(f"{name}: {each}")
    return tuple(lines)


def _field_values(value: object) -> dict[str, str | None]:
    if not isinstance(value, dict):
        raise NotAccepted("a mapping of names to values is accepted, null for no such field")
    found: dict[str, str | None] = {}
    for name, each in value.items():
        if not _FIELD_NAME.fullmatch(str(name)) or isinstance(each, bool | list | dict):
            raise NotAccepted("a mapping of names to texts is accepted, null for no such field")
        found[name] = None if each is None else str(each)
    return found


def _policies(value: object) -> dict[str, str | None]:
    """:return: the beginnings of verdicts by the names of policies; empty for any verdict."""
    if isinstance(value, str):
        return {value: ""}
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return dict.fromkeys(value, "")
    if isinstance(value, dict) and all(
        each is None or isinstance(each, str) for each in value.values()
    ):
        return dict(value)
    raise NotAccepted(
        "the name of a policy is accepted, a list of names, or a mapping of names to verdicts, "
        "null for no such policy"
    )


# What is compared.


def misses_of(expected: Mapping[str, Any], explanation: Explanation) -> list[Miss]:
    """:return: what is not as expected, in the order of the keys."""
    return [
        miss
        for key, (_, compare) in KEYS.items()
        if key in expected
        for miss in compare(key, expected[key], explanation)
    ]


def _of_json(key: str, expected: object, explanation: Explanation) -> Iterator[Miss]:
    found = as_json(explanation)[key]
    if found != expected:
        yield Miss(key, _shown(expected), _shown(found))


def _status_of(key: str, expected: int | None, explanation: Explanation) -> Iterator[Miss]:
    found = explanation.status
    if found != expected:
        wanted = "null (an endpoint answers)" if expected is None else str(expected)
        yield Miss(key, wanted, "null: " + summary(explanation) if found is None else str(found))


def _certificate(key: str, expected: object, explanation: Explanation) -> Iterator[Miss]:
    certificate = explanation.certificate
    found = None if certificate is None else "/".join(certificate.identity.secret)
    if found != expected:
        yield Miss(key, _shown(expected), _shown(found))


def _path(key: str, expected: str | None, explanation: Explanation) -> Iterator[Miss]:
    found: str | None = explanation.sent_target or None
    if found is not None and expected is not None and "?" not in expected:
        found = found.partition("?")[0]
    if found != expected:
        yield Miss(key, _shown(expected), _shown(found))


def _head(
    head: Callable[[Explanation], bytes],
) -> Callable[[str, dict[str, str | None], Explanation], Iterator[Miss]]:
    """:param head: the head whose fields are compared."""

    def compare(
        key: str, expected: dict[str, str | None], explanation: Explanation
    ) -> Iterator[Miss]:
        fields = field_pairs(head(explanation))
        for name, value in expected.items():
            _, found = fields.get(name.lower(), ("", None))
            if found != value:
                yield Miss(f"{key}: {name}", _shown(value), _shown(found))

    return compare


def _policy(key: str, expected: dict[str, str | None], explanation: Explanation) -> Iterator[Miss]:
    verdicts = {verdict.name: verdict.verdict for verdict in explanation.verdicts}
    for name, verdict in expected.items():
        found = verdicts.get(name)
        if verdict == "" or verdict is None:
            is_met = (found is None) is (verdict is None)
        else:
            is_met = f"{found},".startswith(f"{verdict},")
        if not is_met:
            wanted = "any verdict" if verdict == "" else _shown(verdict)
            yield Miss(f"{key}: {name}", wanted, _shown(found))


def _shown(value: object) -> str:
    if value is None:
        return "none"
    text = str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


KEYS: Final[Mapping[str, tuple[Callable[[object], Any], Callable[..., Iterator[Miss]]]]] = {
    "status": (_status, _status_of),
    "redirect": (_text_or_null, _of_json),
    "upstream": (_text_or_null, _of_json),
    "ingress": (_text_or_null, _of_json),
    "path": (_text_or_null, _path),
    "policy": (_policies, _policy),
    "request-headers": (_field_values, _head(lambda explanation: explanation.sent_head)),
    "response-headers": (_field_values, _head(lambda explanation: explanation.answer_head)),
    "certificate": (_text_or_null, _certificate),
}
"""What may be expected: how it is read, and how compared."""
