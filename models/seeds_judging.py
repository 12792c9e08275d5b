"""Judge one recipe's bundles of several seeds, each on its own data, and SASRec of the same seed beside."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import evaluation, judging, seeds
from models.baseline import load_sasrec, weights_file
from models.dataset import Dataset
from models.judging import Cases
from models.manifest import Manifest, sha256
from models.seeds import About, Seed
from models.training import Log

# Beside the default tier as a bundle tuned it: the scan that is not corrected, and the one that is.
METHODS = ("beam50", "guided 50/200", evaluation.DEFAULT_TIER, "exact", "corrected exact")


@dataclass(frozen=True)
class _Task:
    bundle: Path
    baseline: Path | None
    manifest: Manifest
    data: Dataset
    cases: Cases
    about: About


def judge(
    bundles: Sequence[Path],
    baselines: Sequence[Path | None],
    data_dir: Path,
    folder: Path | None,
    *,
    dataset: str = "",
    users: int = 0,
    k_core: int = 0,
    threads: int = 1,
    log: Log = lambda _: None,
) -> list[Seed]:
    """Results of every bundle and of the baseline's run folder that goes with it (None: without).

    What `folder` holds of the same making is not judged again, and what is judged is kept there.

    Raises:
        DataError: a bundle or a baseline was trained on other data, or is not finished.
        ResultsError: the bundles do not belong into one table.
    """
    pairs = zip(bundles, baselines, strict=True)
    tasks = [_task(bundle, run, dataset, data_dir, users, k_core) for bundle, run in pairs]
    seeds.together([task.about for task in tasks])
    return [(folder and seeds.kept(task.about, folder)) or _judge(task, folder, threads, log) for task in tasks]


def methods(manifest: Manifest) -> list[evaluation.Method]:
    """Those of METHODS that this bundle has, in that order."""
    known = {method.name: method for method in evaluation.methods_of(manifest)}
    return [known[name] for name in METHODS if name in known]


def _task(bundle: Path, baseline: Path | None, dataset: str, data_dir: Path, users: int, k_core: int) -> _Task:
    found = evaluation.open_engine(bundle).bundle
    manifest = found.manifest
    data = judging.data_of(manifest, dataset, data_dir, k_core=k_core)
    judging.audit(manifest, found.catalogue.ids, found.catalogue.popularity, data)
    if baseline:
        load_sasrec(baseline, manifest, data)
    cases = judging.held_out(data, manifest.setting, users)
    people = _digest([data.users[user] for user in cases.users])
    weights = sha256(weights_file(baseline, manifest.setting)) if baseline else None
    made_of = _digest([manifest.model_dump(mode="json"), repr(methods(manifest)), people, weights])
    return _Task(bundle, baseline, manifest, data, cases, _about(manifest, people, made_of))


def _about(manifest: Manifest, people: str, made_of: str) -> About:
    origin = manifest.provenance
    return About(
        bundle=manifest.tag,
        dataset=origin.dataset,
        setting=manifest.setting,
        seed=origin.seed,
        shuffled=origin.shuffled is not None,
        tier=_widths(evaluation.tier(manifest)),
        people=people,
        choices=seeds.choices(origin.recipe),
        made_of=made_of,
    )


def _widths(method: evaluation.Method) -> str:
    assert method.plan is not None
    levels = ", ".join(f"{level.k_keep}/{level.k_plus}" for level in method.plan.levels)
    return levels + (f", best {method.plan.rescore} corrected" if method.plan.rescore else "")


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _judge(task: _Task, folder: Path | None, threads: int, log: Log) -> Seed:
    engine, cases, ways = evaluation.open_engine(task.bundle, threads), task.cases, methods(task.manifest)
    log(f"{task.bundle}: seed {task.about.seed}, {len(cases.targets):,} users, {len(ways)} methods")
    sids, limit = engine.bundle.catalogue.sids, engine.history_limit
    found = evaluation.evaluate_engine(
        engine, engine.trie, sids, cases.histories, cases.targets, ways, history_limit=limit, timed=0
    )
    if task.baseline:
        found.append(judging.judge_sasrec(task.baseline, task.manifest, task.data, cases, timed=0, log=log))
    found.append(judging.judge_popularity(task.data, cases, timed=0))
    judged = Seed(task.about, found)
    if folder:
        seeds.save(judged, folder)
    return judged
