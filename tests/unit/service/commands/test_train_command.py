"""promise train: own columns to a bundle with titles, JSON alone on standard output, and data found again later."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from models.runs import Run
from models.tokenizer import fitting_codebook
from service import cli

ITEMS, USERS = 30, 40
COLUMNS = ("--columns", "customer,sku,day")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users walk round a ring of items; the items have titles."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(0)
    rows = [
        f"u{user},i{item},{step * 86_400}"
        for user in range(USERS)
        for step, item in enumerate((rng.integers(ITEMS) + np.arange(6)) % ITEMS)
    ]
    (folder / "shop.interactions.csv").write_text("\n".join(["customer,sku,day", *rows]))
    (folder / "shop.items.csv").write_text(
        "\n".join(["sku,title", *(f"i{item},Thing {item}" for item in range(ITEMS))])
    )
    return folder


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments, catch_exceptions=False)


def test_from_own_columns_to_a_bundle_that_needs_to_be_told_nothing_again(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    bars: list[tuple[str, int, int]] = []
    monkeypatch.setattr("service.commands.progress.Watch.at", lambda _, *bar: bars.append(bar))
    monkeypatch.chdir(tmp_path)
    few = ("--recipe", "smoke", "--epochs", "1", "--threads", "1")
    made = invoke("train", str(shop / "shop.interactions.csv"), *COLUMNS, *few, "--titles", "--json")
    told = json.loads(made.stdout)
    bundle = Path(told["bundle"])
    assert bundle == Path("runs/shop/bundle-B-inner")
    for piece in ("40 users to judge by", "Setting A learns", "too few to learn from", "titles for 30 of 30 items"):
        assert piece in made.stderr, piece
    for what in ("promise-A", "promise-B", "B-inner test users"):
        steps = [(done, total) for name, done, total in bars if name == what]
        assert steps == sorted(steps), what
        assert steps[-1][0] == steps[-1][1], what
    assert json.loads(invoke("audit", str(bundle), "--json").stdout)["ok"] is True
    judged = json.loads(invoke("evaluate", str(bundle), "--methods", "beam50", "--quiet", "--json").stdout)
    assert [method["users"] for method in judged] == [USERS, USERS]
    (bundle.parent / "data.json").unlink()
    with pytest.raises(ValueError, match="say where it lies with --dataset FILE"):
        invoke("audit", str(bundle))


def test_titles_that_are_nowhere_are_refused_before_the_work(shop: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.csv"
    alone.write_bytes((shop / "shop.interactions.csv").read_bytes())
    done = invoke("train", str(alone), *COLUMNS, "--titles", "--out", str(tmp_path / "run"))
    assert done.exit_code == 2
    assert "--titles" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("items", "codes"), [(1, 16), (64, 16), (65, 32), (190, 64), (512, 128), (513, 256), (12_101, 256)]
)
def test_codes_fit_the_catalogue_unless_they_are_named(items: int, codes: int) -> None:
    assert fitting_codebook(items, 256) == codes


def test_named_codes_are_taken(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Run] = []
    monkeypatch.setattr("models.pipeline.build_baseline", runs.append)
    source, out = str(shop / "shop.interactions.csv"), ("--out", str(tmp_path))
    for codes in ((), ("--codebook", "32")):
        assert invoke("train", source, *COLUMNS, *codes, *out, "--baseline", "--json").exit_code == 0
    assert [run.recipe.tokenizer.codebook for run in runs] == [16, 32]
