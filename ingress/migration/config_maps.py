"""
The ConfigMaps of an installation of ingress-nginx: what becomes of each key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingress.config_map.key import Verdict as KeyVerdict
from ingress.config_map.reading import CLOSED, ReadData, read_data
from ingress.config_map.table import KEYS
from ingress.migration.controller import Installation, parse_reference
from ingress.migration.raw import RawObject, as_mapping, as_port
from ingress.migration.verdict import ACCESS, NOTHING, Part, Row, Verdict, as_value, plain

_SECRET_WORDS: Final = ("password", "secret", "token", "-key", "snippet", "auth", "cookie")
"""Words in the names of keys and fields whose values are never shown."""

_NO_SECRET: Final = frozenset({"ssl-session-tickets", "map-hash-bucket-size"})
_STREAM: Final = re.compile(r"([^/\s]+/[^:/\s]+):([^:\s]+)((?::PROXY)?(?::PROXY)?)")
_CLOSED: Final = "Decide before the switch: take the key out, or accept that nothing is served."
_UNSUPPORTED: Final = "See whether anybody relies on it; then take the key out."
_WRONG: Final = "Correct the value."
_MAY_BE_ACCESS: Final = ("snippet", "modsecurity", "geoip")
MAX_WORKERS: Final = 64


def is_secret(name: str) -> bool:
    """:return: whether the value of a key of a ConfigMap, or of a field, may be a secret."""
    lower = name.lower()
    return lower not in _NO_SECRET and any(word in lower for word in _SECRET_WORDS)


def data_of(item: RawObject | None) -> Mapping[str, str]:
    """:return: the data of a ConfigMap; values that are no text are left out."""
    data = as_mapping(item.at("data")) if item is not None else {}
    return {str(key): value for key, value in data.items() if isinstance(value, str)}


def judge_keys(item: RawObject) -> Iterator[Row]:
    """:return: a row for each key of the controller's ConfigMap."""
    read = read_data(data_of(item), {})
    for name, value in data_of(item).items():
        yield _row(name, value, read, item)
    yield from _unreadable(item)


def _unreadable(item: RawObject) -> Iterator[Row]:
    """Yield a row for each entry whose value is no text, for which the API refuses the object."""
    data = item.at("data")
    entries = data if isinstance(data, Mapping) else {}
    names = [str(name) for name, value in entries.items() if not isinstance(value, str | None)]
    if not isinstance(data, Mapping | None):
        names.append("")
    read = read_data({}, {}, names)
    for name in names:
        closes = (name or "data") in read.closed_by
        follows = CLOSED if closes else "the default is used instead"
        yield Row(
            Part.KEY,
            name or "data",
            Verdict.CLOSED if closes else Verdict.DIFFERS,
            f"{'the value' if name else 'it'} cannot be read: the API server accepts nothing but "
            f"text there, and refuses the object; if it never was good, {follows}",
            "Put the value in quotes." if name else "Make it a mapping of text.",
            codes=("OBJ001",),
            file=item.file,
            line=item.line_of("data", *filter(None, (name,))),
        )


def judge_key(name: str, value: str) -> Row:
    """:return: the row of one key."""
    return _row(name, value, read_data({name: value}, {}), None)


def _row(name: str, value: str, read: ReadData, item: RawObject | None) -> Row:
    known = KEYS.get(name)
    faults = [fault.message for fault in read.faults if fault.key == name]
    verdict, action = Verdict.SAME, ""
    if name in read.closed_by:
        verdict, action = Verdict.CLOSED, _CLOSED
    elif faults and known is not None and known.verdict is KeyVerdict.WORKS:
        verdict, action = Verdict.DIFFERS, _WRONG
    elif name == "worker-processes" and workers(value):
        faults = ["carried over into workers of the configuration"]
    elif faults and any(word in name for word in _MAY_BE_ACCESS):
        verdict, action = Verdict.IGNORED, ACCESS
    elif faults:
        verdict, action = Verdict.IGNORED, _UNSUPPORTED
        if known is None or known.verdict is KeyVerdict.NO_EFFECT:
            action = NOTHING if known is not None else "Take the key out."
    follows = "; ".join(faults)
    if not faults:
        follows = known.effect if known is not None else ""
        if known is not None and known.verdict is not KeyVerdict.WORKS:
            follows = "its value is what this proxy does anyway"
    hidden = is_secret(name) or (known is not None and known.decides_access)
    return Row(
        Part.KEY,
        name,
        verdict,
        plain(follows),
        action,
        "" if hidden else as_value(value),
        codes=("CMP001",) if verdict is not Verdict.SAME else (),
        file=item.file if item is not None else "",
        line=item.line_of("data", name) if item is not None else 0,
    )


def workers(written: str) -> int:
    """:return: the number that ``worker-processes`` names; 0 for none that can be carried over."""
    number = written.strip()
    is_number = number.isascii() and number.isdigit() and len(number) < 4
    return int(number) if is_number and int(number) <= MAX_WORKERS else 0


def judge_others(installation: Installation) -> Iterator[Row]:
    """:return: rows of the ConfigMaps beside the controller's own."""
    if installation.reference("configmap") and installation.config_map is None:
        yield _missing(installation.reference("configmap"), "its keys are not judged")
    for protocol in ("tcp", "udp"):
        name = installation.reference(f"{protocol}-services-configmap")
        if name is None:
            continue
        item = installation.config_maps.get(name)
        if item is None:
            yield _missing(name, f"its {protocol.upper()} ports are not judged")
        else:
            yield from _ports(protocol, item)
    data = data_of(installation.config_map)
    for key in ("proxy-set-headers", "add-headers"):
        if data.get(key, "").strip():
            name = parse_reference(data[key], installation.namespace)
            if name not in installation.config_maps:
                yield _missing(name, f"the fields that {key} names are not set")


def _missing(name: tuple[str, str] | None, follows: str) -> Row:
    return Row(
        Part.OBJECT,
        f"ConfigMap {'/'.join(name or ('', ''))}",
        Verdict.DIFFERS,
        f"it is not among what was read; {follows}",
        "Give migrate this ConfigMap as well.",
        notice="What is set in it may differ after the switch; this report does not say how.",
    )


def _ports(protocol: str, item: RawObject) -> Iterator[Row]:
    for port, target in data_of(item).items():
        match = _STREAM.fullmatch(target.strip())
        good = match is not None and as_port(port) is not None
        yield Row(
            Part.KEY,
            f"{protocol} {port}",
            Verdict.SAME if good else Verdict.DIFFERS,
            f"connections to port {port} go to {as_value(target)}"
            if good
            else "a port, and NAMESPACE/SERVICE:PORT with :PROXY behind it, are accepted",
            "" if good else _WRONG,
            as_value(target),
            addresses=(f"{protocol.upper()} port {as_value(port)}",),
            notice="" if good else "Programs cannot connect to this port.",
            file=item.file,
            line=item.line_of("data", port),
        )


def safe_data(item: RawObject) -> tuple[dict[str, Any], list[str]]:
    """:return: the data without what may be a secret, and the names that are left out."""
    data = data_of(item)
    left_out = [name for name in data if is_secret(name) and name not in KEYS]
    left_out += [name for name in data if name in ("ssl-session-ticket-key", "http-snippet")]
    return {name: value for name, value in data.items() if name not in left_out}, left_out
