"""
Decodes and checks one object, as objects from files are.

A valid object, as nearly all are, is decoded straight into its type, so unused fields are never
created. If that fails, or the object has a fault, it is read once more in a slow way that can
say what is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from ingress.kube.conversion import convert, decode_secret
from ingress.kube.fault import Fault, fault_problem, value_at
from ingress.kube.json_fault import NOT_JSON
from ingress.kube.manifest import KINDS, Reading
from ingress.kube.objects import (
    APPLICATION_LABEL,
    OWNER_LABEL,
    SERVICE_NAME_LABEL,
    ConfigMap,
    EndpointSlice,
    Ingress,
    KubeObject,
    Metadata,
    ObjectKey,
    Secret,
)
from ingress.kube.remains import remains_of_kind
from ingress.kube.stored import accept_stored
from ingress.problem import Origin, Problem

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""A copy of the whole object, which kubectl keeps in an annotation."""

_FROM_CLUSTER: Final = Origin()
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(type_) for kind, (_, type_) in KINDS.items()
}


def read_object(text: msgspec.Raw | bytes, key: ObjectKey) -> Reading:
    """
    :param text: JSON.
    :param key: of the object, from its head.
    :return: the object or its faults; no content of the text raises an exception.
    """
    try:
        item = _kept(_DECODERS[key[0]].decode(text), key)
    except NOT_JSON:
        return _read_slowly(text, key)
    stored = accept_stored(item)
    return _read_slowly(text, key) if stored.faults else Reading(0, key, stored.item)


def _read_slowly(text: msgspec.Raw | bytes, key: ObjectKey) -> Reading:
    """Read it with messages for its faults; null is dropped as the API server would."""
    try:
        raw = msgspec.json.decode(text)
    except NOT_JSON:
        return _refuse(key, {}, [Fault((), "is not JSON")])
    if not isinstance(raw, dict):
        return _refuse(key, raw, [Fault((), "must be a mapping")])
    if key[0] == "Secret":
        raw, faults = decode_secret(raw)
        if faults:
            return _refuse(key, raw, faults)
    item, faults = convert(raw, KINDS[key[0]][1])
    if item is None:
        return _refuse(key, raw, faults)
    stored = accept_stored(_kept(item, key))
    if stored.item is None:
        return _refuse(key, raw, stored.faults)
    return Reading(0, key, stored.item, _problems(key, raw, stored.faults))


def _refuse(key: ObjectKey, raw: object, faults: Iterable[Fault]) -> Reading:
    remains = remains_of_kind(key[0], raw, _FROM_CLUSTER)
    return Reading(0, key, remains, _problems(key, raw, faults))


def _problems(key: ObjectKey, raw: object, faults: Iterable[Fault]) -> tuple[Problem, ...]:
    is_secret = key[0] == "Secret"
    return tuple(
        fault_problem(fault, key, None if is_secret else value_at(raw, fault.path), _FROM_CLUSTER)
        for fault in faults
    )


def _kept(item: KubeObject, key: ObjectKey) -> KubeObject:
    """The object with only the metadata that is used."""
    metadata = item.metadata
    namespace = sys.intern(key[1])
    if isinstance(item, Ingress):
        metadata.annotations.pop(LAST_APPLIED, None)
        kept = msgspec.structs.replace(metadata, namespace=namespace, labels={})
        return msgspec.structs.replace(item, metadata=kept, origin=_FROM_CLUSTER, only_guards=False)
    kept = Metadata(name=metadata.name, namespace=namespace)
    if isinstance(item, EndpointSlice):
        service = metadata.labels.get(SERVICE_NAME_LABEL, "")
        kept = msgspec.structs.replace(kept, labels={SERVICE_NAME_LABEL: service})
    elif isinstance(item, ConfigMap):
        item = msgspec.structs.replace(item, unreadable=None)
        kept = _labelled(kept, metadata, APPLICATION_LABEL)
    elif isinstance(item, Secret):
        # A certificate that we have asked for is renewed; nobody else's is touched.
        kept = _labelled(kept, metadata, OWNER_LABEL)
    return msgspec.structs.replace(item, metadata=kept, origin=_FROM_CLUSTER)


def _labelled(kept: Metadata, metadata: Metadata, label: str) -> Metadata:
    """The metadata to keep, with a label if the object has it."""
    if label not in metadata.labels:
        return kept
    return msgspec.structs.replace(kept, labels={label: metadata.labels[label]})
