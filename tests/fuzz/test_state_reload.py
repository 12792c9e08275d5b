"""Bundles loaded, changed and rolled back in any order, with requests in flight: all of those are answered whole."""

import asyncio
import json
import shutil
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from bulk import chosen
from fake_service import Client
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pydantic import SecretStr
from tiny import BUNDLE_ITEMS, Bundles

from service.observability.logging import open_logger
from service.runtime import open_runtime
from service.settings import Settings

TOKEN = "a-token-of-the-admin"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
IDS = [f"i{number:03}" for number in range(BUNDLE_ITEMS)]
KEEP = 2
items = st.sampled_from(IDS[:12])
histories = st.lists(items, min_size=1, max_size=5)
few = st.integers(0, 4)
fresh = st.sampled_from(["n1", "n2", "n3"])
changes = st.fixed_dictionaries(
    {},
    optional={
        "retire": st.lists(items | fresh, max_size=3, unique=True),
        "add": st.lists(
            st.fixed_dictionaries({"item_id": items | fresh}, optional={"like": items, "sid": st.just([5, 5, 5])}),
            max_size=2,
        ),
        "popularity": st.dictionaries(items | fresh, st.integers(0, 99), max_size=2),
    },
)
steps = st.one_of(
    st.sampled_from(["first", "next", "broken", "nothing", ".."]).map(lambda name: ("reload", {"path": name})),
    st.just(("reload", None)),
    st.just(("rollback", None)),
    changes.map(lambda change: ("catalogue", change)),
)


class Crowd(Client):
    """Several calls at once."""

    def together(self, calls: list[tuple[str, str, Any]]) -> list[httpx.Response]:
        async def all_of_them() -> list[httpx.Response]:
            sent = (self._http.request(method, path, json=body, headers=ADMIN) for method, path, body in calls)
            return list(await asyncio.gather(*sent))

        return self._loop.run(all_of_them())


class Reloads(RuleBasedStateMachine):
    """One change at a time among requests. `offered`: the items of every version; `stack`: versions, newest last."""

    folder: Path

    @initialize()
    def open(self) -> None:
        settings = Settings(bundle=(self.folder / "first",), admin_token=SecretStr(TOKEN), request_timeout_ms=60_000)
        self.crowd = Crowd(open_runtime(settings, logger=open_logger("json", StringIO())))
        self.crowd.__enter__()
        self.offered = {"1": set(IDS), "2": set(IDS)}
        self.stack = ["1"]

    @rule(
        step=steps, before=st.integers(0, 4), after=st.integers(0, 4), history=st.lists(items, min_size=1, max_size=5)
    )
    def change(self, step: tuple[str, Any], before: int, after: int, history: list[str]) -> None:
        name, body = step
        if name == "reload" and body is not None:
            body = {"path": str(self.folder / body["path"])}
        ask = ("POST", "/recommend", {"history": history, "k": 40})
        call = ("POST", f"/admin/bundles/first/{name}", body)
        old = self.stack[-1]
        answers = self.crowd.together([*[ask] * before, call, *[ask] * after])
        self._follow(name, body, answers.pop(before))
        for answer in answers:
            self._check_answer(answer, {old, self.stack[-1]})

    def _follow(self, name: str, body: Any, answer: httpx.Response) -> None:
        """What the change did to the versions."""
        if answer.status_code != 200:
            assert answer.status_code in (409, 422), answer.text
            assert name != "rollback" or len(self.stack) == 1
            return
        version = answer.json()["version"]
        if name == "rollback":
            self.stack.pop()
            assert version == self.stack[-1]
            return
        if name == "catalogue":
            added = {one["item_id"] for one in body.get("add", [])}
            self.offered[version] = (self.offered[self.stack[-1]] - set(body.get("retire", []))) | added
        self.stack = [*self.stack, version][-KEEP - 1 :]

    def _check_answer(self, answer: httpx.Response, versions: set[str]) -> None:
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["model"]["version"] in versions
        given = [item["item_id"] for item in found["items"]]
        assert len(given) == len(set(given)) == 40
        assert set(given) <= self.offered[found["model"]["version"]]

    @invariant()
    def the_service_knows_its_versions(self) -> None:
        if hasattr(self, "stack"):
            (shown,) = self.crowd.call("GET", "/admin/bundles", headers=ADMIN).json()
            assert [*shown["former"], shown["version"]] == self.stack
            assert shown["items"] == len(self.offered[self.stack[-1]])

    def teardown(self) -> None:
        if hasattr(self, "crowd"):
            self.crowd.__exit__()


@pytest.mark.fuzz  # tests/unit/service/test_bundles.py has a short form of it, without a network
def test_no_change_of_bundles_costs_an_answer(bundles: Bundles, pytestconfig: pytest.Config) -> None:
    with tempfile.TemporaryDirectory(prefix="promise-fuzz-") as folder:
        _copied(bundles.inner, Path(folder, "first"), "1")
        _copied(bundles.cross, Path(folder, "next"), "2")
        _copied(bundles.inner, Path(folder, "broken"), "3")
        Path(folder, "broken", "encoder.onnx").write_bytes(b"no graph")
        Path(folder, "nothing").mkdir()
        machine = type("Reloads", (Reloads,), {"folder": Path(folder)})
        run_state_machine_as_test(machine, settings=chosen(pytestconfig, 4, 0.0004, steps=12))


def _copied(bundle: Path, to: Path, version: str) -> None:
    shutil.copytree(bundle, to)
    manifest = json.loads((to / "manifest.json").read_text())
    (to / "manifest.json").write_text(json.dumps(manifest | {"version": version}))
