"""Results of one recipe trained with several seeds, kept per user: what belongs into one table, and the files.

A folder of kept results holds `seed-<n>.npz` (models.results), and `seed-<n>.json`, which says what they are about.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models import results
from models.recipe import Recipe
from models.results import Result, ResultsError

# What may differ between the recipes of one table; none of it changes the training that a bundle ends with.
FREE = {"network": ("prm",), "training": ("seed", "stop", "precision")}


@dataclass(frozen=True)
class About:
    """What the results of one seed are about.

    `shuffled`: items of one day in seeded order, else as in the file. `tier`: K'/K+ of the default tier by level, and
    the leaves it corrects. `people`: digest of the users judged, in order. `choices`: what the recipe chose otherwise
    than the default, seed apart. `made_of`: digest of all that decides the figures: bundle, methods, users, baseline.
    """

    bundle: str
    dataset: str
    setting: str
    seed: int
    shuffled: bool
    tier: str
    people: str
    choices: dict[str, Any]
    made_of: str


@dataclass(frozen=True)
class Seed:
    """Results of every method with one training seed."""

    about: About
    results: list[Result]


def together(seeds: Sequence[About]) -> None:
    """Refuse what makes no table over seeds.

    Raises:
        ResultsError: a seed comes twice, or two seeds differ in data, setting, order, tier, users or recipe.
    """
    first = seeds[0]
    for one in seeds:
        for name in ("dataset", "setting", "shuffled", "tier", "people", "choices"):
            mine, others = getattr(one, name), getattr(first, name)
            if mine != others:
                both = f"{one.bundle} of seed {one.seed} and {first.bundle} of seed {first.seed}"
                raise ResultsError(f"{both} make no table, they differ in {name}: {mine} and {others}")
    if len({one.seed for one in seeds}) < len(seeds):
        raise ResultsError(f"every seed may come once, not {', '.join(str(one.seed) for one in seeds)}")


def choices(recipe: dict[str, Any]) -> dict[str, Any]:
    """What a manifest's recipe chose otherwise than the default; its name and FREE apart."""
    default, given = (json.loads(json.dumps(each)) for each in (Recipe().as_dict(), recipe))
    found = {name: _differing(part, default.get(name), FREE.get(name, ())) for name, part in given.items()}
    return {name: part for name, part in found.items() if part and name != "name"}


def _differing(part: Any, default: Any, free: Sequence[str]) -> Any:
    if not isinstance(part, dict):
        return None if part == default else part
    known = default if isinstance(default, dict) else {}
    return {name: value for name, value in part.items() if name not in free and value != known.get(name)}


def save(seed: Seed, folder: Path) -> None:
    """Keep the results of one seed. The note is written last: it says that the results beside it are whole."""
    note = _note(folder, seed.about.seed)
    note.unlink(missing_ok=True)
    results.save(seed.results, note.with_suffix(".npz"))
    note.write_text(json.dumps(asdict(seed.about), indent=1) + "\n", "utf-8")


def kept(about: About, folder: Path) -> Seed | None:
    """What the folder holds of exactly this making, where it is readable."""
    try:
        found = _read(_note(folder, about.seed))
    except ResultsError:
        return None
    return found if found.about == about else None


def load(folder: Path) -> list[Seed]:
    """All seeds kept in a folder.

    Raises:
        ResultsError: there is none, one is not readable, or they do not belong into one table.
    """
    found = sorted((_read(note) for note in folder.glob("seed-*.json")), key=lambda seed: seed.about.seed)
    if not found:
        raise ResultsError(f"{folder} holds no seed's results; `promise seeds BUNDLE … --save FOLDER` makes them")
    together([seed.about for seed in found])
    return found


def _note(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.json"


def _read(note: Path) -> Seed:
    try:
        about = About(**json.loads(note.read_text("utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise ResultsError(f"{note}: not a readable note about results ({error})") from None
    return Seed(about, results.load(note.with_suffix(".npz")))
