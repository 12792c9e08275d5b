"""Names, folders and files become datasets with their item features and text embeddings."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data import Dataset, load
from models.readers import DataError

ROWS = [("U1", "A1", 10), ("U1", "B2", 20), ("U1", "C3", 30), ("U2", "B2", 5), ("U2", "A1", 6)]
TABLE = "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in ROWS)
FEATURES = {"A1": ("Hair", "Acme", "Comb"), "B2": ("Skin", "", "Soap"), "X9": ("None", "Nobody", "Never taken")}
FEATURES["C3"] = ("Nails", "Zed", "File")


def data_folder(folder: Path, name: str = "beauty") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.interactions.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    lines = [{"item_id": i, "category": ["All", c], "brand": b, "title": t} for i, (c, b, t) in FEATURES.items()]
    (folder / f"{name}.items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    np.save(folder / f"{name}.text_embeddings.npy", vectors(list(FEATURES)))
    return folder


def raw_folder(folder: Path, category: str = "Beauty") -> Path:
    folder.mkdir(exist_ok=True)
    reviews = [{"reviewerID": u, "asin": i, "unixReviewTime": t, "reviewText": "fine"} for u, i, t in ROWS]
    meta = [{"asin": i, "categories": [["All", c]], "brand": b, "title": t} for i, (c, b, t) in FEATURES.items()]
    text = "".join(json.dumps(line) + "\n" for line in reviews)
    (folder / f"reviews_{category}_5.json.gz").write_bytes(gzip.compress(text.encode()))
    (folder / f"meta_{category}.json.gz").write_bytes(gzip.compress("".join(f"{line}\n" for line in meta).encode()))
    return folder


def vectors(ids: list[str]) -> NDArray[np.float32]:
    return np.asarray([[ord(item[0]), int(item[1])] for item in ids], dtype=np.float32)


def check(dataset: Dataset, *, text: bool = True) -> None:
    ids = dataset.items.ids
    assert sorted(ids) == ["A1", "B2", "C3"]
    found = zip(dataset.items.category, dataset.items.brand, dataset.items.title, strict=True)
    assert [((*c[1:], b, t)) for c, b, t in found] == [FEATURES[item] for item in ids]
    sequences = {u: [ids[row - 1] for row in s] for u, s in zip(dataset.users, dataset.sequences, strict=True)}
    assert sequences == {"U1": ["A1", "B2", "C3"], "U2": ["B2", "A1"]}
    assert (dataset.items.text is not None) == text
    if dataset.items.text is not None:
        assert dataset.items.text.dtype == np.float16
        assert np.array_equal(dataset.items.text, vectors(ids))


def test_a_name_a_folder_and_a_file_of_the_folder_are_the_same_dataset(tmp_path: Path) -> None:
    folder = data_folder(tmp_path / "data")
    for seed in range(3):
        check(load("beauty", folder, seed=seed))
    check(load(str(folder)))
    check(load(str(folder / "beauty.interactions.csv.gz")))
    assert load(str(folder)).name == "beauty"


def test_own_names_work_where_built_in_names_do(tmp_path: Path) -> None:
    check(load("my-shop", data_folder(tmp_path / "data", "my-shop")))


@pytest.mark.parametrize(
    ("name", "category"), [("beauty", "Beauty"), ("sports", "Sports_and_Outdoors"), ("Wine", "Wine")]
)
def test_raw_amazon_files_load_by_name_folder_and_file(tmp_path: Path, name: str, category: str) -> None:
    folder = raw_folder(tmp_path / "raw", category)
    for dataset in (load(name, folder), load(str(folder)), load(str(folder / f"reviews_{category}_5.json.gz"))):
        check(dataset, text=False)
        assert dataset.name == name


def test_the_prepared_table_comes_before_the_raw_files(tmp_path: Path) -> None:
    folder = raw_folder(data_folder(tmp_path / "data"))
    (folder / "reviews_Beauty_5.json.gz").write_bytes(b"not read")
    check(load("beauty", folder))
    (folder / "beauty.interactions.csv.gz").unlink()
    raw_folder(folder)
    check(load("beauty", folder))  # the embeddings still stand beside the item file they are aligned with


def test_raw_and_prepared_files_of_the_same_data_have_the_same_digest(tmp_path: Path) -> None:
    prepared, raw = load(str(data_folder(tmp_path / "a"))), load(str(raw_folder(tmp_path / "b")))
    assert prepared.digest == raw.digest
    assert prepared.items.ids == raw.items.ids


def test_a_text_encoder_sees_every_item_once_in_an_order_that_no_seed_changes(tmp_path: Path) -> None:
    folder = raw_folder(tmp_path / "raw")
    seen: list[list[str]] = []

    def encoder(texts: list[str]) -> NDArray[np.float32]:
        seen.append(texts)
        return vectors(["A1", "B2", "C3"])

    for seed in range(3):
        check(load("beauty", folder, seed=seed, text_encoder=encoder))
    assert seen == 3 * [["Comb. All > Hair. Acme", "Soap. All > Skin", "File. All > Nails. Zed"]]


def test_features_and_embeddings_given_by_path(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text(TABLE)
    folder = data_folder(tmp_path / "data")
    items, embeddings = folder / "beauty.items.jsonl", folder / "beauty.text_embeddings.npy"
    check(load(str(table), items=items, embeddings=embeddings))
    check(load(str(table), items=items), text=False)
    assert load(str(table)).items.brand == ["", "", ""]
    other = tmp_path / "other.jsonl"
    other.write_text("".join(reversed(items.read_text().splitlines(keepends=True))))
    check(load("beauty", folder, items=other), text=False)  # aligned with the folder's own item file, not with this


def test_items_without_a_record_are_unknown_but_not_to_embeddings(tmp_path: Path) -> None:
    folder = data_folder(tmp_path / "data")
    path = folder / "beauty.items.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "B2" not in line))
    with pytest.raises(DataError, match=r"beauty\.items\.jsonl: 1 items have no record, the first being 'B2'"):
        load("beauty", folder)
    (folder / "beauty.text_embeddings.npy").unlink()
    items = load("beauty", folder).items
    row = items.ids.index("B2")
    assert (items.category[row], items.brand[row], items.title[row]) == ((), "", "")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 2), np.float32), "4 rows, one for each item record"),
        (np.zeros((4, 2), np.int64), "two-dimensional array of floats"),
        (np.zeros(4, np.float32), "two-dimensional array of floats"),
        (np.full((4, 2), np.nan, np.float32), "finite"),
        (np.full((4, 2), 1e9, np.float64), "finite in half precision"),
        (np.asarray([{}] * 4, dtype=object), "not a readable"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(tmp_path: Path, array: NDArray[np.generic], words: str) -> None:
    folder = data_folder(tmp_path / "data")
    np.save(folder / "beauty.text_embeddings.npy", array)
    with pytest.raises(DataError, match=rf"beauty\.text_embeddings\.npy: .*{words}"):
        load("beauty", folder)


def test_embeddings_need_an_item_file_and_an_encoder_the_right_length(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text(TABLE)
    with pytest.raises(DataError, match="embeddings need an item file"):
        load(str(table), embeddings=data_folder(tmp_path / "data") / "beauty.text_embeddings.npy")
    with pytest.raises(DataError, match=r"the text encoder returned shape \(2, 2\) for 3 items"):
        load(str(table), text_encoder=lambda texts: vectors(["A1", "B2"])[: len(texts)])


def test_what_cannot_be_found_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: no such file or folder, and no data folder"):
        load("nowhere")
    with pytest.raises(DataError, match=r"neither beauty\.interactions\.csv\.gz nor reviews_Beauty_5\.json\.gz"):
        load("beauty", tmp_path)
    with pytest.raises(DataError, match="no interactions and no raw reviews"):
        load(str(tmp_path))
    data_folder(raw_folder(tmp_path, "Sports_and_Outdoors"))
    with pytest.raises(DataError, match=r"several datasets \(beauty, sports\)"):
        load(str(tmp_path))
