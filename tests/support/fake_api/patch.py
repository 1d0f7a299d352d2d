"""
The patches that clients send: merge patches, and strategic merge patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.fake_api.kind import Document

ORDER = "$setElementOrder/"
DELETE_FROM = "$deleteFromPrimitiveList/"

COMMON_KEYS = {"metadata.ownerReferences": "uid"}
"""The merged lists that each kind has."""


def merge(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7396): null removes a field, lists are replaced."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def merge_strategic(
    target: Document, patch: Document, merge_keys: Mapping[str, str], path: str = ""
) -> Document:
    """
    Apply a patch of ``kubectl apply``: like `merge`, but the items of some lists are
    merged one by one, and directives say what to remove.

    :param merge_keys: those lists by path, each with the field that identifies its items.
    """
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    merged = dict(target)
    for key, value in patch.items():
        below = f"{path}.{key}" if path else key
        list_key = merge_keys.get(below) or COMMON_KEYS.get(below)
        if key.startswith(DELETE_FROM):
            name = key.removeprefix(DELETE_FROM)
            merged[name] = [each for each in merged.get(name, ()) if each not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge_strategic(merged.get(key) or {}, value, merge_keys, below)
        elif list_key is not None:
            merged[key] = _merge_items(merged.get(key) or [], value, list_key, merge_keys, below)
        else:
            merged[key] = value
    if "$retainKeys" in patch:
        return {key: value for key, value in merged.items() if key in patch["$retainKeys"]}
    return merged


def _merge_items(
    target: list[Document],
    patch: list[Document],
    key: str,
    merge_keys: Mapping[str, str],
    path: str,
) -> list[Document]:
    items = {item.get(key): item for item in target}
    for item in patch:
        name = item.get(key)
        if item.get("$patch") == "delete":
            items.pop(name, None)
        else:
            items[name] = merge_strategic(items.get(name, {}), item, merge_keys, path)
    return list(items.values())
