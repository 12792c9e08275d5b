"""What stays true of a swept bundle when it is gone: tables and charts are drawn from this and from the results."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from models import contract
from models.full_ranking import newest
from models.judging import Cases
from models.manifest import Dims, Manifest
from models.results import ResultsError
from models.scaling.flops import Rescoring, Sizes
from models.scaling.ways import Way, Widths

FILE = "facts.json"
OTHERS = (contract.CATALOGUE, contract.RELATIONS, contract.CORRECTION.file)


@dataclass(frozen=True)
class Facts:
    """files: digests of the bundle's; lengths[n]: test users of whom n items are read; default: the tier's widths."""

    bundle: str
    setting: str
    epochs: int
    seed: int
    files: dict[str, str] = field(repr=False)
    sizes: Sizes
    lengths: tuple[int, ...] = field(repr=False)
    default: Widths = ()

    def flop(self, way: Way) -> float:
        """Mean FLOP of a request over all test users."""
        totals = (count * way.work(self.sizes, length).total for length, count in enumerate(self.lengths) if count)
        return sum(totals) / sum(self.lengths)


def facts_of(manifest: Manifest, sizes: Sizes, cases: Cases, default: Widths) -> Facts:
    """`cases`: every test user of the bundle's setting."""
    read = [len(history) for history in newest(cases.histories, sizes.dims.history)]
    lengths = tuple(int(count) for count in np.bincount(read))
    made = manifest.provenance
    return Facts(manifest.tag, manifest.setting, made.epochs, made.seed, manifest.files, sizes, lengths, default)


def searched(files: dict[str, str]) -> dict[str, str]:
    """Digests of what a search without correction depends on: a correction may come later."""
    return {name: digest for name, digest in files.items() if name not in OTHERS}


def save(facts: Facts, folder: Path) -> None:
    """Keep them; refuse a folder that holds what was measured of another bundle.

    Raises:
        ResultsError: it does.
    """
    if (folder / FILE).exists() and searched(load(folder).files) != searched(facts.files):
        raise ResultsError(f"{folder} holds what was measured of another bundle; remove it, or name another --run")
    folder.mkdir(parents=True, exist_ok=True)
    fields = vars(facts) | {"sizes": asdict(facts.sizes) | {"dims": facts.sizes.dims.model_dump()}}
    (folder / FILE).write_text(json.dumps(fields, indent=1) + "\n")


def load(folder: Path) -> Facts:
    """What `save` wrote.

    Raises:
        ResultsError: it is missing or damaged.
    """
    try:
        found = json.loads((folder / FILE).read_text())
        sizes = found["sizes"]
        tuples = {name: tuple(sizes[name]) for name in ("prefixes", "branching")}
        correction = Rescoring(**sizes["correction"]) if sizes["correction"] else None
        found["sizes"] = Sizes(**(sizes | tuples | {"dims": Dims(**sizes["dims"]), "correction": correction}))
        found["lengths"] = tuple(found["lengths"])
        found["default"] = tuple((int(keep), int(plus)) for keep, plus in found["default"])
        return Facts(**found)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ResultsError(f"{folder / FILE}: not the facts of a sweep ({error})") from None
