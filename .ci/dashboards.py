"""
Make the dashboards of the chart, etc/chart/dashboards: JSON as Grafana 11 and later import it.

They are written as rows of panels; the rest is the same for all of them: places, units, the data
source as a variable, and the filter for the replicas that are looked at. In tests/chart a real
Prometheus answers each expression.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]

SCHEMA = 39
"""The version of the model in Grafana 11.0; later ones read it."""

WIDTH = 24
"""Columns of the grid."""

OURS = 'job=~"$job", instance=~"$instance"'
"""The filter that every expression has."""

TRAFFIC = f'{OURS}, host=~"$host", ingress=~"$ingress"'
"""That of metrics of requests."""

_DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """
    :ivar queries: expressions with the legend of each.
    :ivar text: what it shows, for the tooltip of its title.
    """

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    text: str = ""
    is_stacked: bool = False
    thresholds: Sequence[tuple[str, float | None]] = (("green", None),)
    mappings: Sequence[JSON] = ()
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """
    :ivar variables: labels by which it is filtered, beside job and instance, with the expression
        that has their values.
    """

    uid: str
    title: str
    text: str
    rows: Sequence[Row]
    variables: Mapping[str, str] = field(default_factory=dict)


def dumped(dashboard: Dashboard) -> str:
    """:return: the text of its file."""
    return json.dumps(_model(dashboard), indent=1) + "\n"


def _model(dashboard: Dashboard) -> JSON:
    return {
        "annotations": {"list": [_ANNOTATIONS, _PUBLISHED]},
        "description": dashboard.text,
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [
            {
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "tags": ["txingress"],
                "targetBlank": False,
                "title": "txingress",
                "type": "dashboards",
            }
        ],
        "panels": list(_panels(dashboard.rows)),
        "refresh": "30s",
        "schemaVersion": SCHEMA,
        "tags": ["txingress", "ingress"],
        "templating": {"list": list(_variables(dashboard.variables))},
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": dashboard.title,
        "uid": dashboard.uid,
        "version": 1,
        "weekStart": "",
    }


_ANNOTATIONS: JSON = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}

_PUBLISHED: JSON = {
    "datasource": _DATA_SOURCE,
    "enable": False,
    "expr": f"sum(changes(txingress_snapshot_generation{{{OURS}}}[$__rate_interval])) > 0",
    "iconColor": "rgba(255, 152, 48, 1)",
    "name": "Published",
    "step": "30s",
    "titleFormat": "What is served has changed",
}


def _variables(further: Mapping[str, str]) -> Iterator[JSON]:
    yield {
        "current": {},
        "hide": 0,
        "includeAll": False,
        "label": "Data source",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "skipUrlSync": False,
        "type": "datasource",
    }
    queries = {
        "job": "label_values(txingress_snapshot_generation, job)",
        "instance": 'label_values(txingress_snapshot_generation{job=~"$job"}, instance)',
        **further,
    }
    for name, query in queries.items():
        yield {
            # Of everything, also of series without the label.
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
            "datasource": _DATA_SOURCE,
            "definition": query,
            "hide": 0,
            "includeAll": True,
            "label": name.capitalize(),
            "multi": True,
            "name": name,
            "options": [],
            "query": {"qryType": 1, "query": query, "refId": "variables"},
            "refresh": 2,
            "regex": "",
            "skipUrlSync": False,
            "sort": 1,
            "type": "query",
        }


def _panels(rows: Sequence[Row]) -> Iterator[JSON]:
    number, y = 0, 0
    for row in rows:
        number += 1
        yield {
            "collapsed": False,
            "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
            "id": number,
            "panels": [],
            "title": row.title,
            "type": "row",
        }
        y, x, height = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            number += 1
            tall = _HEIGHTS[panel.kind]
            yield _panel(panel, number, {"h": tall, "w": panel.width, "x": x, "y": y})
            x, height = x + panel.width, max(height, tall)
        y += height


_HEIGHTS = {"stat": 4, "timeseries": 8, "table": 9}


def _panel(panel: Panel, number: int, place: JSON) -> JSON:
    is_table = panel.kind == "table"
    made: JSON = {
        "datasource": _DATA_SOURCE,
        "description": panel.text,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "gridPos": place,
        "id": number,
        "options": _OPTIONS[panel.kind],
        "targets": [
            {
                "datasource": _DATA_SOURCE,
                "editorMode": "code",
                "expr": expression,
                **({"format": "table"} if is_table else {}),
                "instant": panel.kind != "timeseries",
                "legendFormat": legend or "__auto",
                "range": panel.kind == "timeseries",
                "refId": chr(ord("A") + index),
            }
            for index, (expression, legend) in enumerate(panel.queries)
        ],
        "title": panel.title,
        "type": panel.kind,
    }
    if is_table:
        made["transformations"] = list(_transformations(panel))
    return made


def _defaults(panel: Panel) -> JSON:
    defaults: JSON = {
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "mappings": list(panel.mappings),
        "min": 0,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": color, "value": value} for color, value in panel.thresholds],
        },
        "unit": panel.unit,
    }
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 20 if panel.is_stacked else 5,
            "lineWidth": 1,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if panel.is_stacked else "none"},
        }
    return defaults


_OPTIONS: Mapping[str, JSON] = {
    "stat": {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
    },
    "timeseries": {
        "legend": {
            "calcs": ["mean", "max"],
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "table": {"cellHeight": "sm", "footer": {"show": False}, "showHeader": True},
}


def _transformations(panel: Panel) -> Iterator[JSON]:
    """One row for each series, with a column for each query and for each label."""
    if len(panel.queries) > 1:
        yield {"id": "merge", "options": {}}
    yield {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "renameByName": dict(panel.columns),
        },
    }
