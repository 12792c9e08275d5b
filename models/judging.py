"""Judge bundles and baselines on one dataset's test users, as the data protocol asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models import evaluation
from models.advance import Advance, counted, unwatched
from models.baseline import load_sasrec
from models.batches import pad
from models.data import Columns, DataError, load, shuffle_same_day
from models.dataset import Dataset, Split
from models.full_ranking import evaluate_scores
from models.listing import popularity, train_digest
from models.manifest import UNFINISHED, Manifest
from models.results import Result
from models.sources import find
from models.training import Log

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Cases:
    """Test users [U] of one setting, by item rows of the dataset; `users`: where they stand in the dataset."""

    split: Split
    users: I32
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
    columns: Columns = Columns(),  # noqa: B008 - frozen
    log: Log = lambda _: None,
    advance: Advance = unwatched,
) -> list[Result]:
    """Results of the first bundle at every K+, of further bundles at 50/200, SASRec of run `baseline`, popularity.

    `only` names the methods of the first bundle to run, all when empty.

    Raises:
        DataError: the data is not what a bundle was trained on.
    """
    engines = [evaluation.open_engine(path, threads) for path in bundles]
    first = engines[0].bundle.manifest
    for engine in engines:
        if engine.bundle.manifest.setting != first.setting:
            raise DataError(f"{engine.bundle.path} was trained in another setting than {engines[0].bundle.path}")
    data = data_of(first, dataset, data_dir, k_core=k_core, columns=columns)
    for engine in engines:
        audit(engine.bundle.manifest, engine.bundle.catalogue.ids, engine.bundle.catalogue.popularity, data)
    if baseline is not None:
        load_sasrec(baseline, first, data)  # one that is missing is told before minutes of judging
    cases = held_out(data, first.setting, users)
    found: list[Result] = []
    for engine in engines:
        manifest = engine.bundle.manifest
        methods = evaluation.methods_of(manifest)
        if found:
            methods = [evaluation.guided(manifest.depth, 50, 200, evaluation.rule_of(manifest.scoring))]
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
            progress=counted(advance, f"{manifest.tag}: users", len(cases.targets)),
        )
        found += [_renamed(result, f"{result.method} {manifest.prm}") for result in results] if found else results
    if baseline is not None:
        found.append(judge_sasrec(baseline, first, data, cases, log=log))
    return [*found, judge_popularity(data, cases)]


def data_of(
    manifest: Manifest,
    dataset: str,
    data_dir: Path,
    *,
    k_core: int = 0,
    columns: Columns = Columns(),  # noqa: B008 - frozen
) -> Dataset:
    """The data that a bundle was trained on, items of one day in its own order; `dataset` may say where it lies.

    Raises:
        DataError: it cannot be found or read.
    """
    named = dataset or manifest.provenance.dataset
    try:
        data = load(named, data_dir, k_core=k_core, columns=columns)
    except DataError as error:
        if dataset or _is_there(named, data_dir):
            raise
        raise DataError(
            f"{manifest.tag} was trained on {named!r}, which is not in {data_dir}; say where it lies with "
            "--dataset FILE or --data-dir FOLDER"
        ) from error
    seed = manifest.provenance.shuffled
    return data if seed is None else shuffle_same_day(data, seed)


def _is_there(name: str, data_dir: Path) -> bool:
    try:
        find(name, data_dir)
    except DataError:
        return False
    return True


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


def held_out(data: Dataset, setting: str, users: int = 0) -> Cases:
    """The test users of a setting, or a seeded sample of so many of them."""
    split = data.split("A" if setting == "A" else "B")
    chosen = np.random.default_rng(0).permutation(len(split.test.targets))[: users or None]
    chosen.sort()
    histories = [split.test.histories[user] for user in chosen]
    return Cases(split, split.evaluated[chosen], histories, split.test.targets[chosen])


def _renamed(result: Result, name: str) -> Result:
    return Result(**(vars(result) | {"method": name}))


def judge_popularity(data: Dataset, cases: Cases, *, timed: int = 50) -> Result:
    """Every item by its training interactions, the same list for everybody."""
    scores = evaluation.popularity(popularity(cases.split, len(data.items.ids)))
    return evaluate_scores(scores, cases.histories, cases.targets, name="popularity", timed=timed)


def judge_sasrec(
    run: Path, manifest: Manifest, data: Dataset, cases: Cases, *, timed: int = 200, log: Log = lambda _: None
) -> Result:
    """The baseline of a run folder on the same users; see load_sasrec for what it raises."""
    model, history = load_sasrec(run, manifest, data)

    def score(histories: list[I32]) -> F32:
        lengths = torch.tensor([min(len(h), history) for h in histories])
        scored: F32 = model.leaf_scores(torch.from_numpy(pad(histories, history)), lengths)[:, 1:].numpy()
        return scored

    log(f"SASRec-CE of {run}, setting {manifest.setting}")
    return evaluate_scores(score, cases.histories, cases.targets, name="SASRec-CE", history_limit=history, timed=timed)
