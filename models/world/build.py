"""World → semantic IDs → trained network → bundle. Every stage is kept; a second call goes on from there."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from models import export
from models.dataset import Dataset
from models.listing import listing, train_digest
from models.manifest import UNFINISHED, Provenance, Scoring
from models.network import Promise
from models.pipeline import RunError
from models.recipe import NetworkRecipe, Recipe, TokenizerRecipe, TrainingRecipe
from models.sampled_codes import tokenize_sampled
from models.training import Log, Trainer
from models.world.items import F32, I32, WorldRecipe

SAMPLE = 60_000
START = 0.05
SCORING = Scoring(leaf=0.0, prefix=0.5)


@dataclass(frozen=True)
class WorldRun:
    """A world, the recipe of the network trained on it, and the folder that holds all that is made."""

    world: WorldRecipe
    recipe: Recipe
    folder: Path
    version: str
    log: Log

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def made_of(self) -> dict[str, object]:
        return {"world": asdict(self.world), "sample": SAMPLE, "start": START, "recipe": self.recipe.as_dict()}


def world_recipe(items: int) -> Recipe:
    """The network for a world of this many items: no learned row per item, large softmaxes sampled."""
    codebook = 256 if items <= 100_000 else 2048
    return Recipe(
        "world",
        tokenizer=TokenizerRecipe(source="text", codebook=codebook),
        network=NetworkRecipe(history=20, dropout=0.0, item_rows=False, row_limit=4096),
        training=TrainingRecipe(
            epochs=10, shards=16, users=128, learning_rate=2e-3, sampled=2048, guided=256, precision="float32"
        ),
    )


def build(run: WorldRun, dataset: Dataset) -> Path:
    """Train on all but the last item of every user and write the bundle; returns its folder.

    Raises:
        RunError: the folder holds another run's work.
    """
    claim(run)
    codes, centroids = semantic_ids(run, dataset)
    network = made_network(run.recipe, codes, centroids, dataset)
    split, sizes = dataset.split("B"), run.recipe
    trainer = Trainer(network, sizes.training, sizes.network.history, run.folder / "training", run.log)
    progress = trainer.fit(split.train, None)
    provenance = Provenance(
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        users=len(dataset.users),
        interactions=int(sum(map(len, split.train))),
        train_digest=train_digest(dataset, split),
        seed=sizes.training.seed,
        epochs=progress.epoch,
        recipe=json.loads(json.dumps(run.made_of())),
    )
    run.log("writing the bundle")
    export.write_bundle(
        run.bundle,
        network,
        "inner",
        listing(dataset, split),
        provenance,
        name=f"world-{len(codes)}",
        version=UNFINISHED,
        setting="B",
        scoring=SCORING,
        metrics={},
    )
    export.amend(run.bundle, version=run.version)
    return run.bundle


def claim(run: WorldRun) -> None:
    """Note in the folder what its work is made of; refuse one made of something else."""
    note, wanted = run.folder / "made-of.json", json.loads(json.dumps(run.made_of()))
    if note.exists() and json.loads(note.read_text()) != wanted:
        raise RunError(f"{run.folder} holds the work of another recipe; name another folder with --out")
    run.folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(wanted, indent=1))


def semantic_ids(run: WorldRun, dataset: Dataset) -> tuple[I32, F32]:
    """Codes [I, d] and centroids [d, M, E] of the items' features; kept as sids.npz."""
    path, recipe = run.folder / "sids.npz", run.recipe.tokenizer
    if not path.exists():
        assert dataset.items.text is not None
        vectors = dataset.items.text.astype(np.float32)
        found, centroids = tokenize_sampled(vectors, recipe.depth, recipe.codebook, SAMPLE, run.recipe.training.seed)
        np.savez(path, codes=found.codes, centroids=centroids)
        run.log("semantic IDs " + " ".join(f"{name} {value:.3g}" for name, value in found.report().items()))
    with np.load(path) as stored:
        return stored["codes"], stored["centroids"]


def made_network(recipe: Recipe, codes: I32, centroids: F32, dataset: Dataset) -> Promise:
    """A network to train. Its code embeddings start as one random projection of the centroids.

    Codes that mean like things then start alike, which spares an epoch of learning it.
    """
    torch.manual_seed(recipe.training.seed)
    network = Promise(codes, recipe.tokenizer.codebook, dataset.items.text, recipe.network, recipe.training)
    projected = torch.from_numpy(centroids) @ torch.randn(centroids.shape[2], recipe.network.width)
    projected *= START / projected[0].std()
    with torch.no_grad():
        for table in (network.features.codes, network.decoder.codes, network.decoder.head):
            table.copy_(projected.flatten(0, 1))
    return network
