"""
Writes: the processing of an object between the request and the store.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

from tests.support.fake_api import patch, status
from tests.support.fake_api.access import ANONYMOUS, User
from tests.support.fake_api.default import Defaults
from tests.support.fake_api.event import from_stored, to_stored
from tests.support.fake_api.field_owner import FieldOwners, Owner, Path, leaves, remove
from tests.support.fake_api.kind import Document, Kind, find_kind
from tests.support.fake_api.status import Cause
from tests.support.fake_api.store import Key, Store
from tests.support.fake_api.validation import check_times, find_causes

METADATA_ORDER = (
    *("name", "generateName", "namespace", "uid", "resourceVersion", "generation"),
    *("creationTimestamp", "labels", "annotations", "ownerReferences", "managedFields"),
)

GIVEN_BY_THE_SERVER = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")

SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""The characters of generated names."""

_NAMESPACES = find_kind("", "v1", "namespaces")
_CLASSES = find_kind("networking.k8s.io", "v1", "ingressclasses")


@dataclass(frozen=True)
class Write:
    """
    The way in which an object is written.

    :ivar user: who writes.
    :ivar manager: the owner of the fields that the write sets.
    :ivar applied: the fields that server-side apply names; None for other writes.
    :ivar is_dry_run: whether the result is discarded instead of stored.
    """

    manager: str = "unknown"
    subresource: str = ""
    user: User = ANONYMOUS
    applied: frozenset[Path] | None = None
    is_dry_run: bool = False

    @property
    def owner(self) -> Owner:
        operation = "Update" if self.applied is None else "Apply"
        return (self.manager, operation, self.subresource)


class Registry:
    """
    :param seconds: the time since the epoch.
    """

    def __init__(self, store: Store, seconds: Callable[[], float], random: Random) -> None:
        self._store = store
        self._seconds = seconds
        self._random = random
        assert _CLASSES is not None
        classes = _CLASSES.stored
        self._defaults = Defaults(lambda: [each for _, each in store.objects(classes)])

    def get(self, kind: Kind, namespace: str, name: str) -> Document:
        """
        :raises StatusError: 404.
        """
        found = self._store.get(kind.stored, (namespace, name))
        if found is None:
            raise status.not_found(kind, name)
        return from_stored(kind, found)

    def create(
        self, kind: Kind, namespace: str, document: Document, write: Write = Write()
    ) -> Document:
        """
        :raises StatusError: 400, 404, 409 or 422.
        """
        document = to_stored(kind, _content(document))
        metadata = self._new_metadata(kind, namespace, document.get("metadata") or {})
        if kind.has_status:
            document.pop("status", None)
        if kind.plural == "certificatesigningrequests":
            who = {"username": write.user.name, "groups": list(write.user.groups)}
            document["spec"] = {**document.get("spec", {}), **who}
        new = self._defaults.fill_in(kind, {**document, "metadata": metadata}, None)
        self._check(kind, new, None)
        assert _NAMESPACES is not None
        if namespace and self._store.get(_NAMESPACES.stored, ("", namespace)) is None:
            raise status.not_found(_NAMESPACES, namespace)
        key = (namespace, new["metadata"]["name"])
        if self._store.get(kind.stored, key) is not None:
            raise status.already_exists(kind, key[1])
        return self._keep(kind, key, None, new, write)

    def create_applied(
        self, kind: Kind, namespace: str, document: Document, write: Write
    ) -> Document:
        """Create an object by server-side apply."""
        fields = frozenset(path for path, _ in leaves(document))
        return self.create(kind, namespace, document, replace(write, applied=fields))

    def update(self, kind: Kind, key: Key, document: Document, write: Write = Write()) -> Document:
        """
        Replace an object, or its status.

        :raises StatusError: 400, 404, 409 or 422.
        """
        before = to_stored(kind, self.get(kind, *key))
        metadata = document.get("metadata") or {}
        if metadata.get("name") != key[1]:
            raise status.bad_request(
                f"the name of the object ({metadata.get('name', '')}) does not match the name"
                f" on the URL ({key[1]})"
            )
        if kind.plural == "leases" and not metadata.get("resourceVersion"):
            cause = Cause(
                *("FieldValueInvalid", "metadata.resourceVersion"),
                "Invalid value: 0: must be specified for an update",
            )
            raise status.invalid(kind, key[1], [cause])
        return self._replace(kind, key, before, to_stored(kind, document), write)

    def patch(
        self,
        kind: Kind,
        key: Key,
        content_type: str,
        document: Document,
        write: Write = Write(),
    ) -> Document:
        """
        :raises StatusError: 404, 409, 415 or 422.
        """
        shown = self.get(kind, *key)
        if content_type == "application/merge-patch+json":
            patched = patch.merge(shown, document)
        elif content_type == "application/strategic-merge-patch+json":
            patched = patch.merge_strategic(shown, document, kind.merge_keys)
        else:
            raise status.unsupported_media_type()
        return self._replace(kind, key, to_stored(kind, shown), to_stored(kind, patched), write)

    def apply(
        self, kind: Kind, key: Key, document: Document, write: Write, is_forced: bool = False
    ) -> Document:
        """
        Apply to an existing object (server-side apply).

        :raises StatusError: 404, 409 or 422.
        """
        before = self.get(kind, *key)
        values = dict(leaves(document))
        write = replace(write, applied=frozenset(values))
        taken = [] if is_forced else _taken(before, write.owner, values)
        if taken:
            raise _apply_conflict(taken)
        after = patch.merge_strategic(before, _content(document), kind.merge_keys)
        owners = FieldOwners(before)
        of_others: set[Path] = set().union(*(paths for _, paths in owners.others(write.owner)))
        for path in owners.of(write.owner) - set(values) - of_others:
            after = remove(after, path)
        return self._replace(kind, key, before, after, write)

    def delete(
        self, kind: Kind, key: Key, options: Document | None = None, write: Write = Write()
    ) -> Document:
        """
        :return: a ``Status``.
        :raises StatusError: 404 or 409.
        """
        found = self.get(kind, *key)
        metadata = found["metadata"]
        for field, wanted in ((options or {}).get("preconditions") or {}).items():
            if metadata.get(field) != wanted:
                name = "UID" if field == "uid" else "ResourceVersion"
                why = _precondition(name, wanted, metadata.get(field))
                raise status.conflict(kind, key[1], why)
        if not write.is_dry_run:
            if kind is _NAMESPACES:
                self._empty_namespace(key[1])
            self._store.remove(kind.stored, key)
        details = {**status.details_of(kind, key[1]), "uid": metadata["uid"]}
        head = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
        return {**head, "status": "Success", "details": details}

    def _empty_namespace(self, name: str) -> None:
        """Delete the objects of a namespace; the real server does so a while later."""
        for stored, key, _ in tuple(self._store.everything()):
            if key[0] == name:
                self._store.remove(stored, key)

    # From here on, objects have the stored form.

    def _replace(
        self, kind: Kind, key: Key, before: Document, document: Document, write: Write
    ) -> Document:
        document = _content(document)
        asked, was = document.get("metadata") or {}, before["metadata"]
        if asked.get("resourceVersion", was["resourceVersion"]) != was["resourceVersion"]:
            raise status.conflict(kind, key[1])
        if asked.get("uid", was["uid"]) != was["uid"]:
            raise status.conflict(kind, key[1], _precondition("UID", asked["uid"], was["uid"]))
        if write.subresource == "status":
            new = {**before, "status": {**kind.empty["status"], **(document.get("status") or {})}}
        elif write.subresource == "approval":
            conditions = (document.get("status") or {}).get("conditions") or ()
            now = {"lastUpdateTime": self._now(), "lastTransitionTime": self._now()}
            stamped = [{**condition, **now, **condition} for condition in conditions]
            new = {**before, "status": {**before["status"], "conditions": stamped}}
        else:
            given = {name: was[name] for name in GIVEN_BY_THE_SERVER if name in was}
            new = {**document, "metadata": _ordered({**asked, **given, "name": key[1]}, key[0])}
            if kind.has_status and "status" in before:
                new["status"] = before["status"]
            new = self._defaults.fill_in(kind, new, before)
        self._check(kind, new, before)
        return self._keep(kind, key, before, new, write)

    def _keep(
        self, kind: Kind, key: Key, before: Document | None, new: Document, write: Write
    ) -> Document:
        managed = self._managed_fields(kind, before, new, write)
        metadata = {**new["metadata"], "managedFields": managed}
        if before is not None and kind.has_generation and _is_asked_anew(before, new):
            metadata["generation"] += 1
        new = {**new, "metadata": _ordered(metadata, key[0])}
        # An unchanged object causes no event.
        if new != before and not write.is_dry_run:
            new = self._store.put(kind.stored, key, new)
        return from_stored(kind, new)

    def _managed_fields(
        self, kind: Kind, before: Document | None, new: Document, write: Write
    ) -> list[Document]:
        owners = FieldOwners(new)
        was, now = dict(leaves(before or {})), dict(leaves(new))
        owners.drop(set(was) - set(now))
        changed = {path for path, value in now.items() if was.get(path, ...) != value}
        if before is None and kind.has_status:
            changed = {path for path in changed if path[0] != "status"}
        if write.applied is None:
            owners.take(write.owner, changed, self._now())
        else:
            owners.apply(write.owner, changed, set(write.applied), self._now())
        return owners.to_list(kind.api_version)

    def _check(self, kind: Kind, new: Document, before: Document | None) -> None:
        check_times(kind, new)
        causes = find_causes(kind, new, before)
        if causes:
            raise status.invalid(kind, new["metadata"].get("name", ""), causes)

    def _new_metadata(self, kind: Kind, namespace: str, asked: Document) -> Document:
        if asked.get("namespace", namespace) != namespace:
            raise status.bad_request(
                f"the namespace of the provided object does not match the namespace sent on"
                f" the request ({asked['namespace']} != {namespace})"
            )
        metadata = {key: value for key, value in asked.items() if key not in GIVEN_BY_THE_SERVER}
        if asked.get("generateName") and not asked.get("name"):
            suffix = "".join(self._random.choices(SUFFIX, k=5))
            metadata["name"] = asked["generateName"] + suffix
        metadata["uid"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        metadata["resourceVersion"] = "0"  # Reserves the position; the store sets the value.
        metadata["creationTimestamp"] = self._now()
        if kind.has_generation:
            metadata["generation"] = 1
        return _ordered(metadata, namespace)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._seconds(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _content(document: Document) -> Document:
    """Return a document without null fields, and without the fields that lists leave out."""
    return {
        key: value
        for key, value in document.items()
        if key not in ("kind", "apiVersion") and value is not None
    }


def _ordered(metadata: Document, namespace: str) -> Document:
    """Return the fields in the order of the real server, without empty ones."""
    metadata = {**metadata, "namespace": namespace}
    names = [*METADATA_ORDER, *(name for name in metadata if name not in METADATA_ORDER)]
    return {name: metadata[name] for name in names if metadata.get(name)}


def _precondition(name: str, wanted: str, found: str | None) -> str:
    return f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found}"


def _is_asked_anew(before: Document, new: Document) -> bool:
    return any(
        before.get(key) != new.get(key)
        for key in {*before, *new}
        if key not in ("metadata", "status")
    )


def _taken(
    before: Document, owner: Owner, values: dict[tuple[str, ...], object]
) -> list[tuple[Owner, tuple[str, ...]]]:
    """Find the fields to which `owner` wants to give a value other than their owners' value."""
    current = dict(leaves(before))
    return [
        (other, path)
        for other, paths in FieldOwners(before).others(owner)
        for path in sorted(paths & set(values))
        if current.get(path) != values[path]
    ]


def _apply_conflict(taken: list[tuple[Owner, tuple[str, ...]]]) -> status.StatusError:
    said = [(f'conflict with "{owner[0]}"', "." + ".".join(path)) for owner, path in taken]
    count = "1 conflict" if len(said) == 1 else f"{len(said)} conflicts"
    text = "; ".join(f"{why}: {field}" for why, field in said)
    causes = [
        {"reason": "FieldManagerConflict", "message": why, "field": field} for why, field in said
    ]
    message = f"Apply failed with {count}: {text}"
    return status.StatusError(409, "Conflict", message, {"causes": causes})
