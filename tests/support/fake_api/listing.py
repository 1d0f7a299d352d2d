"""
Lists, whole and in pages.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from tests.support.fake_api.event import from_stored
from tests.support.fake_api.kind import Document, Kind
from tests.support.fake_api.selector import make_selector
from tests.support.fake_api.status import StatusError, bad_request, expired
from tests.support.fake_api.store import Key, Store, TooOld

TOKEN_VERSION = "meta.k8s.io/v1"

CONTINUE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can"
    " start a new list without the continue parameter, or use the continue token in this response"
    " to retrieve the remainder of the results. Continuing with the provided token results in an"
    " inconsistent list - objects that were created, modified, or deleted between the time the"
    " first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True)
class Page:
    """
    :ivar metadata: the metadata of the list.
    :ivar items: the objects, without the fields that name their kind.
    """

    metadata: Document
    items: list[Document]


def list_objects(store: Store, kind: Kind, namespace: str, query: dict[str, str]) -> Page:
    """
    :param namespace: empty for all namespaces.
    :raises StatusError: 400 or 410.
    """
    selector = make_selector(kind, query)
    limit = _number(query, "limit")
    if token := query.get("continue"):
        revision, start = _decode(token)
    else:
        is_exact = query.get("resourceVersionMatch") == "Exact"
        revision = _number(query, "resourceVersion") if is_exact else store.revision
        start = ("", "")
    try:
        present = store.objects_at(kind.stored, revision)
    except TooOld:
        raise _too_old(store, start if token else None) from None
    found = [
        (key, shown)
        for key, document in present
        if key >= start
        and namespace in ("", key[0])
        and selector(shown := from_stored(kind, document))
    ]
    metadata: Document = {"resourceVersion": str(revision)}
    if limit and len(found) > limit:
        metadata["continue"] = _encode(revision, found[limit - 1][0])
        if not query.get("fieldSelector") and not query.get("labelSelector"):
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return Page(metadata, [document for _, document in found])


def _number(query: dict[str, str], name: str) -> int:
    text = query.get(name, "") or "0"
    if not text.isdigit():
        raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: invalid syntax')
    return int(text)


def _encode(revision: int, after: Key) -> str:
    start = "/".join(part for part in after if part) + "\0"
    token = json.dumps({"v": TOKEN_VERSION, "rv": revision, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _decode(token: str) -> tuple[int, Key]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = decoded["start"].rpartition("/")
        return int(decoded["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError):
        raise bad_request("continue key is not valid: " + token) from None


def _too_old(store: Store, start: Key | None) -> StatusError:
    if start is None:
        return expired("The resourceVersion for the provided list is too old.")
    error = expired(CONTINUE_TOO_OLD)
    namespace, name = start
    error.continuation = _encode(store.revision, (namespace, name.rstrip("\0")))
    return error
