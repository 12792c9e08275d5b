"""The Grafana dashboard out of the rows beside it; `python -m service.ops.dashboard` writes it.

A row is a file of rows/, in order of their names: its title, the height of its panels, and the panels from left to
right on Grafana's 24 columns. In a query `{here…}` is a selector of the chosen instances, `{ours…}` also of the chosen
buckets.
"""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROWS = HERE / "rows"
TARGET = HERE / "grafana" / "dashboards" / "promise.json"
COLUMNS = 24
WIDTH, HEIGHT = 8, 8  # of a panel that names none
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SELECTORS = {
    "{here": '{job="promise", instance=~"$instance"',
    "{ours": '{job="promise", instance=~"$instance", bucket=~"$bucket"',
}
Json = dict[str, Any]


def dashboard(folder: Path = ROWS) -> Json:
    """Grafana's model of the dashboard, as its provisioning reads it."""
    rows = [tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))]
    return {
        "uid": "promise",
        "title": "Promise",
        "description": "Traffic, latency, budget, search, cache and experiments of the recommender.",
        "tags": ["promise"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,  # to explore; what is changed is not kept, and belongs into service/ops/rows
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timepicker": {},
        "links": [],
        "templating": {"list": list(_variables())},
        "annotations": {"list": list(_annotations())},
        "panels": list(_panels(rows)),
    }


def written(model: Json) -> str:
    """The text of the file."""
    return json.dumps(model, indent=1, ensure_ascii=False) + "\n"


def _variables() -> Iterator[Json]:
    default = {"text": "Prometheus", "value": "promise-prometheus", "selected": True}
    yield {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus", "current": default}
    for name, metric in (("instance", "up"), ("bucket", "promise_requests_total")):
        query = f'label_values({metric}{{job="promise"}}, {name})'
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": SOURCE,
            "definition": query,
            "query": {"query": query, "refId": name},
            "refresh": 2,  # whenever the time range changes
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"], "selected": True},
        }


def _annotations() -> Iterator[Json]:
    models = "count by (bundle, name, version) (promise_model_info{here})"
    before = "count by (bundle, name, version) (promise_model_info{here} offset 1m)"
    restarts = "changes(process_start_time_seconds{here}[2m]) > 0"
    marks = (
        ("Models", "blue", f"{models} unless {before}", "{{bundle}} now serves {{name}} {{version}}"),
        ("Restarts", "orange", restarts, "{{instance}} was restarted"),
    )
    for name, colour, expr, title in marks:
        yield {
            "name": name,
            "enable": True,
            "iconColor": colour,
            "datasource": SOURCE,
            "expr": _selected(expr),
            "titleFormat": title,
            "step": "60s",
        }


def _panels(rows: Iterable[Mapping[str, Any]]) -> Iterator[Json]:
    numbers, top = count(1), 0
    for row in rows:
        title = {"id": next(numbers), "type": "row", "title": row["title"], "collapsed": False, "panels": []}
        yield _place(title, 0, top, COLUMNS, 1)
        height, left, top = row.get("height", HEIGHT), 0, top + 1
        for panel in row["panel"]:
            width = panel.get("width", WIDTH)
            if left + width > COLUMNS:
                left, top = 0, top + height
            yield _place({"id": next(numbers), **_panel(panel)}, left, top, width, height)
            left += width
        top += height


def _place(panel: Json, left: int, top: int, width: int, height: int) -> Json:
    return {**panel, "gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _panel(panel: Mapping[str, Any]) -> Json:
    kind = panel.get("kind", "timeseries")
    return {
        "type": kind,
        "title": panel["title"],
        "description": panel["description"],
        "datasource": SOURCE,
        "targets": [_target(panel, number, *query) for number, query in enumerate(panel["queries"])],
        "fieldConfig": {"defaults": _defaults(panel, kind), "overrides": _dashes(panel)},
        "options": _options(panel, kind),
        **({"transformations": _columns(panel)} if kind == "table" else {}),
    }


def _target(panel: Mapping[str, Any], number: int, legend: str, expr: str) -> Json:
    instant = bool(panel.get("instant"))
    return {
        "refId": chr(ord("A") + number),
        "datasource": SOURCE,
        "expr": _selected(expr),
        "legendFormat": legend or "__auto",
        "format": "heatmap" if panel.get("kind") == "heatmap" else "time_series",
        "instant": instant,
        "range": not instant,
    }


def _selected(expr: str) -> str:
    for short, selector in SELECTORS.items():
        expr = expr.replace(short, selector)
    return expr


def _defaults(panel: Mapping[str, Any], kind: str) -> Json:
    named = {name: panel[name] for name in ("max", "decimals") if name in panel}
    steps = [{"color": colour, "value": value} for colour, value in panel.get("steps", panel.get("lines", []))]
    if steps and "lines" in panel:
        steps.insert(0, {"color": "transparent", "value": None})
    elif steps:
        steps[0]["value"] = None  # Grafana's "from the bottom on"
    thresholds = {"mode": "absolute", "steps": steps or [{"color": "text", "value": None}]}
    colour = {"mode": "thresholds" if kind == "stat" else "palette-classic"}
    found = {"unit": panel["unit"], "color": colour, "thresholds": thresholds, **named}
    return {**found, "min": 0, "custom": _lines(panel)} if kind == "timeseries" else found


def _lines(panel: Mapping[str, Any]) -> Json:
    stack = panel.get("stack", "none")
    return {
        "lineWidth": 1,
        "fillOpacity": 8 if stack == "none" else 40,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": stack, "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if "lines" in panel else "off"},
    }


def _dashes(panel: Mapping[str, Any]) -> list[Json]:
    """Lines that are limits, not measurements."""
    style = {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [6, 6]}}
    plain = {"id": "custom.fillOpacity", "value": 0}
    grey = {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}}
    named = panel.get("dashed", [])
    return [{"matcher": {"id": "byName", "options": name}, "properties": [style, plain, grey]} for name in named]


def _options(panel: Mapping[str, Any], kind: str) -> Json:
    if kind == "stat":
        last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        several = "value_and_name" if "{{" in panel["queries"][0][0] else "value"
        return {"reduceOptions": last, "colorMode": "value", "graphMode": "area", "textMode": several}
    if kind == "heatmap":
        scheme = {"mode": "scheme", "scheme": "Blues", "fill": "blue", "steps": 32, "exponent": 0.5, "reverse": False}
        axis = {"unit": panel["unit"], "axisPlacement": "left"}
        return {"calculate": False, "color": scheme, "yAxis": axis, "legend": {"show": True}, "cellGap": 1}
    if kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def _columns(panel: Mapping[str, Any]) -> list[Json]:
    """Labels as columns; the values of the label `spread`, if any, as columns of their own."""
    spread = {"valueLabel": panel["spread"]} if "spread" in panel else {}
    hidden = {"excludeByName": {"Time": True}, "renameByName": {"Value": "items"}}
    return [
        {"id": "labelsToFields", "options": {"mode": "columns", **spread}},
        {"id": "merge", "options": {}},
        {"id": "organize", "options": hidden},
    ]


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(written(dashboard()), "utf-8")
