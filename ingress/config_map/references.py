"""
The ConfigMaps that ingress-nginx's own one names: fields of requests and responses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ingress.config.nginx_settings import HeaderFields
from ingress.config.section import NotAccepted
from ingress.config_map.value import reference

REFERENCES: Final = ("add-headers", "proxy-set-headers")
"""The keys whose values name a ConfigMap."""

MAX_FIELDS: Final = 100
"""Fields of one ConfigMap."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE: Final = re.compile(r"[\x20-\x7e\x80-\U0010ffff]{0,8192}")


def referenced_config_maps(data: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """
    :param data: of ingress-nginx's ConfigMap.
    :return: namespace and name of each ConfigMap that it names.
    """
    names = set()
    for key in REFERENCES:
        try:
            names.add(reference(data.get(key, "").strip()))
        except NotAccepted:
            continue
    return frozenset(names)


def fields_of(data: Mapping[str, str]) -> tuple[HeaderFields, tuple[str, ...]]:
    """
    Read fields from the data of a ConfigMap: names are keys.

    :return: the fields that can stand in a head, and the names of the others.
    """
    fields, refused = [], []
    for count, (name, written) in enumerate(data.items()):
        value = written.strip()
        if count < MAX_FIELDS and _NAME.fullmatch(name) and _VALUE.fullmatch(value):
            fields.append((name, value))
        else:
            refused.append(name)
    return tuple(fields), tuple(refused)
