"""What the metric objects show, and that their label sets stay closed."""

from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from service.api.admission import Reason
from service.observability.families import DEGRADED, SHED
from service.observability.metrics import Metrics
from service.search import verification


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def lines(metrics: Metrics) -> set[str]:
    metrics.sample()
    return set(metrics.exposition()[0].decode().splitlines())


@pytest.mark.parametrize(
    ("result", "tier", "counted"),
    [
        ("hit", "memory", {("memory", "hit")}),
        ("hit", "redis", {("memory", "miss"), ("redis", "hit")}),
        ("miss", "redis", {("memory", "miss"), ("redis", "miss")}),
        ("error", "redis", {("memory", "miss"), ("redis", "error")}),
        ("off", None, set()),
    ],
)
def test_every_tier_that_was_asked_counts(
    metrics: Metrics, result: str, tier: str | None, counted: set[tuple[str, str]]
) -> None:
    metrics.cache_tiers(("memory", "redis"))
    metrics.looked_up(result, tier)
    found = {line for line in lines(metrics) if line.startswith("promise_cache_requests_total{")}
    assert found == {f'promise_cache_requests_total{{result="{what}",tier="{who}"}} 1.0' for who, what in counted}


def test_only_the_current_version_of_each_bundle_is_shown(metrics: Metrics) -> None:
    for version in range(100):
        metrics.model("left", "beauty", str(version), 10)
    metrics.model("right", "beauty", "7", 20)
    shown = {line for line in lines(metrics) if line.startswith(("promise_model_info{", "promise_catalogue_items{"))}
    assert shown == {
        'promise_model_info{bundle="left",name="beauty",version="99"} 1.0',
        'promise_model_info{bundle="right",name="beauty",version="7"} 1.0',
        'promise_catalogue_items{bundle="left"} 10.0',
        'promise_catalogue_items{bundle="right"} 20.0',
    }


def test_a_report_takes_the_place_of_the_one_before(metrics: Metrics) -> None:
    def lift(experiment: str, bucket: str) -> tuple[str, dict[str, str], float]:
        labels = {"experiment": experiment, "bucket": bucket, "event": "click", "scale": "absolute", "bound": "low"}
        return "promise_experiment_lift", labels, 0.25

    metrics.publish("one", [lift("one", "a"), lift("one", "b"), ("promise_experiment_srm_p", {"experiment": "one"}, 1)])
    metrics.publish("two", [lift("two", "a")])
    metrics.publish("one", [lift("one", "a")])
    shown = [line for line in lines(metrics) if line.startswith("promise_experiment_")]
    assert sorted(line.partition("{")[2] for line in shown) == [
        'bound="low",bucket="a",event="click",experiment="one",scale="absolute"} 0.25',
        'bound="low",bucket="a",event="click",experiment="two",scale="absolute"} 0.25',
    ]


def test_what_is_watched_is_read_when_sampled(metrics: Metrics) -> None:
    kept = {"depth": 0, "lost": 0}
    metrics.watch("promise_queue_depth", lambda: kept["depth"])
    metrics.watch("promise_events_dropped_total", lambda: kept["lost"])
    kept |= {"depth": 3, "lost": 2}
    assert {
        "# TYPE promise_queue_depth gauge",
        "promise_queue_depth 3.0",
        "# TYPE promise_events_dropped_total counter",
        "promise_events_dropped_total 2.0",
    } <= lines(metrics)
    kept["depth"] = 4
    assert "promise_queue_depth 3.0" in metrics.exposition()[0].decode(), (
        "the loop owns what is watched, not the scrape"
    )


def test_what_nobody_explained_cannot_be_watched(metrics: Metrics) -> None:
    with pytest.raises(KeyError):
        metrics.watch("promise_surprise", lambda: 1)


def test_what_an_alert_counts_is_there_before_it_happens(metrics: Metrics) -> None:
    shown = {
        line for line in lines(metrics) if line.startswith(("promise_shed_", "promise_degraded_", "promise_verif"))
    }
    reasons = {"shed": SHED, "degraded": DEGRADED}
    assert {line for line in shown if "_created{" not in line} == {
        *(f'promise_{what}_total{{reason="{reason}"}} 0.0' for what, every in reasons.items() for reason in every),
        *(f'promise_verification_failures_total{{rule="{rule}"}} 0.0' for rule in verification.RULES),
    }


def test_a_reason_that_can_be_given_is_known() -> None:
    assert set(get_args(Reason)) == set(SHED)


def test_every_objective_is_an_edge() -> None:
    metrics = Metrics(CollectorRegistry(), slos_s=(0.06, 0.05, 1.5))
    metrics.answered("default", "k50", 0.055)
    shown = lines(metrics)
    for edge, count in (("0.05", "0.0"), ("0.06", "1.0"), ("1.5", "1.0")):
        series = f'promise_request_duration_seconds_bucket{{bucket="default",le="{edge}",tier="k50"}}'
        assert f"{series} {count}" in shown


def test_levels(metrics: Metrics) -> None:
    metrics.level(1, 200, 50, 7, 2.2)
    metrics.level(1, 100, 50, 3, None)
    assert {
        'promise_beam_candidates_total{kind="expanded",level="1"} 300.0',
        'promise_beam_candidates_total{kind="kept",level="1"} 100.0',
        'promise_prm_rescued_total{level="1"} 10.0',
        'promise_level_entropy_count{level="1"} 1.0',
        'promise_level_entropy_bucket{le="2.5",level="1"} 1.0',
    } <= lines(metrics)
