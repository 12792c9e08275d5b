"""A small dataset with many items a day, and finished runs on it: bundles of both settings, and the baseline of B."""

from pathlib import Path

import numpy as np

from models import pipeline
from models.data import Dataset, load, shuffle_same_day
from models.pipeline import Run
from models.recipe import Recipe, named

USERS, ITEMS = 80, 40
UNTIL = 1


def made_csv(folder: Path) -> Path:
    """Every user takes different items, three a day."""
    rng, rows = np.random.default_rng(0), ["user_id,item_id,timestamp"]
    for user in range(USERS):
        taken = sorted(rng.permutation(ITEMS)[: int(rng.integers(4, 12))].tolist())
        rows += [f"u{user:03},i{item:02},{step // 3 * 86_400 + user}" for step, item in enumerate(taken)]
    path = folder / "days.csv"
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def made_recipe(seed: int = 0) -> Recipe:
    small = named("smoke").with_tokenizer(codebook=6).with_network(encoder_layers=1)
    return small.with_training(epochs=UNTIL, seed=seed, precision="float32")


def made_run(csv: Path, folder: Path, *, seed: int = 0, shuffled: bool = False) -> Run:
    """Trained and exported; its baseline has no setting A, as where the number of epochs was told."""
    data: Dataset = load(str(csv))
    run = Run(shuffle_same_day(data, seed) if shuffled else data, made_recipe(seed), folder, "1", lambda _: None)
    pipeline.build(run)
    pipeline.fit(run, "B", UNTIL, "sasrec")
    return run
