"""Reload and rollback of a real bundle under load, in short; and the verdict can be lost."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from loadtest.bench.reload import Changes, Plan, findings, run_reload
from loadtest.client import Reply
from loadtest.seconds import Shot

if TYPE_CHECKING:
    from tiny import Bundles

PLAN = Plan(changes=6, pause_s=0.4, rate=40, tier="k10", users=60)


def test_every_answer_is_the_one_of_the_version_that_it_names(
    bundles: "Bundles", capsys: pytest.CaptureFixture[str]
) -> None:
    run_reload(bundles.inner, PLAN, json_output=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["failed"], found["of_another_version"], found["unknown_versions"]) == (0, 0, [])
    assert (found["changes"], found["refused"], found["degraded"]) == (6, [], 0)
    assert sorted(found["answers"]) == ["1-current", "1-next"]
    assert min(found["answers"].values()) > 0
    assert found["kept"]


def answer(version: str, item: str) -> dict[str, Any]:
    return {"model": {"version": version}, "items": [{"item_id": item, "score": ord(item)}]}


def shot(version: str, item: str, status: int = 200) -> Shot:
    return Shot(0, 0.0, 0.0, 0.1, Reply(status, {}, json.dumps(answer(version, item)).encode()))


@pytest.mark.parametrize(
    ("shots", "refused", "kept"),
    [
        ([shot("1", "a"), shot("2", "b")], [], True),
        ([shot("1", "b"), shot("2", "b")], [], False),
        ([shot("1", "a"), shot("3", "b")], [], False),
        ([shot("1", "a"), shot("2", "b", 503)], [], False),
        ([shot("1", "a"), shot("2", "b")], ["rollback: status 409"], False),
    ],
)
def test_what_is_not_kept(shots: list[Shot], refused: list[str], kept: bool) -> None:
    known = {"1": [answer("1", "a")], "2": [answer("2", "b")]}
    changes = Changes(cast(Any, SimpleNamespace()), Path(), [0.1] * 2, refused)
    assert findings(shots, changes, cast(Any, known), Plan(changes=2))["kept"] is kept
    assert not findings(shots, changes, cast(Any, known), Plan(changes=3))["kept"]
