"""The committed dashboard is what its rows say, and is laid out and labelled as a person expects."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from promql import OPS, panels

from service.ops.dashboard import COLUMNS, ROWS, TARGET, dashboard, written

MODEL = json.loads(TARGET.read_text("utf-8"))
PROVISIONING = OPS / "grafana" / "provisioning"
UNITS = {"none", "short", "s", "bytes", "percentunit", "reqps", "cps"}


def loaded(path: str) -> Any:
    return yaml.safe_load((PROVISIONING / path).read_text("utf-8"))


def test_the_committed_file_is_what_the_rows_make() -> None:
    assert written(dashboard()) == TARGET.read_text("utf-8"), "run: python -m service.ops.dashboard"


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}


def test_no_panel_overlaps_another_or_leaves_the_grid_and_no_hole_is_left() -> None:
    taken = [cells(panel) for panel in MODEL["panels"]]
    every = set[tuple[int, int]]().union(*taken)
    assert sum(map(len, taken)) == len(every), "panels overlap"
    bottom = max(y for _, y in every) + 1
    assert every == {(x, y) for x in range(COLUMNS) for y in range(bottom)}


def test_every_row_has_its_title_and_numbers_are_unique() -> None:
    rows = [panel["title"] for panel in MODEL["panels"] if panel["type"] == "row"]
    assert len(rows) == len(set(rows)) == len(list(ROWS.glob("*.toml")))
    numbers = [panel["id"] for panel in MODEL["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_every_panel_is_labelled(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"]["uid"] == "${datasource}"
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFG"[: len(panel["targets"])])
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        assert target["legendFormat"]
        assert "{here" not in target["expr"]
        assert "{ours" not in target["expr"]


def test_titles_are_unique_within_a_row() -> None:
    titles = [panel["title"] for panel in panels()]
    assert len(titles) == len(set(titles))


def test_variables_ask_the_chosen_source() -> None:
    source, *queries = MODEL["templating"]["list"]
    assert source["type"] == "datasource"
    assert {one["name"] for one in queries} == {"instance", "bucket"}
    assert all(one["datasource"]["uid"] == "${datasource}" and one["allValue"] == ".*" for one in queries)


def test_provisioning_fits_the_dashboard() -> None:
    (source,) = loaded("datasources/prometheus.yml")["datasources"]
    assert source["uid"] == MODEL["templating"]["list"][0]["current"]["value"]
    (provider,) = loaded("dashboards/promise.yml")["providers"]
    assert provider["type"] == "file"
    assert Path(provider["options"]["path"]).name == TARGET.parent.name
