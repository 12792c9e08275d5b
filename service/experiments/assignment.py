"""Which bucket a request is in: a header wins, else the hash of the user id, else nothing changes (design section 6).

Pure and total: the same user is in the same bucket in every process, and the only error is a header that names
no bucket. The hash and the layout are those of GrowthBook, hash version 2, so its tools see the same assignment.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from service.errors import UnknownBucketError
from service.experiments.config import (
    DEFAULT_BUCKET,
    NO_EXPERIMENT,
    UNCHANGED,
    Bucket,
    Experiment,
    Experiments,
    Overrides,
)

Source = Literal["header", "hash", "default"]
POINTS = 10_000  # the line from 0 to 1 has this many places
SHOWN = 20  # bucket names listed in an error


@dataclass(frozen=True)
class Assigned:
    """One experiment's bucket. Source `default`: no part in it (anonymous, not covered), bucket `default`."""

    experiment: str
    bucket: str
    source: Source
    overrides: Overrides = UNCHANGED


NOTHING = Assigned(NO_EXPERIMENT, DEFAULT_BUCKET, "default")


@dataclass(frozen=True)
class Assignments:
    """One entry per experiment in the file's order, the first of them, and all their overrides together."""

    all: tuple[Assigned, ...] = ()
    primary: Assigned = NOTHING
    overrides: Overrides = UNCHANGED

    @property
    def triples(self) -> tuple[tuple[str, str, Source], ...]:
        """(experiment, bucket, source) of those the request takes part in, as feedback tokens carry them."""
        return tuple((one.experiment, one.bucket, one.source) for one in self.all if one.source != "default")


def assign(experiments: Experiments, user_id: str | None, header: str | None) -> Assignments:
    """The buckets of one request.

    `header` is a list separated by commas of `<bucket>` or `<experiment>=<bucket>`. It decides the experiments it
    names; the others go by the hash, save those of the same layer, which it rules out.

    Raises:
        UnknownBucketError: a name that is not configured, that fits two experiments, or two that exclude each other.
    """
    forced = {} if header is None else _forced(experiments, header)
    layers = {one.layer for one in experiments.experiments if one.name in forced} - {None}
    found = tuple(_assigned(one, user_id, forced, one.layer in layers) for one in experiments.experiments)
    return Assignments(found, found[0], _merged(found)) if found else Assignments()


def bucket_of(experiment: Experiment, user_id: str) -> Bucket | None:
    """The bucket that the hash of the user id falls into; None outside the layer's range or the coverage."""
    if experiment.layer_seed is not None:
        start, end = experiment.layer_range
        if not start <= gb_hash_v2(experiment.layer_seed, user_id) < end:
            return None
    point = gb_hash_v2(experiment.seed, user_id)
    for bucket, (start, end) in zip(experiment.buckets, experiment.ranges, strict=True):
        if start <= point < end:
            return bucket
    return None


def gb_hash_v2(seed: str, value: str) -> float:
    """A place in [0, 1), a multiple of 1/10,000: FNV-1a 32 of seed and value, then of that number in decimal."""
    return _fnv1a_32(str(_fnv1a_32(seed + value))) % POINTS / POINTS


def _fnv1a_32(text: str) -> int:
    """Over UTF-16 code units, as JavaScript counts characters; a lone surrogate counts like any other unit."""
    hashed = 0x811C9DC5
    for unit in _units(text):
        hashed = (hashed ^ unit) * 0x01000193 & 0xFFFFFFFF
    return hashed


def _units(text: str) -> Iterator[int] | bytes:
    if text.isascii():
        return text.encode()
    pairs = iter(text.encode("utf-16-le", "surrogatepass"))
    return (low | high << 8 for low, high in zip(pairs, pairs, strict=True))


def _assigned(experiment: Experiment, user_id: str | None, forced: Mapping[str, Bucket], ruled_out: bool) -> Assigned:
    if experiment.name in forced:
        bucket = forced[experiment.name]
        return Assigned(experiment.name, bucket.name, "header", bucket.overrides)
    found = bucket_of(experiment, user_id) if user_id and not ruled_out else None
    if found is None:
        return Assigned(experiment.name, DEFAULT_BUCKET, "default")
    return Assigned(experiment.name, found.name, "hash", found.overrides)


def _merged(found: tuple[Assigned, ...]) -> Overrides:
    """No two of them set the same thing: the file is rejected where they could."""
    changing = [one.overrides for one in found if one.overrides != UNCHANGED]
    if len(changing) < 2:
        return changing[0] if changing else UNCHANGED
    given = {name: value for one in changing for name, value in vars(one).items() if value is not None}
    return Overrides(**given)


def _forced(experiments: Experiments, header: str) -> dict[str, Bucket]:
    forced: dict[str, Bucket] = {}
    owners: dict[str, str] = {}
    for part in header.split(","):
        experiment, bucket = _named(experiments, part.strip())
        place = experiment.name if experiment.layer_seed is None else experiment.layer_seed
        if place in owners:
            both = sorted({owners[place], experiment.name})
            why = "is named twice" if len(both) == 1 else "share a layer: a request can be in one of them only"
            raise UnknownBucketError(f"The header is not clear: {' and '.join(map(repr, both))} {why}.")
        owners[place] = experiment.name
        forced[experiment.name] = bucket
    return forced


def _named(experiments: Experiments, part: str) -> tuple[Experiment, Bucket]:
    name, separator, rest = part.partition("=")
    wanted = (name.strip(), rest.strip()) if separator else (None, part)
    fitting = [
        (experiment, bucket)
        for experiment in experiments.experiments
        for bucket in experiment.buckets
        if bucket.name == wanted[1] and wanted[0] in (None, experiment.name)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise _unknown(experiments, part)
    choices = " or ".join(f"{experiment.name}={bucket.name}" for experiment, bucket in fitting)
    raise UnknownBucketError(f"More than one experiment has such a bucket; write {choices}.")


def _unknown(experiments: Experiments, part: str) -> UnknownBucketError:
    known = [f"{one.name}={bucket.name}" for one in experiments.experiments for bucket in one.buckets]
    if not known:
        return UnknownBucketError("No experiment is configured, so the header can name no bucket; leave it out.")
    bare = {name.partition("=")[2]: name for name in reversed(known)}
    near = difflib.get_close_matches(part[:130], [*known, *bare], n=1)
    hint = f" Did you mean {bare.get(near[0], near[0])!r}?" if near else ""
    more = ", …" if len(known) > SHOWN else ""
    return UnknownBucketError(f"There is no such bucket; there are {', '.join(known[:SHOWN])}{more}.{hint}")
