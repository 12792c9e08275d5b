"""What experiments.yaml says, checked against itself (design section 6).

    experiments:
      - name: budget                # the first experiment labels the metrics
        seed: budget-1              # hashed together with the user id; default: the name
        buckets:                    # the first bucket is the control; weights sum to 1
          - {name: control, weight: 0.5}
          - {name: deep, weight: 0.5, tier: k100}
      - name: rule
        coverage: 0.2               # this share of every bucket's users takes part
        layer: ranking              # no user is in two experiments of one layer,
        range: [0.0, 0.5]           # each of which owns a part of it
        buckets:
          - {name: mixed, weight: 0.5}
          - {name: reward, weight: 0.5, rule: {leaf: 0.0, prefix: 0.0}}

A bucket may set `tier`, or `lowest` and `highest` (bounds of `auto`), `rule`, `bundle` and `strategy`. Two experiments
that set the same thing must share a layer; tier and bounds count as one thing. Change the seed when weights change:
the same seed with other weights moves users between buckets.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import blake2b
from itertools import combinations

from service.errors import ExperimentsError
from service.experiments import document
from service.experiments.document import BucketFields, ExperimentFields

AUTO = "auto"
NO_EXPERIMENT = "none"
DEFAULT_BUCKET = "default"
TOLERANCE = 1e-6  # of the sum of weights: thirds written with seven digits pass, a forgotten bucket does not


@dataclass(frozen=True)
class Overrides:
    """What a bucket changes; None leaves a thing as it is. `rule` holds the scoring weights (leaf, prefix)."""

    tier: str | None = None
    lowest: str | None = None
    highest: str | None = None
    rule: tuple[float, float] | None = None
    bundle: str | None = None
    strategy: str | None = None

    @property
    def settings(self) -> frozenset[str]:
        """The settings that change; a tier and the bounds of `auto` are one: the budget."""
        given = {field.name for field in fields(self) if getattr(self, field.name) is not None}
        return frozenset("budget" if name in ("tier", "lowest", "highest") else name for name in given)


UNCHANGED = Overrides()


@dataclass(frozen=True)
class Bucket:
    """A named share (0 to 1) of an experiment's users, and what is different for them."""

    name: str
    weight: float
    overrides: Overrides = UNCHANGED


@dataclass(frozen=True)
class Experiment:
    """`coverage` of the users in [start, end) of the layer take part; without a layer, of all users."""

    name: str
    seed: str
    buckets: tuple[Bucket, ...]
    coverage: float = 1.0
    layer: str | None = None
    layer_range: tuple[float, float] = (0.0, 1.0)

    @cached_property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """[start, end) of every bucket on the line from 0 to 1, as GrowthBook lays them out.

        Coverage cuts each bucket's own share, so raising it moves nobody from one bucket to another.
        """
        found, start = [], 0.0
        for bucket in self.buckets:
            found.append((start, start + self.coverage * bucket.weight))
            start += bucket.weight
        return tuple(found)

    @property
    def layer_seed(self) -> str | None:
        """The seed of the layer's hash, which no experiment has: else being in the layer would pick the bucket."""
        return None if self.layer is None else f"__{self.layer}"

    @property
    def settings(self) -> frozenset[str]:
        """The settings that any bucket changes."""
        return frozenset().union(*(bucket.overrides.settings for bucket in self.buckets))


@dataclass(frozen=True)
class Experiments:
    """Experiments in the order of the file, the first being the primary one; `digest` tells two files apart."""

    experiments: tuple[Experiment, ...] = ()
    digest: str = ""

    @staticmethod
    def parse(text: str) -> "Experiments":
        """Read an experiments file.

        Raises:
            ExperimentsError: one sentence that names the experiment, the bucket and the field.
        """
        found = tuple(_experiment(entry) for entry in document.read(text).experiments)
        _reject_contradictions(found)
        return Experiments(found, blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest())

    def named(self, name: str) -> Experiment | None:
        """The experiment of that name."""
        return next((experiment for experiment in self.experiments if experiment.name == name), None)

    def check(self, tiers: Sequence[str], bundles: Collection[str], strategies: Collection[str]) -> None:
        """Whether every override names something that exists: `tiers` (cheapest first) that all bundles offer.

        Raises:
            ExperimentsError: it does not, or `lowest` is above `highest`.
        """
        known = {"tier": (AUTO, *tiers), "lowest": tiers, "highest": tiers, "bundle": bundles, "strategy": strategies}
        for experiment, bucket in self._pairs():
            for field, names in known.items():
                if (value := getattr(bucket.overrides, field)) is not None and value not in names:
                    raise _refuse(experiment, bucket, f"there is no {field} {value!r}, only {', '.join(names)}")
            lowest, highest = bucket.overrides.lowest, bucket.overrides.highest
            if lowest is not None and highest is not None and tiers.index(lowest) > tiers.index(highest):
                raise _refuse(experiment, bucket, f"the lowest tier {lowest!r} is above the highest, {highest!r}")

    def _pairs(self) -> Iterator[tuple[Experiment, Bucket]]:
        return ((experiment, bucket) for experiment in self.experiments for bucket in experiment.buckets)


def _experiment(entry: ExperimentFields) -> Experiment:
    experiment = Experiment(
        name=entry.name,
        seed=entry.seed or entry.name,
        buckets=tuple(_bucket(bucket) for bucket in entry.buckets),
        coverage=entry.coverage,
        layer=entry.layer,
        layer_range=(entry.range[0], entry.range[1]) if entry.range else (0.0, 1.0),
    )
    _reject_names(experiment)
    if (entry.layer is None) != (entry.range is None):
        raise _refuse(experiment, None, "layer and range belong together: one of them is missing")
    if experiment.layer_range[0] >= experiment.layer_range[1]:
        raise _refuse(experiment, None, "the range must begin below its end")
    total = sum(bucket.weight for bucket in experiment.buckets)
    if abs(total - 1) > TOLERANCE:
        raise _refuse(experiment, None, f"the weights of its buckets sum to {total:.7g}, not to 1")
    return experiment


def _bucket(entry: BucketFields) -> Bucket:
    rule = None if entry.rule is None else (entry.rule.leaf, entry.rule.prefix)
    overrides = Overrides(entry.tier, entry.lowest, entry.highest, rule, entry.bundle, entry.strategy)
    return Bucket(entry.name, entry.weight, overrides)


def _reject_names(experiment: Experiment) -> None:
    if experiment.name == NO_EXPERIMENT:
        raise _refuse(experiment, None, "this name stands for having no experiment; choose another")
    seen = set()
    for bucket in experiment.buckets:
        if bucket.name == DEFAULT_BUCKET:
            raise _refuse(experiment, bucket, "this name stands for users outside the experiment; choose another")
        if bucket.name in seen:
            raise _refuse(experiment, bucket, "two buckets have this name")
        if bucket.overrides.tier not in (None, AUTO) and (bucket.overrides.lowest or bucket.overrides.highest):
            raise _refuse(experiment, bucket, "a fixed tier leaves no room for the bounds lowest and highest")
        seen.add(bucket.name)


def _reject_contradictions(found: Sequence[Experiment]) -> None:
    for first, second in combinations(found, 2):
        both = f"Experiments {first.name!r} and {second.name!r}"
        if first.name == second.name:
            raise ExperimentsError(f"Two experiments are named {first.name!r}.")
        if first.seed == second.seed:
            raise ExperimentsError(f"{both} have one seed, so their buckets would hold the same users.")
        if first.layer is not None and first.layer == second.layer:
            if _overlap(first.layer_range, second.layer_range):
                raise ExperimentsError(f"{both} overlap in the layer {first.layer!r}.")
        elif common := first.settings & second.settings:
            what = ", ".join(sorted(common))
            raise ExperimentsError(f"{both} set the same thing ({what}) and must share a layer.")
    for experiment in found:
        if experiment.seed in {other.layer_seed for other in found}:
            raise _refuse(experiment, None, "its seed is the seed of a layer; choose another")


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _refuse(experiment: Experiment, bucket: Bucket | None, why: str) -> ExperimentsError:
    place = f"Experiment {experiment.name!r}" + (f", bucket {bucket.name!r}" if bucket else "")
    return ExperimentsError(f"{place}: {why}.")
