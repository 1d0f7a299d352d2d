"""
Converts plain values to objects, and describes what does not fit.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

import msgspec

from ingress.document import Path
from ingress.kube.fault import Fault, value_at
from ingress.kube.objects import KubeObject

_CONVERSION: Final = re.compile(r"(?P<message>.*?)(?: - at `(?P<path>\$.*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_MISMATCH: Final = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`")
_TYPE_NAMES: Final = {
    "str": "a string",
    "int": "a number without a fraction",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
_OURS: Final = ("origin", "onlyGuards", "unreadable")
"""Fields of ours that the API does not have; a manifest's fields of these names are dropped."""

_ENUMS: Final = {
    "pathType": "Exact, Prefix or ImplementationSpecific",
    "addressType": "IPv4, IPv6 or FQDN",
}
_FORMATS: Final = (("datetime", "must be a time such as 2026-01-31T12:00:00Z"),)


def convert(
    raw: dict[str, object], type_: type[KubeObject]
) -> tuple[KubeObject | None, list[Fault]]:
    """The object, or the faults of its shape."""
    for field in _OURS:
        raw.pop(field, None)
    try:
        return msgspec.convert(raw, type_), []
    except msgspec.ValidationError:
        # null means absent. Only few objects need it dropped, so it is not done first.
        _empty_null_texts(raw)
        drop_nulls(raw)
    try:
        return msgspec.convert(raw, type_), []
    except msgspec.ValidationError as error:
        return None, conversion_faults(str(error), raw)


def _empty_null_texts(raw: dict[str, object]) -> None:
    """
    Make annotations and labels that are null empty strings, as the API server does.

    An access rule must not vanish because its value was left out.
    """
    for field in ("annotations", "labels"):
        texts = value_at(raw, ("metadata", field))
        if isinstance(texts, dict):
            texts.update({key: "" for key, value in texts.items() if value is None})


def drop_nulls(value: object) -> None:
    """Remove the keys of mappings whose value is null, in place, at every depth."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            for key in [key for key, child in value.items() if child is None]:
                del value[key]
            pending.extend(child for child in value.values() if isinstance(child, dict | list))
        elif isinstance(value, list):
            pending.extend(child for child in value if isinstance(child, dict | list))


def conversion_faults(text: str, raw: object) -> list[Fault]:
    """Translate a message of msgspec into the terms of a manifest."""
    match = _CONVERSION.fullmatch(text)
    message, spelled = (match["message"], match["path"] or "$") if match else (text, "$")
    path: Path = ()
    for step in _STEP.finditer(spelled):
        if step["any"]:
            # msgspec does not name the key, so all values that are not strings are reported.
            values = value_at(raw, path)
            keys = values if isinstance(values, dict) else {}
            wrong = [key for key, value in keys.items() if not isinstance(value, str)]
            return [Fault((*path, key), _string_message(keys[key])) for key in wrong]
        path = (*path, int(step["index"]) if step["index"] else step["key"])
    missing = _MISSING.fullmatch(message)
    if missing is not None:
        path = (*path, missing["field"])
        accepted = _ENUMS.get(missing["field"])
        return [Fault(path, f"must be there: {accepted}" if accepted else "must be there")]
    if message.startswith("Invalid enum value"):
        return [Fault(path, f"must be {_ENUMS.get(str(path[-1]), 'another value')}")]
    mismatch = _MISMATCH.fullmatch(message)
    if mismatch is not None:
        if mismatch["expected"] == "str":
            return [Fault(path, _string_message(value_at(raw, path)))]
        kinds = mismatch["expected"].split(" | ")
        accepted = " or ".join(_TYPE_NAMES.get(kind, kind) for kind in kinds if kind != "null")
        return [Fault(path, f"must be {accepted}")]
    for word, accepted in _FORMATS:
        if word in message:
            return [Fault(path, accepted)]
    return [Fault(path, "does not have the shape that the API asks for")]


def _string_message(value: object) -> str:
    """The message that a string is needed; YAML reads some unquoted text as another type."""
    if isinstance(value, bool | int | float):
        return "must be a string: put it in quotes"
    return "must be a string"


def decode_secret(raw: dict[str, object]) -> tuple[dict[str, object], list[Fault]]:
    """Decode ``data`` of a Secret, and merge ``stringData`` into it."""
    data: dict[str, bytes] = {}
    faults = []
    for field in ("data", "stringData"):
        values = raw.get(field)
        if values is None:
            continue
        if not isinstance(values, dict):
            faults.append(Fault((field,), "must be a mapping"))
            continue
        for key, value in values.items():
            if value is None:
                continue
            if not isinstance(value, str):
                faults.append(Fault((field, key), _string_message(value)))
            elif field == "stringData":
                data[key] = value.encode("utf-8", "surrogatepass")
            else:
                try:
                    data[key] = decode_base64(value)
                except ValueError:
                    faults.append(Fault((field, key), "must be base64 (plain text: stringData)"))
    decoded = {key: value for key, value in raw.items() if key not in ("data", "stringData")}
    decoded["data"] = data
    return decoded, faults


def decode_base64(text: str) -> bytes:
    """
    Decode as Go's ``encoding/base64`` does: padding is needed, newlines are ignored.

    :raises ValueError: for anything else.
    """
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64") from error
