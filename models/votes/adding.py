"""Votes for a bundle that was exported without: a copy with one graph more, every other file as it was."""

import shutil
from dataclasses import asdict
from pathlib import Path

from models import contract
from models.export import amend
from models.manifest import Manifest, sha256
from models.staging import staged
from models.votes.bundled import Calibrated, write_votes


def add_votes(bundle: Path, folder: Path, votes: Calibrated, version: str) -> Manifest:
    """Write the bundle in `bundle` with these votes to `folder`, whole or not at all, as this version.

    Raises:
        ParityError: the graph does not compute what PyTorch computes.
    """
    with staged(folder) as staging:
        shutil.copytree(bundle, staging, dirs_exist_ok=True)
        write_votes(staging, votes)
        found = Manifest.model_validate_json((staging / contract.MANIFEST).read_bytes())
        recipe = found.provenance.recipe | {"votes": asdict(votes.model.recipe)}
        before = found.votes is not None
        return amend(
            staging,
            version=version,
            votes=votes.shape().model_dump(),
            parameters=found.parameters + (0 if before else votes.parameters()),
            provenance=found.provenance.model_dump() | {"recipe": recipe},
            files=found.files | {contract.VOTES.file: sha256(staging / contract.VOTES.file)},
        )
