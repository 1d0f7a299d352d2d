"""
Copies of what standard input had: what is served from files, and never a Secret.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingress.document import Document, Path
from ingress.migration.config_maps import safe_data
from ingress.migration.manifests import as_yaml
from ingress.migration.raw import RawObject

_SERVED: Final = frozenset(
    {"ConfigMap", "EndpointSlice", "Endpoints", "Ingress", "IngressClass", "Service"}
)
_OF_OTHERS: Final = re.compile(r"(?:^|[\s\[{,:])[*&]\w|^%", re.MULTILINE)
"""Text that may need more than itself to be read: an alias, an anchor or a directive."""

_USER: Final = re.compile(r"(://)[^/@\s\"']+@")
"""A user with a password in a URL."""


def copies_of(document: Document) -> Iterator[str]:
    """Yield the text of each object of a document that is served from files, as YAML."""
    pending: deque[tuple[Path, object, str]] = deque([((), document.value, "")])
    while pending:
        path, value, kind = pending.popleft()
        if not isinstance(value, dict):
            continue
        kind = str(value.get("kind") or kind)
        items = value.get("items")
        if kind.endswith("List") and isinstance(items, list):
            inner = kind.removesuffix("List")
            pending.extend(((*path, "items", n), item, inner) for n, item in enumerate(items))
        elif kind in _SERVED:
            yield _copy(document, path, kind, value)


def _copy(document: Document, path: Path, kind: str, value: Mapping[str, Any]) -> str:
    """:return: the text as it is, which is quick, where nothing has to be left out of it."""
    if kind != "ConfigMap" and "kind" in value and len(path) in (0, 2):
        text = document.part(path).text
        if not _OF_OTHERS.search(text):
            return _USER.sub(r"\1***@", f"{text.removeprefix('---').strip(chr(10))}\n")
    return text_of(kind, value)


def text_of(kind: str, value: Mapping[str, Any]) -> str:
    """:return: an object as YAML, without what may be a secret."""
    return _USER.sub(r"\1***@", as_yaml(_without_secrets({**value, "kind": kind})))


def _without_secrets(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """:return: an object without what may be a secret in a ConfigMap, or kubectl's copy."""
    metadata = dict(value.get("metadata") or {})
    annotations = {
        name: text
        for name, text in (metadata.get("annotations") or {}).items()
        if name != "kubectl.kubernetes.io/last-applied-configuration"
    }
    metadata.pop("managedFields", None)
    metadata["annotations"] = annotations
    made = {**value, "metadata": metadata}
    if value.get("kind") == "ConfigMap":
        made["data"], _ = safe_data(RawObject("ConfigMap", "", "", value))
    return made
