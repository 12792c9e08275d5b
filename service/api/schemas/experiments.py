"""What is known of the experiments."""

from typing import Any

from pydantic import BaseModel

from service.api.schemas.common import example


class OverridesShown(BaseModel):
    """What a bucket changes; absent is unchanged."""

    tier: str | None = None
    lowest: str | None = None
    highest: str | None = None
    rule: dict[str, float] | None = None
    bundle: str | None = None
    strategy: str | None = None


class BucketShown(BaseModel):
    """A bucket, its share of the users, and what is different for them."""

    name: str
    weight: float
    overrides: OverridesShown


class ExperimentShown(BaseModel):
    """One experiment; the first in the list labels the metrics."""

    name: str
    seed: str
    coverage: float
    layer: str | None
    layer_range: tuple[float, float]
    buckets: list[BucketShown]


class ExperimentsShown(BaseModel):
    """The experiments in force; `last_error` says why the file as it stands is not in use."""

    model_config = example(
        experiments=[
            {
                "name": "width",
                "seed": "width-1",
                "coverage": 1.0,
                "layer": None,
                "layer_range": [0.0, 1.0],
                "buckets": [
                    {"name": "control", "weight": 0.5, "overrides": {}},
                    {"name": "wide", "weight": 0.5, "overrides": {"tier": "k100"}},
                ],
            }
        ],
        digest="7f9a1c0d2b3e4f56",
        header="X-AB-Bucket",
        last_error=None,
    )

    experiments: list[ExperimentShown]
    digest: str
    header: str
    last_error: str | None


class ReportShown(BaseModel):
    """Units per bucket, the split against the weights, rates and lifts per event type, and what to mind."""

    model_config = example(
        experiment="width",
        control="control",
        alpha=0.05,
        expected_units=5000,
        since=1763730000.0,
        until=1763816400.0,
        arms=[],
        split={"chi_square_p": 0.61, "sequential_p": 1.0, "broken": False},
        outcomes=[],
        ignored={},
        notes=[],
    )

    experiment: str
    control: str
    alpha: float
    expected_units: int
    since: float | None
    until: float | None
    arms: list[dict[str, Any]]
    split: dict[str, Any]
    outcomes: list[dict[str, Any]]
    ignored: dict[str, int]
    notes: list[dict[str, str]]
