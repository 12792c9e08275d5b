"""An experiments file of any bytes: taken over whole, or refused in one sentence."""

import tempfile
from pathlib import Path

from pydantic_core import to_json
from taken import Taken, check_sentence

from service.errors import ExperimentsError, UnknownBucketError
from service.experiments.assignment import assign
from service.experiments.config import TOLERANCE, Experiment, Experiments
from service.experiments.live import LiveExperiments

TIERS = ("floor", "k10", "k20", "k50")


def one(data: bytes) -> None:
    """Try one input: a header of its own, then the file."""
    taken = Taken(data)
    header, content = taken.part().decode("latin-1"), taken.rest()
    found = _live(content)
    if found is not None:
        _check(found, header)


def _live(content: bytes) -> Experiments | None:
    """What a service that starts with this file takes over; None if it refuses to start."""
    _FILE.write_bytes(content)
    try:
        live = LiveExperiments(_FILE, lambda experiments: experiments.check(TIERS, ("made",), ("guided", "beam")))
    except ExperimentsError as refused:
        check_sentence(refused.detail)
        return None
    return live.current


def _check(found: Experiments, header: str) -> None:
    """Nothing that was taken over may break a request later."""
    for experiment in found.experiments:
        _check_ranges(experiment)
        to_json([(bucket.name, bucket.weight, vars(bucket.overrides)) for bucket in experiment.buckets])
    for user in (None, "", "u-1", "\ud800🙂"):
        assigned = assign(found, user, None)
        assert len(assigned.all) == len(found.experiments)
    try:
        assign(found, "u-1", header)
    except UnknownBucketError as refused:
        to_json(refused.detail)


def _check_ranges(experiment: Experiment) -> None:
    ends = 0.0
    for start, end in experiment.ranges:
        assert ends - TOLERANCE <= start <= end <= 1 + TOLERANCE
        ends = end


_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_KEPT = tempfile.TemporaryDirectory(prefix="promise-fuzz-", dir=_MEMORY)
_FOLDER = Path(_KEPT.name)
_FILE = _FOLDER / "experiments.yaml"
