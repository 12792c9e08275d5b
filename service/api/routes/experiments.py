"""GET /experiments and GET /experiments/{name}/report."""

from typing import Annotated

from fastapi import APIRouter, Path

from service.api import described
from service.api.dependencies import StateOf
from service.api.schemas.experiments import (
    BucketShown,
    ExperimentShown,
    ExperimentsShown,
    OverridesShown,
    ReportShown,
)
from service.errors import NotFoundError
from service.experiments.config import Bucket, Experiment

router = APIRouter(prefix="/experiments", tags=["experiments"])


@router.get(
    "",
    response_model_exclude_unset=True,
    responses=described.problems(*described.CALLER),
    summary="The experiments in force",
)
async def experiments(state: StateOf) -> ExperimentsShown:
    live = state.experiments
    return ExperimentsShown(
        experiments=[_experiment(one) for one in live.current.experiments],
        digest=live.current.digest,
        header=state.ab_header,
        last_error=live.last_error,
    )


@router.get(
    "/{name}/report",
    responses=described.problems(described.UNKNOWN, described.INVALID, *described.CALLER, described.STORE),
    summary="Lift with always-valid intervals, and whether the split is sound",
)
async def report(name: Annotated[str, Path(max_length=64, examples=["width"])], state: StateOf) -> ReportShown:
    """From all exposures and feedback in the event log so far. Looking at it again and again is sound."""
    experiment = state.experiments.current.named(name)
    if experiment is None:
        raise NotFoundError("No experiment of that name is in force.")
    found = await state.reports.report(experiment)
    return ReportShown.model_validate(found.plain())


def _experiment(one: Experiment) -> ExperimentShown:
    return ExperimentShown(
        name=one.name,
        seed=one.seed,
        coverage=one.coverage,
        layer=one.layer,
        layer_range=one.layer_range,
        buckets=[_bucket(bucket) for bucket in one.buckets],
    )


def _bucket(bucket: Bucket) -> BucketShown:
    given = {name: value for name, value in vars(bucket.overrides).items() if value is not None}
    if bucket.overrides.rule is not None:
        given["rule"] = dict(zip(("leaf", "prefix"), bucket.overrides.rule, strict=True))
    return BucketShown(name=bucket.name, weight=bucket.weight, overrides=OverridesShown(**given))
