"""Judge bundles and baselines on one dataset's test users, as the data protocol asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models import evaluation
from models.batches import pad
from models.data import DataError, load
from models.dataset import Dataset, Split
from models.full_ranking import evaluate_scores
from models.listing import popularity, train_digest
from models.manifest import UNFINISHED, Manifest
from models.recipe import NetworkRecipe
from models.results import Result
from models.sasrec import SASRec
from models.training import Log, Progress

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Cases:
    """Test users [U] of one setting, by item rows of the dataset."""

    split: Split
    histories: list[I32]
    targets: I32


def judge(
    bundles: Sequence[Path],
    dataset: str,
    data_dir: Path,
    baseline: Path | None,
    *,
    users: int = 0,
    only: Sequence[str] = (),
    k_core: int = 0,
    threads: int = 1,
    log: Log = lambda _: None,
) -> list[Result]:
    """Results of the first bundle at every K+, of further bundles at 50/200, SASRec of run `baseline`, popularity.

    `only` names the methods of the first bundle to run, all when empty.

    Raises:
        DataError: the data is not what a bundle was trained on.
    """
    engines = [evaluation.open_engine(path, threads) for path in bundles]
    first = engines[0].bundle.manifest
    data = load(dataset or first.provenance.dataset, data_dir, k_core=k_core)
    for engine in engines:
        if engine.bundle.manifest.setting != first.setting:
            raise DataError(f"{engine.bundle.path} was trained in another setting than {engines[0].bundle.path}")
        audit(engine.bundle.manifest, engine.bundle.catalogue.ids, engine.bundle.catalogue.popularity, data)
    cases = _cases(data, first.setting, users)
    found: list[Result] = []
    for engine in engines:
        manifest = engine.bundle.manifest
        rule = evaluation.rule_of(manifest.scoring)
        methods = evaluation.methods_default(manifest.depth, rule=rule, exact=manifest.exact)
        if found:
            methods = [evaluation.guided(manifest.depth, 50, 200, rule)]
        elif only:
            methods = _only(methods, only)
        log(f"{engine.bundle.path}: {len(cases.targets):,} users, {len(methods)} methods")
        results = evaluation.evaluate_engine(
            engine,
            engine.trie,
            engine.bundle.catalogue.sids,
            cases.histories,
            cases.targets,
            methods,
            history_limit=engine.history_limit,
        )
        found += [_renamed(result, f"{result.method} {manifest.prm}") for result in results] if found else results
    if baseline is not None:
        found.append(_sasrec(baseline, first, data, cases, log))
    counts = popularity(cases.split, len(data.items.ids))
    found.append(
        evaluate_scores(evaluation.popularity(counts), cases.histories, cases.targets, name="popularity", timed=50)
    )
    return found


def audit(manifest: Manifest, ids: Sequence[str], popular: I32, data: Dataset) -> None:
    """Prove from the data that a bundle was trained without the held-out items.

    Its digest of the sequences trained on, and its popularity counts, must equal those of the setting's split.

    Raises:
        DataError: other data, other item rows, or training that saw more than its setting allows.
    """
    if manifest.version == UNFINISHED:
        raise DataError(f"{manifest.name} was cut before it was finished; run its `promise train` again")
    if manifest.provenance.dataset_digest != data.digest:
        raise DataError(f"{manifest.tag} was trained on other data than '{data.name}' as it stands here")
    if list(ids) != data.items.ids:
        raise DataError(f"{manifest.tag} numbers its items otherwise than '{data.name}' with seed {data.seed}")
    split = data.split("A" if manifest.setting == "A" else "B")
    if manifest.provenance.train_digest != train_digest(data, split):
        raise DataError(f"{manifest.tag} was not trained on exactly the sequences of setting {manifest.setting}")
    if not np.array_equal(popular, popularity(split, len(ids))):
        raise DataError(f"{manifest.tag} counts popularity beyond the interactions of setting {manifest.setting}")


def _only(methods: list[evaluation.Method], names: Sequence[str]) -> list[evaluation.Method]:
    known = [method.name for method in methods]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"no method is called '{unknown[0]}'; this bundle has {', '.join(known)}")
    return [method for method in methods if method.name in names]


def _cases(data: Dataset, setting: str, users: int) -> Cases:
    split = data.split("A" if setting == "A" else "B")
    chosen = np.random.default_rng(0).permutation(len(split.test.targets))[: users or None]
    chosen.sort()
    return Cases(split, [split.test.histories[user] for user in chosen], split.test.targets[chosen])


def _renamed(result: Result, name: str) -> Result:
    return Result(**(vars(result) | {"method": name}))


def _sasrec(run: Path, manifest: Manifest, data: Dataset, cases: Cases, log: Log) -> Result:
    model, history = load_sasrec(run, manifest, data)

    def score(histories: list[I32]) -> F32:
        lengths = torch.tensor([min(len(h), history) for h in histories])
        scored: F32 = model.leaf_scores(torch.from_numpy(pad(histories, history)), lengths)[:, 1:].numpy()
        return scored

    log(f"SASRec-CE of {run}, setting {manifest.setting}")
    return evaluate_scores(score, cases.histories, cases.targets, name="SASRec-CE", history_limit=history)


def load_sasrec(run: Path, manifest: Manifest, data: Dataset) -> tuple[SASRec, int]:
    """The baseline trained under a run folder with the sizes of this bundle, and the newest items it reads.

    Raises:
        DataError: there is none, it is not finished, or it has other sizes.
    """
    recipe = manifest.provenance.recipe
    epochs, best = _trained(run / "sasrec-A"), _trained(run / f"sasrec-{manifest.setting}")
    wanted = recipe["training"]["epochs"] if manifest.setting == "A" else epochs.best_epoch
    if epochs.epoch != recipe["training"]["epochs"] or best.epoch != wanted:
        raise DataError(f"{run}: the baseline is not finished; run `promise train {data.name} --baseline` again")
    sizes = NetworkRecipe(**(recipe["network"] | {"prm": ("inner",)}))
    model = SASRec(len(data.items.ids), data.items.text, sizes)
    file = run / f"sasrec-{manifest.setting}" / ("best.pt" if manifest.setting == "A" else "last.pt")
    state = torch.load(file, weights_only=True)
    try:
        model.load_state_dict(state.get("model", state))
    except RuntimeError as error:
        raise DataError(f"{file}: its sizes or features are not those of {manifest.tag}") from error
    return model.eval(), sizes.history


def _trained(folder: Path) -> Progress:
    file = folder / "last.pt"
    if not file.exists():
        raise DataError(f"{folder}: no trained baseline; `promise train … --baseline` makes one")
    return Progress(**torch.load(file, weights_only=True)["progress"])
