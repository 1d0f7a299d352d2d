"""
The fields in the ConfigMaps that ``add-headers`` and ``proxy-set-headers`` name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Final

from ingress.config.nginx_settings import HeaderFields
from ingress.config_map.reading import KeyFault, Values
from ingress.config_map.references import REFERENCES
from ingress.field_edits import check_field
from ingress.frozen import dataclass
from ingress.kube.objects import ConfigMap, ObjectName
from ingress.policy.variables import REQUEST_VARIABLES, VariableUnknown

MAX_FIELDS: Final = 100
"""Fields of one ConfigMap."""

_WITH_VARIABLES: Final = "proxy-set-headers"


@dataclass(frozen=True, slots=True)
class FieldSource:
    """The ConfigMap that one key names."""

    name: ObjectName
    item: ConfigMap | None
    """None if it does not exist, or no more."""

    fields: HeaderFields = field(default=(), repr=False)
    """Those that can be set; the last ones of a ConfigMap that exists no more."""

    faults: tuple[KeyFault, ...] = ()


def find_sources(
    values: Values,
    config_maps: Mapping[ObjectName, ConfigMap],
    before: Mapping[str, FieldSource],
) -> dict[str, FieldSource]:
    """
    :param values: of ingress-nginx's ConfigMap.
    :param before: the sources of the build before; those that did not change stay.
    :return: the source of each key that names a ConfigMap.
    """
    sources = {}
    for key in REFERENCES:
        name = values.get(key)
        if isinstance(name, tuple):
            item, known = config_maps.get(name), before.get(key)
            if known is None or known.name != name:
                known = None
            same = known is not None and known.item is item
            sources[key] = known if same and known else _read(key, name, item, known)
    return sources


def _read(
    key: str, name: ObjectName, item: ConfigMap | None, before: FieldSource | None
) -> FieldSource:
    if item is None:
        kept = before.fields if before is not None else ()
        follows = "its last fields are still set" if kept else "no field is set"
        message = f"the ConfigMap does not exist, or this proxy may not read it; {follows}"
        return FieldSource(name, None, kept, (KeyFault(key, "/".join(name), message),))
    fields, faults = [], []
    for index, (field_name, written) in enumerate(item.data.items()):
        value = written.strip()
        why = _why_refused(key, field_name, value) if index < MAX_FIELDS else "there are too many"
        if why:
            faults.append(KeyFault(key, field_name, f"{why}; this field is not set"))
        else:
            fields.append((field_name, value))
    return FieldSource(name, item, tuple(fields), tuple(faults[:MAX_FIELDS]))


def _why_refused(key: str, name: str, value: str) -> str:
    """Return why a field cannot be set; empty if it can."""
    try:
        octets = value.encode()
    except UnicodeEncodeError:
        return "the value has halves of surrogate pairs"
    try:
        check_field(name.encode(), octets)
        if key == _WITH_VARIABLES:
            REQUEST_VARIABLES.compile(value)
    except (ValueError, VariableUnknown) as error:
        return str(error)
    return ""


def with_fields(values: Values, sources: Mapping[str, FieldSource]) -> Values:
    """:return: the values with the fields in place of the names of their ConfigMaps."""
    return {**values, **{key: source.fields for key, source in sources.items()}}


def faults_of(sources: Mapping[str, FieldSource]) -> Iterator[KeyFault]:
    """Yield the faults of all sources."""
    for source in sources.values():
        yield from source.faults
