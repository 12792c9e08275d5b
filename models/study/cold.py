"""Cold items: a share of the catalogue held out of training, added as the service adds items, and looked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models import evaluation, pipeline, results
from models.cold import Cold, hold_out, semantic_ids
from models.dataset import Cases, Dataset
from models.evaluation.newcomers import Newcomers, Rule, open_with
from models.full_ranking import Scores, evaluate_scores
from models.listing import popularity
from models.metrics import Interval, paired_bootstrap
from models.recipe import Recipe, named
from models.report import interval, share, to_markdown
from models.results import Result
from models.study.run import BEAM, EXACT, GUIDED, bundle
from models.tokenizer import item_vectors
from models.training import Log

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
SHARE, SEED, LISTED = 0.05, 0, 50
RULES: tuple[Rule, ...] = ("text", "text long", "service", "service long", "both")
OTHERS = 3000
BASE, NONE = "category popularity", "no new items"


@dataclass(frozen=True)
class Among:
    """One catalogue that the cold items are looked for in: all items, or the cold ones alone; a result a method."""

    items: int
    results: list[Result]

    def of(self, method: str) -> Result:
        return next(result for result in self.results if result.method == method)


@dataclass(frozen=True)
class Found:
    """What was found of the cold items: by the users whose last item (test) or the one before it is a cold one.

    others: what the new items cost those test users whose last item is a warm one, a seeded sample of OTHERS.
    """

    test: Among
    test_cold: Among
    validation: Among
    others: Among


def run(dataset: Dataset, folder: Path, log: Log, recipe: Recipe | None = None) -> Found:
    """Train without the cold items under `folder`/cold, add them by every rule, and look for them.

    Setting A. Histories are those of the users without the cold items in them, as if nobody had ever taken one.
    """
    cold = hold_out(dataset, SHARE, SEED)
    run = pipeline.Run(cold.warm, recipe or named("study"), folder / "cold" / "warm", "study", log)
    pipeline.claim(run, run.stage("A"), "A")
    path, split = bundle(run, run.split("A")), dataset.split("A")
    looked = Looked(dataset, cold, path, newcomers(dataset, cold, run), folder / "cold")
    test, validation = cases(cold, split.test), cases(cold, split.validation)
    log(f"{len(cold.rows)} cold items, {len(test.targets)} test and {len(validation.targets)} validation users")
    found = Found(
        looked.look("test", test, False),
        looked.look("test", test, True),
        looked.look("validation", validation, False),
        looked.cost(sample(cases(cold, split.test, warm=True), OTHERS)),
    )
    log(" ".join(f"{r.method} {r.recall(LISTED):.4f}" for r in found.test.results))
    return found


def cases(cold: Cold, given: Cases, *, warm: bool = False) -> Cases:
    """The cases whose target is cold, or `warm`, by places after the cold items were added; none without a history."""
    chosen = [
        (history[history < cold.first], target)
        for history, target in zip((cold.place[h] for h in given.histories), cold.place[given.targets], strict=True)
        if (target < cold.first) == warm and (history < cold.first).any()
    ]
    return Cases([history for history, _ in chosen], np.array([target for _, target in chosen], np.int32))


def sample(given: Cases, count: int) -> Cases:
    """A seeded sample of cases."""
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(given.targets))[:count])
    return Cases([given.histories[case] for case in chosen], given.targets[chosen])


def newcomers(dataset: Dataset, cold: Cold, run: pipeline.Run) -> Newcomers:
    """The cold items with semantic IDs from their text, and the text projections that were trained without them."""
    warm, text = cold.warm.items, dataset.items.text
    vectors = item_vectors(run.recipe.tokenizer, [], len(dataset.items.ids), text, 0)
    order = np.argsort(cold.place[1:], kind="stable")
    with np.load(run.stage("A") / "sids.npz") as stored:
        codes = semantic_ids(
            stored["codes"], vectors[order[: len(warm.ids)]], vectors[cold.rows - 1], run.recipe.tokenizer.codebook
        )
    projection = torch.load(run.stage("A") / "best.pt", weights_only=True)["features.text.weight"].numpy()
    assert text is not None
    words = np.concatenate([np.zeros((1, len(projection)), np.float32), text[order].astype(np.float32) @ projection.T])
    return Newcomers([dataset.items.ids[row - 1] for row in cold.rows], codes, words)


@dataclass(frozen=True)
class Looked:
    """Everything that is looked with, kept per user under `folder`."""

    dataset: Dataset
    cold: Cold
    bundle: Path
    new: Newcomers
    folder: Path

    def look(self, name: str, cases: Cases, alone: bool) -> Among:
        """Every method over the whole catalogue, or `alone`: among the cold items."""
        items = len(self.cold.rows) if alone else len(self.dataset.items.ids)
        file = self.folder / f"{name}-{'cold' if alone else 'all'}.npz"
        if not file.exists():
            found = [result for rule in RULES for result in self._rule(rule, cases, alone)]
            results.save([*found, *self._peers(cases, alone)], file)
        return Among(items, results.load(file))

    def cost(self, cases: Cases) -> Among:
        """The exact scan for users whose target is warm, without new items and with them by every rule."""
        file = self.folder / "others.npz"
        if not file.exists():
            found = [result for rule in (None, *RULES) for result in self._rule(rule, cases, False, (EXACT,))]
            results.save(found, file)
        return Among(len(self.dataset.items.ids), results.load(file))

    def _rule(
        self, rule: Rule | None, cases: Cases, alone: bool, ways: tuple[str, ...] = (GUIDED, EXACT)
    ) -> list[Result]:
        """By one rule, or without the new items. The beam without PRM reads no rows: once is enough."""
        new, threads = self.new if rule else None, torch.get_num_threads()
        engine = open_with(self.bundle, new, rule or "text", alone=alone, threads=threads)
        wanted = (BEAM, *ways) if rule == RULES[0] and len(ways) > 1 else ways
        methods = [method for method in evaluation.methods_default(engine.depth) if method.name in wanted]
        sids, limit = engine.bundle.catalogue.sids, engine.history_limit
        found = evaluation.evaluate_engine(
            engine, engine.trie, sids, *cases, methods, k=LISTED, history_limit=limit, timed=0
        )
        return [r if r.method == BEAM else replace(r, method=f"{r.method}, {rule or NONE}") for r in found]

    def _peers(self, cases: Cases, alone: bool) -> list[Result]:
        """Rankings without a model; the cold ones were never taken, so counts say nothing of them."""
        count = np.zeros(len(self.dataset.items.ids), np.int32)
        count[: self.cold.first - 1] = popularity(self.cold.warm.split("A"), self.cold.first - 1)
        order = np.argsort(self.cold.place[1:], kind="stable")
        paths = [self.dataset.items.category[i] for i in order]
        ways: dict[str, Scores] = {
            "popularity": evaluation.popularity(count),
            BASE: _fixed(by_category(count[: self.cold.first - 1], paths)),
            "random": evaluation.popularity(np.zeros_like(count)),
            "nearest text": _nearest(np.asarray(self.dataset.items.text, np.float32)[order]),
        }
        shown = {name: _hidden(way, self.cold.first) if alone else way for name, way in ways.items()}
        return [evaluate_scores(way, *cases, name=name, timed=0) for name, way in shown.items()]


def by_category(count: I32, paths: Sequence[tuple[str, ...]]) -> F32:
    """[I]: the mean of count [W] over the first W items in an item's own category, or the nearest above with any."""
    total: dict[tuple[str, ...], list[float]] = {}
    for taken, path in zip(count.tolist(), paths, strict=False):
        for end in range(len(path) + 1):
            entry = total.setdefault(path[:end], [0.0, 0.0])
            entry[0], entry[1] = entry[0] + taken, entry[1] + 1
    known = [next(path[:end] for end in range(len(path), -1, -1) if path[:end] in total) for path in paths]
    return np.array([total[path][0] / total[path][1] for path in known], np.float32)


def _fixed(score: F32) -> Scores:
    return lambda histories: np.tile(score, (len(histories), 1))


def _nearest(text: F32) -> Scores:
    """By the cosine of an item's text to the mean text of the history."""
    unit = text / np.maximum(np.linalg.norm(text, axis=1, keepdims=True), 1e-9)
    return lambda histories: np.stack([unit[h - 1].mean(0) for h in histories]) @ unit.T


def _hidden(way: Scores, first: int) -> Scores:
    """`way` with everything before row `first` out of the ranking."""

    def score(histories: list[I32]) -> F32:
        found = way(histories).copy()
        found[:, : first - 1] = -np.inf
        return found

    return score


def page(found: Found) -> str:
    """The tables in markdown."""
    cut = [f"R@{LISTED} [95 % CI]", f"ΔR@{LISTED} to {BASE} [95 % CI]"]
    every = [[*_cells(found.test, r), share(found.validation.of(r.method).recall(LISTED))] for r in found.test.results]
    alone = [_cells(found.test_cold, result) for result in found.test_cold.results]
    base = found.others.results[0]
    cost = [
        [r.method, share(r.recall(10)), share(r.ndcg(10)), interval(results.compare(r, base)["ndcg@10"])]
        for r in found.others.results
    ]
    return "\n".join(
        [
            f"{found.test_cold.items:,} of {found.test.items:,} items cold, {found.test.results[0].users:,} test users "
            f"whose last item is one of them, setting A, study recipe, full ranking of all items.\n",
            to_markdown(["way", "R@10", *cut, f"validation R@{LISTED}"], every),
            "The same users, the cold items alone on offer:\n",
            to_markdown(["way", "R@10", *cut], alone),
            f"What the new items cost {base.users:,} users whose last item is a warm one:\n",
            to_markdown(["way", "R@10", "N@10", f"ΔN@10 to {NONE} [95 % CI]"], cost),
        ]
    )


def _cells(among: Among, result: Result) -> list[str]:
    hits, base = (r.per_user("recall", LISTED) for r in (result, among.of(BASE)))
    own = paired_bootstrap(hits, np.zeros_like(hits), 0)
    gain = "–" if result.method == BASE else interval(paired_bootstrap(hits, base, 0))
    return [result.method, share(result.recall(10)), _ranged(own), gain]


def _ranged(own: Interval) -> str:
    return f"{share(own.difference)} [{share(own.low)}, {share(own.high)}]"
