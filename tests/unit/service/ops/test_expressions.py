"""Every expression of the rules and the dashboard names series and labels that the service exports."""

import pytest
from promql import marked, mistakes, offered, rules, shown

from service.observability.metrics import Metrics
from service.observability.watched import MEANINGS
from service.search.verification import RULES


def told() -> Metrics:
    """Metrics that have been told everything once."""
    metrics = Metrics.open(slos_s=(0.05,))
    metrics.model("beauty", "beauty", "1", 10)
    metrics.request("default", 200)
    metrics.answered("default", "k50", 0.01)
    metrics.served("default", "k50", "best", "guided", "deadline")
    metrics.looked_up("hit", "memory")
    metrics.searched({"encode": 0.001})
    metrics.batch(1)
    metrics.level(1, 40, 10, 2, 1.5)
    metrics.left_out({RULES[0]: 1})
    metrics.refused("queue")
    metrics.exposed("one", "default")
    metrics.feedback("default", "click")
    lift = {"experiment": "one", "bucket": "b", "event": "click", "scale": "relative", "bound": "low"}
    metrics.publish(
        "one", [("promise_experiment_lift", lift, 0.1), ("promise_experiment_srm_p", {"experiment": "one"}, 1)]
    )
    for name in MEANINGS:
        metrics.watch(name, lambda: 1)
    metrics.sample()
    return metrics


KNOWN = offered(told().exposition()[0].decode())


@pytest.mark.parametrize(("name", "expr"), [*shown(), *marked()])
def test_the_dashboard_names_what_there_is(name: str, expr: str) -> None:
    assert not mistakes(expr, KNOWN), name


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: next(iter(rule.values())))
def test_the_rules_name_what_there_is(rule: dict[str, str]) -> None:
    assert not mistakes(rule["expr"], KNOWN)


@pytest.mark.parametrize(
    ("expr", "mistake"),
    [
        ("sum(rate(promise_request_total[5m]))", "there is no promise_request_total"),
        ('promise_queue_depth{bucket="a"}', "promise_queue_depth has no label bucket"),
        ("sum by (user) (promise_queue_depth)", "nothing here has the label user"),
        ("rate(promise_queue_depth[5m])", "promise_queue_depth does not belong into rate"),
        ("promise_requests_total > 1", "promise_requests_total does not belong into the open"),
        ("promise_request_duration_seconds", "there is no promise_request_duration_seconds"),
        ("job_slo:promise_errors:ratio_rate2m", "there is no job_slo:promise_errors:ratio_rate2m"),
        ('a / on (job) group_left (version) up{job="x"}', "there is no a"),
    ],
)
def test_a_planted_mistake_is_found(expr: str, mistake: str) -> None:
    assert mistake in mistakes(expr, KNOWN)


def test_everything_exported_is_shown_or_watched_by_a_rule() -> None:
    """Apart from what a person asks for by hand."""
    asked = " ".join([expr for _, expr in shown()] + [rule["expr"] for rule in rules()])
    unseen = sorted(name for name in KNOWN if name.startswith("promise_") and name not in asked)
    assert unseen == [
        "promise_deadline_seconds",
        "promise_history_users",
        "promise_level_entropy_bucket",
        "promise_request_duration_seconds_sum",
        "promise_stage_duration_seconds_bucket",
        "promise_stage_duration_seconds_count",
    ]
