"""promise data …: answers, exit codes, and what is said of files that are not as expected."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.readers import DataError
from service import cli

OWN = "customer,sku,bought_at\nann,a,1\nann,b,2\nann,c,3\n"
USUAL = "user_id,item_id,timestamp\nann,a,1\nann,b,2\nann,c,3\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own.csv").write_text(OWN)
    (tmp_path / "shop.interactions.csv").write_text(USUAL)
    (tmp_path / "shop.items.csv").write_text("item_id,title\na,Apple\nb,Bread\n")
    (tmp_path / "bad.csv").write_text(USUAL + "ann,d,yesterday\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["data", *arguments])


def test_a_good_file_says_what_it_holds_and_what_comes_next(folder: Path) -> None:
    found = json.loads(invoke("check", "shop.interactions.csv", "--json").stdout)
    assert (found["ok"], found["users"], found["items"], found["rows"]) == (True, 1, 3, 3)
    assert (found["items table"], found["items_with_title"]) == ("shop.items.csv", 2)
    shown = invoke("check", "own.csv", "--columns", "customer,sku,bought_at")
    assert shown.exit_code == 0
    assert "train own.csv --columns customer,sku,bought_at" in shown.stdout
    assert folder.name not in shown.stdout


def test_data_that_teach_nothing_are_said_to(folder: Path) -> None:
    assert "Only 3 interactions of 1 user:" in invoke("check", "shop.interactions.csv").stderr
    rows = [f"u{user},{item},{stamp}\n" for user in range(50) for stamp, item in enumerate("abc")]
    (folder / "many.csv").write_text("user_id,item_id,timestamp\n" + "".join(rows))
    assert "Only" not in invoke("check", "many.csv").stderr


@pytest.mark.usefixtures("folder")
def test_other_names_of_columns_are_suggested_and_taken() -> None:
    wrong = invoke("check", "own.csv")
    assert wrong.exit_code == 1
    assert "no column 'user_id' among customer, sku, bought_at" in wrong.stderr
    assert "--columns customer,sku,bought_at" in wrong.stderr
    assert invoke("describe", "own.csv", "--columns", "customer,sku,bought_at", "--json").exit_code == 0
    assert invoke("check", "own.csv", "--columns", "customer,sku").exit_code == 2


@pytest.mark.usefixtures("folder")
def test_a_bad_row_is_named_with_its_file_and_line() -> None:
    wrong = invoke("check", "bad.csv", "--json")
    assert wrong.exit_code == 1
    told = json.loads(wrong.stdout)
    assert told["ok"] is False
    assert told["detail"].startswith("bad.csv, line 5: the timestamp 'yesterday' is unknown")


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ("owm.csv", (), "did you mean 'own.csv'"),
        ("shopp", ("--data-dir", "."), "did you mean 'shop'"),
        ("shop", ("--data-dir", "gone"), "promise data fetch"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_name_that_is_not_there(source: str, options: tuple[str, ...], says: str) -> None:
    error = invoke("check", source, *options).exception
    assert isinstance(error, DataError)
    assert says in str(error)
    assert "\n" not in str(error)
