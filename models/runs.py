"""A run: one recipe on one dataset under one folder, and the notes that keep the work of two runs apart."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.advance import Advance, unwatched
from models.dataset import Dataset, Split
from models.listing import train_digest
from models.manifest import Provenance
from models.recipe import PrmForm, Recipe
from models.training import Log

Setting = Literal["A", "B"]


@dataclass(frozen=True)
class Run:
    """One recipe on one dataset; everything it makes lands under `folder`."""

    dataset: Dataset
    recipe: Recipe
    folder: Path
    version: str
    log: Log
    advance: Advance = unwatched

    def split(self, setting: Setting) -> Split:
        return self.dataset.split(setting)

    def stage(self, setting: Setting, kind: str = "promise") -> Path:
        return self.folder / f"{kind}-{setting}"

    def provenance(self, split: Split, epochs: int) -> Provenance:
        """What a manifest says of weights trained on this split for so many epochs."""
        return Provenance(
            dataset=self.dataset.name,
            dataset_digest=self.dataset.digest,
            users=len(self.dataset.users),
            interactions=int(sum(map(len, split.train))),
            train_digest=train_digest(self.dataset, split),
            seed=self.recipe.training.seed,
            epochs=epochs,
            recipe=self.recipe.as_dict(),
            shuffled=self.dataset.shuffled,
        )

    def bundle(self, setting: Setting, form: PrmForm) -> Path:
        return self.folder / f"bundle-{setting}-{form}"


class RunError(ValueError):
    """A run folder holds the work of another recipe or other data; the sentence names the folder."""


def claim(run: Run, stage: Path, setting: Setting, until: int | None = None) -> None:
    """Note in a stage folder what its work is made of; refuse a folder whose work is made of something else.

    Raises:
        RunError: resuming would mix two runs.
    """
    network = replace(run.recipe.network, prm=Recipe().network.prm)
    recipe = replace(run.recipe, network=network, correction=None, votes=None).choices()
    made_of = {"data": run.dataset.digest, "rows": run.dataset.seed, "setting": setting, "until": until}
    wanted = json.loads(json.dumps(made_of | {"text": run.dataset.items.text is not None, "recipe": recipe}))
    note = stage / "made-of.json"
    if note.exists():
        if json.loads(note.read_text()) != wanted:
            raise RunError(f"{stage} holds the work of another recipe or other data; name another folder with --out")
        return
    if (stage / "last.pt").exists():
        raise RunError(f"{stage} does not say what it is made of; name another folder with --out")
    stage.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted, indent=1))
