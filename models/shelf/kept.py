"""What was measured, a file for every setting: read back while bundle, users and strategy are what they were."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import contract, results
from models.metrics import F32
from models.results import Result
from models.shelf.settings import Setting
from models.shelf.work import Spent


@dataclass(frozen=True)
class Measured:
    """A setting over U users: ranks, mean work, CPU milliseconds of single requests in `result.ms`."""

    setting: Setting
    result: Result
    spent: Spent

    @property
    def flop(self) -> float:
        """Mean FLOP a request."""
        return float(self.spent.work.total)

    @property
    def ms(self) -> float:
        """Mean CPU milliseconds of a request: what varies between requests counts as often as it happens."""
        return float(self.result.ms.mean()) if self.result.ms.size else float("nan")


def key(*parts: object) -> str:
    """Digest of what a measurement depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def relevant(files: dict[str, str], votes: bool) -> dict[str, str]:
    """Digests of a bundle's files that a strategy without votes depends on, or of all."""
    return {name: digest for name, digest in files.items() if votes or name != contract.VOTES.file}


class Store:
    """A folder of measurements; `load` returns None for what is missing, of another making, or unreadable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, setting: Setting, made_of: str) -> Measured | None:
        try:
            found = json.loads(self._file(setting.name, ".json").read_text())
            if found["made_of"] != made_of:
                return None
            (result,) = results.load(self._file(setting.name, ".npz"))
            return Measured(setting, result, Spent.read(found["spent"]))
        except (OSError, KeyError, TypeError, ValueError):
            return None

    def save(self, measured: Measured, made_of: str) -> None:
        results.save([measured.result], self._file(measured.setting.name, ".npz"))
        content = {"made_of": made_of, "spent": measured.spent.as_json()}
        self._file(measured.setting.name, ".json").write_text(json.dumps(content) + "\n")

    def times(self, settings: Sequence[Setting], made_of: str) -> list[F32] | None:
        """Milliseconds [S] of every setting, measured in turns; None where any of it is of another making."""
        try:
            with np.load(self.folder / "times.npz", allow_pickle=False) as found:
                if str(found["made_of"]) != made_of:
                    return None
                return [found[setting.name] for setting in settings]
        except (OSError, KeyError, ValueError):
            return None

    def save_times(self, settings: Sequence[Setting], times: Sequence[F32], made_of: str) -> None:
        named = {setting.name: ms for setting, ms in zip(settings, times, strict=True)}
        np.savez(self.folder / "times.npz", allow_pickle=False, made_of=np.array(made_of), **named)

    def _file(self, name: str, suffix: str) -> Path:
        return self.folder / (name.replace("/", "-").replace(" ", "_") + suffix)
