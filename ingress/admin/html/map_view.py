"""
The map: host, path, Service, endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ingress.admin.html.cells import code, explained, place, state
from ingress.admin.html.frame import panel
from ingress.admin.html.markup import HOLE, Child, Markup, filled, link, tag
from ingress.admin.html.tables import pages
from ingress.admin.html.trends import trends
from ingress.admin.html.words import count, quantile, rate, share

_COLUMNS: Final = (
    ("Path", ""),
    ("Service", ""),
    ("Endpoint", ""),
    ("State", ""),
    ("Load", "number"),
    ("Req/s", "number"),
    ("Errors", "number"),
    ("p50", "number"),
    ("p99", "number"),
    ("Last hour", ""),
)

Value = Mapping[str, Any]


def map_panel(value: Value, q: str) -> Iterator[Markup]:
    """
    :param value: `ingress.admin.map_json`.
    :param q: what was searched for.
    :return: the panel in pieces, one for each host.
    """
    total, found = value["hosts"], value["total"]
    note = f"{count(total)} hosts" if total != 1 else "1 host"
    if value["text"]:
        note = f"{count(found)} of {note} with “{value['text']}”"
    if not value["map"]:
        words = "No host, path or Service contains this." if value["text"] else "No rule is served."
        return iter([panel("map", "Map", tag("p", words), note=note)])
    head = [tag("th", label, scope="col", class_=kind or None) for label, kind in _COLUMNS]
    around = tag(
        "div",
        tag("table", tag("thead", tag("tr", head)), HOLE, class_="map wide-table"),
        class_="scroll",
    )
    below = pages("/", {"q": q}, value)
    whole = panel(
        "map", "Map", around, below, note=note, more=tag("a", "All rules", href="/routes")
    )
    return filled(whole, (_host(each) for each in value["map"]))


def _host(host: Value) -> Markup:
    rows = [row for path in host["paths"] for row in _path(host, path)]
    if host["more"]:
        target = link("/routes", host=host["host"])
        words = f"{count(host['more'])} more paths of this host"
        rows.append(
            tag(
                "tr", tag("td", tag("a", words, href=target), colspan=len(_COLUMNS), class_="whole")
            )
        )
    return tag("tbody", _heading(host), rows, id=f"host-{host['host']}")


def _heading(host: Value) -> Markup:
    certificate = host["certificate"]
    beside: list[Child] = []
    if certificate is not None:
        days = certificate["daysLeft"]
        kind = "bad" if days < 0 else "warn" if days <= 21 else ""
        words = "expired" if days < 0 else f"{days} days"
        beside.append(
            tag(
                "span", f"TLS {certificate['secret'] or 'default'}, {words}", class_=f"badge {kind}"
            )
        )
    name = tag("a", host["host"], href=link("/", q=host["host"]))
    return tag(
        "tr",
        tag("th", name, beside, colspan=len(_COLUMNS), scope="rowgroup", class_="whole"),
        class_="host",
    )


def _path(host: Value, path: Value) -> list[Markup]:
    endpoints: Sequence[Value] = path["endpoints"]
    height = max(1, len(endpoints) + bool(path["moreEndpoints"]))
    rates = path["rates"]
    is_secure = host["certificate"] is not None
    first = [
        tag(
            "th",
            explained(host["host"], path["path"], code(path["path"]), is_secure=is_secure)
            if host["host"] != "*"
            else code(path["path"]),
            tag("span", path["type"], class_="note"),
            scope="row",
            rowspan=height,
            class_="half",
        ),
        tag(
            "td",
            code(path["upstream"]) or "no Service",
            tag("span", _written(path), class_="note", title=place(path) or None),
            rowspan=height,
            class_="half",
            data_label="Service",
        ),
        *_endpoint(path, endpoints[0] if endpoints else None),
        _number(rate(rates["rate"]), "Req/s", height),
        _number(share(rates["errors"]), "Errors", height, is_bad=(rates["errors"] or 0) >= 0.05),
        _number(quantile(rates["p50"]), "p50", height),
        _number(quantile(rates["p99"]), "p99", height),
        tag("td", trends(rates["history"], path["path"]), rowspan=height, class_="whole"),
    ]
    rows = [tag("tr", first, class_="rule")]
    rows += [tag("tr", _endpoint(path, each), class_="again") for each in endpoints[1:]]
    if path["moreEndpoints"]:
        target = link("/endpoints", text=path["upstream"])
        more = tag("a", f"{count(path['moreEndpoints'])} more endpoints", href=target)
        rows.append(tag("tr", tag("td", more, colspan=3, class_="endpoint"), class_="again"))
    return rows


def _written(path: Value) -> str:
    """:return: the Ingress, and the name of its file without folders."""
    where = place(path).rpartition("/")[2]
    return f"{path['ingress']}, {where}" if where else str(path["ingress"])


def _endpoint(path: Value, endpoint: Value | None) -> list[Markup]:
    if endpoint is None:
        words = "no endpoint" if path["upstream"] else "answers 404"
        why = (path["fault"] or "").partition(" (")[0]
        return [
            tag(
                "td",
                tag("span", words, class_="state bad"),
                tag("span", why, class_="note", title=path["fault"]) if why else None,
                colspan=3,
                class_="endpoint whole",
            )
        ]
    word = (
        "draining" if endpoint["terminating"] and endpoint["state"] == "ok" else endpoint["state"]
    )
    return [
        tag("td", code(endpoint["address"]), class_="endpoint", data_label="Endpoint"),
        tag("td", state(word), class_="condition", data_label="State"),
        tag("td", count(endpoint["inFlight"]), class_="number flight", data_label="In flight"),
    ]


def _number(words: str, label: str, height: int, *, is_bad: bool = False) -> Markup:
    shown: Child = tag("span", words, class_="badge bad") if is_bad else words
    return tag("td", shown, class_="number", rowspan=height, data_label=label)
