"""
Decodes answers of the API server of which few fields matter.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ingress.kube.api.client import APIClient
from ingress.kube.api.errors import APIUnreachable
from ingress.kube.conversion import drop_nulls
from ingress.kube.json_fault import NOT_JSON
from ingress.kube.objects import KubeStruct

T = TypeVar("T")


class Listed(KubeStruct, frozen=True, kw_only=True):
    """A list of objects."""

    items: tuple[dict[str, object], ...] = ()


def decode_answer(answer: bytes, type_: type[T]) -> T:
    """
    :param type_: the expected type; null in the answer means absent.
    :raises APIUnreachable: if the answer is something else.
    """
    try:
        raw = msgspec.json.decode(answer)
    except NOT_JSON as error:
        raise APIUnreachable(f"the answer cannot be read as {type_.__name__}: {error}") from None
    drop_nulls(raw)
    return _converted(raw, type_)


async def read_listed(client: APIClient, path: str, name: str, type_: type[T]) -> T | None:
    """
    Read one object by a list, which needs no right beyond those that watching needs.

    :param path: of the kind, in the object's namespace.
    :return: None if the object does not exist.
    :raises APIError: and APIUnreachable, as the client does, and if the answer is malformed.
    """
    answer = await client.get(path, {"fieldSelector": f"metadata.name={name}"})
    items = decode_answer(answer, Listed).items
    return _converted(items[0], type_) if items else None


def _converted(raw: object, type_: type[T]) -> T:
    try:
        return msgspec.convert(raw, type_)
    except msgspec.ValidationError as error:
        raise APIUnreachable(f"the answer cannot be read as {type_.__name__}: {error}") from None
