"""
The ConfigMaps that ingress-nginx's own one names: fields of requests and responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingress.config.section import NotAccepted
from ingress.config_map.value import reference

REFERENCES: Final = ("add-headers", "proxy-set-headers")
"""The keys whose values name a ConfigMap."""


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
