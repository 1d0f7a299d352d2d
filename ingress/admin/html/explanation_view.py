"""
The explanation of one request: the answer first, then the reasons in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ingress.admin.html.cells import code, place, state
from ingress.admin.html.markup import Child, Markup, tag

Value = Mapping[str, Any]

_REDIRECT: Final = 300
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500


def explanation_panel(value: Value) -> Markup:
    """
    :param value: `ingress.explain.as_json`, with the live states of the endpoints.
    :return: the panel.
    """
    steps = [_step(name, lines) for name, lines in _steps(value) if lines]
    hints = [tag("li", each) for each in value["hints"]]
    return tag(
        "section",
        _answer(value),
        tag("ul", hints, class_="hints", aria_label="What is near") if hints else None,
        tag("ol", steps, class_="steps"),
        _question(value["request"]),
        id="explanation",
        class_="panel",
        tabindex="-1",
        aria_labelledby="explanation-title",
    )


def _question(asked: Value) -> Markup:
    """:return: the same question in all its parts, to be asked in another way."""
    fields = [
        tag(
            "label",
            "URL",
            tag("input", name="url", value=asked["url"], required=True),
            class_="wide",
        ),
        tag("label", "Method", tag("input", name="method", value=asked["method"])),
        tag("label", "Address of the client", tag("input", name="client", value=asked["client"])),
    ]
    headers = [f"{name}: {written}" for name, written in asked["headers"]]
    for number, written in enumerate([*headers, ""], 1):
        field = tag("input", name="header", value=written, placeholder="Name: value")
        fields.append(tag("label", f"Field {number}", field, class_="half"))
    form = tag(
        "form",
        fields,
        tag("button", "Explain", type="submit"),
        class_="fields",
        action="/explain",
        method="get",
    )
    return tag("details", tag("summary", "Ask with a method, fields or another client"), form)


def refusal_panel(message: str) -> Markup:
    """:return: the panel for what no client could ask."""
    return tag(
        "section",
        tag("div", tag("h2", "This cannot be asked", id="explanation-title"), class_="answer"),
        tag("p", message),
        id="explanation",
        class_="panel",
        tabindex="-1",
        aria_labelledby="explanation-title",
    )


def _answer(value: Value) -> Markup:
    asked = value["request"]
    status = value["status"]
    if value["undecided"]:
        kind, shown = "warn", "?"
    elif status is None:
        kind, shown = "ok", "served"
    else:
        kind = "ok" if status < _CLIENT_ERROR else "warn" if status < _SERVER_ERROR else "bad"
        shown = str(status)
    return tag(
        "div",
        tag("span", shown, class_=f"status {kind}"),
        tag("h2", _sentence(value), id="explanation-title"),
        tag(
            "p",
            code(f"{asked['method']} {asked['url']}"),
            f" from {asked['client']}",
            class_="muted",
        ),
        class_="answer",
    )


def _sentence(value: Value) -> Child:
    """:return: the answer in words, with the name of the outcome."""
    if value["undecided"] or value["status"] is None:
        summary = str(value["summary"])
        return summary[:1].upper() + summary[1:]
    outcome = tag("span", value["outcome"], class_="badge code")
    if value["redirect"]:
        return ["To ", code(value["redirect"]), " ", outcome]
    return [value["detail"] or "The proxy answers by itself.", " ", outcome]


def _step(name: str, lines: Sequence[Markup]) -> Markup:
    return tag("li", tag("h3", name), tag("ul", lines, class_="lines"))


def _steps(value: Value) -> Iterator[tuple[str, list[Markup]]]:
    yield "Certificate", list(_certificate(value))
    yield "Client", list(_client(value))
    yield (
        "Host",
        [
            _line(
                [
                    code(each["host"]) if each["host"] else "hosts that no rule names",
                    ": ",
                    each["reason"],
                ],
                is_chosen=each["chosen"],
            )
            for each in value["hosts"]
        ],
    )
    yield (
        "Path",
        [
            _line(
                [
                    code(each["path"]),
                    f" {each['pathType']} of {each['ingress']}",
                    _written(each),
                    f": {each['reason']}",
                ],
                is_chosen=each["chosen"],
            )
            for each in value["rules"]
        ],
    )
    yield "Ingress", list(_ingress(value))
    yield "Policies", [_policy(each) for each in value["policies"]]
    yield "Service", list(_service(value))
    yield "To the endpoint", list(_sent(value))
    yield "To the client", list(_changes(value["response"]["headers"]))
    yield "Settings", [_plain(each) for each in value["settings"]]
    yield (
        "Problems",
        [tag("li", tag("span", each, class_="state bad")) for each in value["problems"]],
    )


def _written(rule: Value) -> Markup | None:
    """:return: where a rule is written, without the folders of the file."""
    where = place(rule)
    if not where:
        return None
    return tag("span", f", {where.rpartition('/')[2]}", class_="muted", title=where)


def _plain(*content: Child) -> Markup:
    return tag("li", *content)


def _line(content: Child, *, is_chosen: bool) -> Markup:
    return tag("li", content, class_="chosen" if is_chosen else "lost")


def _certificate(value: Value) -> Iterator[Markup]:
    certificate = value["certificate"]
    if certificate is None:
        yield tag("li", "none: this is not over TLS", class_="muted")
        return
    if certificate["secret"]:
        names = ", ".join(certificate["names"])
        dates = f"{certificate['notBefore'][:10]} to {certificate['notAfter'][:10]}"
        yield _plain(code(certificate["secret"]), f" for {names}, {dates}")
    yield _plain(certificate["reason"])


def _client(value: Value) -> Iterator[Markup]:
    client = value["client"]
    if client is not None:
        yield _plain(code(client["address"]), f" over {client['scheme']}; {client['reason']}")
        if client["protocol"]:
            yield _plain(tag("span", client["protocol"], class_="muted"))


def _ingress(value: Value) -> Iterator[Markup]:
    if value["ingress"]:
        where = place(value)
        yield _plain(code(value["ingress"]), f" in {where}" if where else None)


def _policy(policy: Value) -> Markup:
    annotations = [
        tag("span", code(f"{name}: {written}"), class_="note")
        for name, written in policy["annotations"].items()
    ]
    return _plain(
        tag("strong", policy["name"]),
        f": {policy['verdict']}. ",
        tag("span", policy["sentence"], class_="muted"),
        annotations,
    )


def _service(value: Value) -> Iterator[Markup]:
    if value["ingress"] is None:
        return
    yield _plain(code(value["upstream"]) or "no Service")
    if value["upstreamFault"]:
        yield _plain(tag("span", value["upstreamFault"], class_="state bad"))
    addresses = [each["address"] for each in value["endpoints"]]
    live = {each["address"]: each for each in value.get("live", {}).get("endpoints", ())}
    for listed in value["endpoints"]:
        each = {**listed, **live.get(listed["address"], {})}
        yield _line([code(each["address"]), " ", _endpoint_state(each)], is_chosen=each["picked"])
    if value["endpoint"] and value["endpoint"] not in addresses:
        yield _line(
            [code(value["endpoint"]), " of another Service, as a policy says"], is_chosen=True
        )


def _endpoint_state(endpoint: Value) -> Child:
    word: str = endpoint["state"]
    shown = state({"ready": "ok", "terminating": "draining"}.get(word, word))
    load = endpoint.get("inFlight")
    picked = ", asked next" if endpoint["picked"] and word in ("ok", "ready") else ""
    return [shown, f", {load} in flight" if load is not None else "", picked]


def _sent(value: Value) -> Iterable[Markup]:
    if value["endpoint"] is None:
        return
    target = value["sent"]["target"]
    if target:
        protocol = value["sent"]["protocol"]
        over = f" in {protocol}" if protocol else None
        yield _plain(code(f"{value['request']['method']} {target}"), over)
    yield from _changes(value["sent"]["headers"])


def _changes(changes: Value) -> Iterator[Markup]:
    for name, written in changes["added"]:
        yield _plain("adds ", code(f"{name}: {written}"))
    for name, written in changes["changed"]:
        yield _plain("changes ", code(f"{name}: {written}"))
    for name in changes["removed"]:
        yield _plain("removes ", code(name))
