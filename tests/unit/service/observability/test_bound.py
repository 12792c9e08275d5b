"""Children looked up once are the family's own."""

from prometheus_client import CollectorRegistry, Counter

from service.observability.bound import Bound


def test_values_name_the_same_child_whoever_asks() -> None:
    family = Counter("made", "Made.", ("tier", "level"), registry=CollectorRegistry())
    bound = Bound(family)
    bound["k50", 1].inc(2)
    family.labels("k50", "1").inc(3)
    bound["k50", 2].inc()
    assert bound["k50", 1] is bound["k50", 1]
    samples = [sample for metric in family.collect() for sample in metric.samples if sample.name == "made_total"]
    found = {tuple(sample.labels.values()): sample.value for sample in samples}
    assert found[("k50", "1")] == 5.0
    assert found[("k50", "2")] == 1.0
