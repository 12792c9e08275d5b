"""Measure a bundle's tiers on its own held-out users, and keep the walk chosen from them in a bundle's manifest."""

from pathlib import Path

import numpy as np

from models import evaluation
from models.data import DataError
from models.judging import audit, data_of
from models.manifest import Manifest, Walk
from models.spending import Spending, digest
from models.walk import TUNED


def measure(
    bundle: Path,
    cases: str,
    dataset: str,
    data_dir: Path,
    *,
    users: int = 0,
    timed: int = 200,
    k_core: int = 0,
    tuned: bool = True,
) -> Spending:
    """Every tier for the test or validation users of the bundle's setting, `users` of them (0 = all), on one core.

    `tuned`: with the widths of models.walk.TUNED; else as wide at every depth.

    Raises:
        DataError: the data is not what the bundle was trained on, or it was trained on these cases.
    """
    engine = evaluation.open_engine(bundle)
    manifest, catalogue = engine.bundle.manifest, engine.bundle.catalogue
    if cases not in ("test", "validation"):
        raise DataError(f"unknown cases '{cases}'; test or validation expected")
    if cases == "validation" and manifest.setting != "A":
        raise DataError(f"{bundle} was trained on the validation items; only setting A holds them out")
    data = data_of(manifest, dataset, data_dir, k_core=k_core)
    audit(manifest, catalogue.ids, catalogue.popularity, data)
    split = data.split("A" if manifest.setting == "A" else "B")
    held_out = split.test if cases == "test" else split.validation
    chosen = np.sort(np.random.default_rng(0).permutation(len(held_out.targets))[: users or None])
    histories, rule = [held_out.histories[user] for user in chosen], evaluation.rule_of(manifest.scoring)
    return evaluation.run_tiers(
        engine, rule, histories, held_out.targets[chosen], cases, timed=timed, widths=TUNED if tuned else {}
    )


def ship(validation: Spending, walk: Walk, bundle: Path) -> Manifest:
    """Write a walk chosen on these users into a bundle's manifest; the graphs stay as they are.

    Raises:
        DataError: the bundle has other semantic IDs than the one that was measured.
    """
    from models.export import amend  # torch

    _same_codes(validation, bundle)
    return amend(bundle, auto=walk.model_dump())


def shipped(test: Spending, bundle: Path) -> Walk:
    """The walk of the bundle that these users were measured with.

    Raises:
        DataError: it is another bundle, or names no walk with thresholds.
    """
    found = _same_codes(test, bundle)
    if (found.tag, found.setting) != (test.bundle, test.setting):
        raise DataError(f"{bundle} is {found.tag}, setting {found.setting}; {test.bundle}, {test.setting} was measured")
    if found.auto is None or not found.auto.thresholds:
        raise DataError(f"{bundle} names no walk; `promise budget choose … --write {bundle}` makes one")
    return found.auto


def _same_codes(measured: Spending, bundle: Path) -> Manifest:
    found = evaluation.open_engine(bundle).bundle
    if digest(found.catalogue.sids) != measured.codes:
        raise DataError(f"{bundle} has other semantic IDs than {measured.bundle}, on which this was measured")
    return found.manifest
