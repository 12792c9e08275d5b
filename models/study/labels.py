"""Arms of the study of step labels (methods section 4): the true prefix against relative progress on the trie."""

from models.recipe import Recipe, named
from models.study.arms import Arm
from models.study.prm import EPOCHS

NAME = "labels"
APART = "apart"
CURVE = {1: "−.015", 3: "−.011", 10: "−.006", 23: "−.003", 50: "−.001"}


def arms() -> list[Arm]:
    """The prefix label first, then graded rewards with and without relative progress, one change each."""
    base = named("study").with_training(epochs=EPOCHS, stop=EPOCHS, validate_every=EPOCHS, validation_users=500)
    later = base.with_training(labels="progress", positives=3)
    alike = base.with_training(labels="progress", graded="similar")
    return [
        Arm("prefix", base, "first, the softmax arm of the PRM's study"),
        Arm("positives-3", base.with_training(positives=3), "+.001: three next items, plainly discounted; the control"),
        Arm("progress", later, "−.001: 98 % of its labels are 1, and values favour small subtrees"),
        Arm("progress-0", later.with_training(epsilon=0.0), "as progress, within .0003: hardly a label differs"),
        Arm("similar", alike, "+.001: what the text says of near items, wrong ones left out"),
        Arm(
            "similar-0", alike.with_training(epsilon=0.0), "−.001 to similar: 40 % more leaves count", control="similar"
        ),
        Arm("similar-1", alike.with_training(epsilon=1.0), "as similar, within .0005", control="similar"),
        *_again("prefix", base),
        *_again("progress", later),
        *_apart(base),
        *_agreed_again(base),
    ]


def _again(name: str, recipe: Recipe) -> list[Arm]:
    """The same by further seeds, which move the semantic IDs as well; each beside the first arm of its own seed."""
    return [
        Arm(f"{name}-seed{seed}", recipe.with_training(seed=seed), "as seed 0", control=f"prefix-seed{seed}")
        for seed in (1, 2)
    ]


def _apart(base: Recipe) -> list[Arm]:
    """The PRM alone on one finished generator, which all of them share: how many labels it takes, and which ones."""
    alone = _alone(base)
    curve = [
        Arm(f"labels-{n}k", alone.with_training(label_limit=1000 * n), expected, control=APART, trunk=APART)
        for n, expected in CURVE.items()
    ]
    agreed, matched = (alone.with_training(labelled=choice) for choice in ("agreed", "matched"))
    easy = "half is dropped; −.002 to matched: what is kept is what is known already"
    return [
        Arm(APART, alone, "−.005: the encoding no longer learns from the PRM"),
        *curve,
        Arm("matched", matched, "−.001 to all positions", control=APART, trunk=APART, judge="prefix"),
        Arm("agreed", agreed, easy, control="matched", trunk=APART, judge="prefix"),
    ]


def _agreed_again(base: Recipe) -> list[Arm]:
    """The consensus filter and what it is compared with, by further seeds."""
    found = []
    for seed in (1, 2):
        alone = _alone(base).with_training(seed=seed)
        trunk, judge = f"{APART}-seed{seed}", f"prefix-seed{seed}"
        matched, agreed = (alone.with_training(labelled=choice) for choice in ("matched", "agreed"))
        found += [
            Arm(trunk, alone, "as seed 0", control=judge),
            Arm(f"matched-seed{seed}", matched, "as seed 0", control=trunk, trunk=trunk, judge=judge),
            Arm(f"agreed-seed{seed}", agreed, "as seed 0", control=f"matched-seed{seed}", trunk=trunk, judge=judge),
        ]
    return found


def _alone(base: Recipe) -> Recipe:
    return base.with_training(stages="two", stop=0, validate_every=1, validation_users=2000)
