"""experiments.yaml: what is understood, and one sentence for everything that is not."""

import textwrap

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import ExperimentsError
from service.experiments import config
from service.experiments.config import Bucket, Experiment, Experiments, Overrides

EXAMPLE = textwrap.dedent((config.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0])
TIERS = ("floor", "k10", "k20", "k50", "k100", "exact")
EVEN = "{name: a, weight: 0.5}, {name: b, weight: 0.5}"
AB = "buckets: [{name: a, weight: 0.5}, {name: b, weight: 0.5%s}]"


def written(*experiments: str) -> str:
    return "experiments:\n" + "\n".join(f"  - {{{text}}}" for text in experiments)


def one(buckets: str, more: str = "") -> str:
    return written(f"name: e{more}, buckets: [{buckets}]")


HALVES = written(
    f"name: e, layer: l, range: [0, 0.5], {AB % ', tier: k10'}",
    f"name: f, layer: l, range: [0.5, 1], {AB % ', tier: k10'}",
)


def test_the_example_reads_as_it_says() -> None:
    budget, rule = Experiments.parse(EXAMPLE).experiments
    assert budget == Experiment(
        "budget", "budget-1", (Bucket("control", 0.5), Bucket("deep", 0.5, Overrides(tier="k100")))
    )
    reward = Bucket("reward", 0.5, Overrides(rule=(0.0, 0.0)))
    assert rule == Experiment("rule", "rule", (Bucket("mixed", 0.5), reward), 0.2, "ranking", (0.0, 0.5))
    assert rule.ranges == ((0.0, 0.1), (0.5, 0.6))


def test_the_digest_tells_files_apart() -> None:
    parsed = Experiments.parse(EXAMPLE)
    assert parsed == Experiments.parse(EXAMPLE)
    assert parsed.digest != Experiments.parse(EXAMPLE.replace("k100", "k200")).digest
    assert parsed.named("rule") is parsed.experiments[1]
    assert parsed.named("other") is None


def test_no_experiments_are_experiments_too() -> None:
    assert Experiments.parse("experiments: []").experiments == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "list named experiments"),
        ("[]", "list named experiments"),
        ("experiments: 3", "field 'experiments'"),
        ("experiments: []\nextra: 1", "unknown field 'extra'"),
        ("experiments:\n\t- x", "Line 2 is not YAML"),
        ("experiments: [2024-99-99]", "not YAML"),
        ("experiments: !!timestamp soon", "not YAML"),
        ("experiments: " + "1:" * 400 + "1.5", "not YAML"),
        ("experiments: !!python/object/apply:os.getcwd []", "not YAML"),
        ("a: &x [1]\nexperiments: *x", "Line 2 is not YAML: aliases"),
        ("experiments: []\nexperiments: []", "stands twice"),
        ("[" * 100_000, "not YAML"),
        ("experiments: []" + " " * (1 << 20), "longer than"),
        (one("{name: a, weight: 1.0}"), "Experiment 'e', field 'buckets'"),
        (one("{name: a, weight: 0.5}, {weight: 0.5}"), "Experiment 'e', bucket number 2 lacks the field 'name'"),
        (one("{name: a, weight: 0.5}, {name: b, weight: '0.5'}"), "Experiment 'e', bucket 'b', field 'weight'"),
        (one("{name: a, weight: 0.5}, {name: b, wieght: 0.5}"), "lacks the field 'weight'"),
        (one("{name: a, weight: 1.0}, {name: b, weight: 0, teir: k50}"), "did you mean 'tier'"),
        (one("{name: a, weight: .nan}, {name: b, weight: 0.5}"), "bucket 'a', field 'weight'"),
        (one("{name: a, weight: 1.5}, {name: b, weight: -0.5}"), "bucket 'a', field 'weight'"),
        (one("{name: a, weight: 0.5}, {name: b, weight: 0.4}"), "sum to 0.9, not to 1"),
        (one("{name: a, weight: 0.33}, {name: b, weight: 0.67001}"), "sum to 1.00001"),
        (one("{name: a, weight: 0.5}, {name: a, weight: 0.5}"), "bucket 'a': two buckets"),
        (one("{name: a, weight: 0.5}, {name: default, weight: 0.5}"), "bucket 'default': this name"),
        (one("{name: a, weight: 0.5}, {name: 'b=c', weight: 0.5}"), "field 'name'"),
        (one("{name: a, weight: 0.5}, {name: on, weight: 0.5}"), "field 'name'"),
        (one("{name: a, weight: 1.0}, {name: b, weight: 0, rule: {leaf: 1}}"), "lacks the field 'rule.prefix'"),
        (one("{name: a, weight: 1.0}, {name: b, weight: 0, rule: {leaf: -1, prefix: 0}}"), "field 'rule.leaf'"),
        (one("{name: a, weight: 1.0}, {name: b, weight: 0, tier: k50, lowest: k10}"), "bucket 'b': a fixed tier"),
        (one(EVEN, ", unit: session"), "field 'unit'"),
        (one(EVEN, ", coverage: 1.1"), "field 'coverage'"),
        (one(EVEN, ", layer: l"), "layer and range"),
        (one(EVEN, ", range: [0, 1]"), "layer and range"),
        (one(EVEN, ", layer: l, range: [0, 1, 1]"), "field 'range'"),
        (one(EVEN, ", layer: l, range: [1, 0]"), "begin below"),
        (one(EVEN, ", layer: l, range: [0, 1], seed: __l"), "seed of a layer"),
        (one(EVEN, ", seed: 3"), "field 'seed'"),
        (written("name: none, " + AB % ""), "having no experiment"),
        (written("name: e, " + AB % "", "name: e, seed: s, " + AB % ""), "Two experiments are named 'e'"),
        (written("name: e, " + AB % "", "name: f, seed: e, " + AB % ""), "'e' and 'f' have one seed"),
        (written("name: e, " + AB % ", tier: k10", "name: f, " + AB % ", lowest: k10"), r"thing \(budget\)"),
        (written("name: e, " + AB % ", bundle: x", "name: f, " + AB % ", bundle: x"), r"thing \(bundle\)"),
        (HALVES.replace("0.5, 1]", "0.4, 1]"), "overlap in the layer 'l'"),
    ],
)
def test_a_mistake_is_named(text: str, words: str) -> None:
    with pytest.raises(ExperimentsError, match=words) as raised:
        Experiments.parse(text)
    assert "\n" not in raised.value.detail
    assert raised.value.detail.endswith(".")


def test_one_layer_may_hold_experiments_on_one_thing() -> None:
    parsed = Experiments.parse(HALVES)
    assert [one.layer_range for one in parsed.experiments] == [(0.0, 0.5), (0.5, 1.0)]


def test_experiments_on_different_things_need_no_layer() -> None:
    parsed = Experiments.parse(written("name: e, " + AB % ", tier: k10", "name: f, " + AB % ", strategy: beam"))
    assert [sorted(one.settings) for one in parsed.experiments] == [["budget"], ["strategy"]]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("tier: k51", "bucket 'b': there is no tier 'k51', only auto, floor"),
        ("lowest: auto", "no lowest 'auto', only floor"),
        ("highest: k1", "no highest 'k1'"),
        ("lowest: k50, highest: k10", "'k50' is above the highest, 'k10'"),
        ("bundle: sports", "no bundle 'sports', only beauty"),
        ("strategy: greedy", "no strategy 'greedy', only guided, beam"),
    ],
)
def test_an_override_must_name_something(override: str, words: str) -> None:
    parsed = Experiments.parse(one(f"{{name: a, weight: 0.5}}, {{name: b, weight: 0.5, {override}}}"))
    with pytest.raises(ExperimentsError, match=words):
        parsed.check(TIERS, ["beauty"], ("guided", "beam"))


@pytest.mark.parametrize(
    "override", ["tier: auto", "lowest: k10, highest: k10", "tier: auto, lowest: k10, bundle: beauty"]
)
def test_an_override_that_exists_passes(override: str) -> None:
    parsed = Experiments.parse(one(f"{{name: a, weight: 0.5}}, {{name: b, weight: 0.5, {override}}}"))
    parsed.check(TIERS, ["beauty"], ("guided", "beam"))


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert "\n" not in refusal(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("control"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.just("name"), inner, max_size=3)
    ),
    max_leaves=9,
)
FIELDS = ("name", "weight", "seed", "unit", "coverage", "layer", "range", "buckets", "tier", "rule", "lowest", "x")


@settings(deadline=None)
@given(st.data(), values)
def test_a_wrong_value_anywhere_is_refused_by_name(data: st.DataObject, wrong: object) -> None:
    experiments = yaml.safe_load(EXAMPLE)["experiments"]
    target = experiments[data.draw(st.integers(0, 1))]
    target = data.draw(st.sampled_from([target, *target["buckets"]]))
    target[data.draw(st.sampled_from(FIELDS))] = wrong
    assert "\n" not in refusal(yaml.safe_dump({"experiments": experiments}))


@settings(deadline=None)
@given(st.integers(0, len(EXAMPLE)), st.integers(0, len(EXAMPLE)))
def test_a_torn_file_is_read_or_refused(begin: int, end: int) -> None:
    assert "\n" not in refusal(EXAMPLE[begin:end])


def refusal(text: str) -> str:
    """Why the text is refused; empty for experiments that hold together."""
    try:
        parsed = Experiments.parse(text)
    except ExperimentsError as error:
        return error.detail
    for experiment in parsed.experiments:
        ends = [edge for pair in experiment.ranges for edge in pair]
        assert ends == sorted(ends)
        assert 0 <= ends[0] <= ends[-1] <= 1 + config.TOLERANCE
    return ""
