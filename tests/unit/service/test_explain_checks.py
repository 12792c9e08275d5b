"""An engine that lies: whatever it says of banned, inner, repeated or unknown nodes, answers hold legal items only."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pytest
from fake_service import made_model, opened
from made import made_catalogue

from service.budget.ladder import EXACT
from service.engine.fake import FakeEngine
from service.engine.protocol import F32, I32, Beams, Context, HostTensor, Pruned
from service.search import choosing
from service.search.guided import Deadline
from service.search.trie import banned, build
from service.search.verification import RULES
from service.served import Served
from service.tasks import Outcome, Task

CATALOGUE = made_catalogue(items=300, codes=16)
TRIE = build(CATALOGUE.sids)
HISTORY = np.array([5, 9, 77], np.int32)
K = 6
LIES = {
    "banned": "allowed",
    "inner": "valid_path",
    "beyond": "valid_path",
    "negative": "valid_path",
    "twice": "distinct",
    "no number": "finite_score",
    "infinite": "finite_score",
}


class LyingEngine(FakeEngine):
    """Says one wrong thing of the second-best leaf."""

    def __init__(self, lie: str) -> None:
        super().__init__(TRIE)
        self.lie = lie
        self.lies = False  # not while the service warms up

    def expand(self, context: Context, beams: Beams, level: int, k_plus: int) -> Beams:
        children = super().expand(context, beams, level, k_plus)
        if level < self.depth - 1 or k_plus > 10:  # where a PRM still chooses, it is the one that lies
            return children
        return choosing.beams(*self._lied(children.node.numpy(), children.log_prob.numpy()))

    def prune(self, context: Context, children: Beams, level: int, k_keep: int, weight: float) -> Pruned:
        pruned = super().prune(context, children, level, k_keep, weight)
        if level < self.depth - 1:
            return pruned
        node, reward = self._lied(pruned.kept.node.numpy(), pruned.reward.numpy())
        kept = choosing.beams(node, pruned.kept.log_prob.numpy())
        return replace(pruned, kept=kept, reward=HostTensor(reward))

    def scan(self, context: Context, k: int) -> tuple[I32, F32] | None:
        found = super().scan(context, k)
        return None if found is None else self._lied(*found)

    def _lied(self, node: I32, value: F32) -> tuple[I32, F32]:
        if self.lies and node.shape[1] > 1:
            node, value = node.copy(), value.copy()
            nodes = {"banned": TRIE.row_leaf[9], "inner": 3, "beyond": TRIE.nodes + 7, "negative": -2}
            node[:, 1] = nodes.get(self.lie, node[:, 1] if self.lie != "twice" else node[:, 0])
            value[:, 1] = {"no number": np.nan, "infinite": np.inf}.get(self.lie, value[:, 1])
        return node, value


@dataclass
class Reply:
    job: Task
    outcome: Outcome | None = None

    def deliver(self, value: Outcome) -> None:
        self.outcome = value


def task(served: Served, tier: str, explain: bool) -> Task:
    choice = served.ladder.choice(tier, tier, "requested", K)
    illegal = banned(TRIE, HISTORY)
    return Task(HISTORY, b"key", None, illegal, K, choice, "guided", None, None, None, explain, Deadline())


def ran(served: Served, tier: str, explain: bool = False, count: int = 1) -> Outcome:
    replies = [Reply(task(served, tier, explain)) for _ in range(count)]
    served.searcher.run(replies, 0)
    assert replies[-1].outcome is not None
    return replies[-1].outcome


@pytest.mark.parametrize("tier", ["floor", "k10", "k50", EXACT])
@pytest.mark.parametrize(("lie", "rule"), LIES.items())
def test_a_lie_costs_its_item_and_nothing_else(
    lie: str, rule: str, tier: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = LyingEngine(lie)
    with opened(made_model(CATALOGUE, engine)) as runtime:
        served = runtime.bundles.get()
        honest = ran(served, tier)
        engine.lies = True
        with caplog.at_level(logging.WARNING):
            lied = ran(served, tier, count=3)
    assert honest.broken == {}
    assert lied.broken == {rule: 1}
    assert [item.row for item in lied.items] == [item.row for at, item in enumerate(honest.items) if at != 1]
    warnings = [record for record in caplog.records if "rules" in record.message]
    assert len(warnings) == 1
    assert f"'{rule}': 3" in warnings[0].message


@pytest.mark.parametrize("tier", ["floor", "k50", EXACT])
@pytest.mark.parametrize("lie", LIES)
def test_an_explanation_says_which_rules_were_tried(lie: str, tier: str) -> None:
    engine = LyingEngine(lie)
    with opened(made_model(CATALOGUE, engine)) as runtime:
        served = runtime.bundles.get()
        honest = ran(served, tier, explain=True)
        engine.lies = True
        lied = ran(served, tier, explain=True)
    assert [(one.rule, one.checked, one.broken) for one in honest.checks or ()] == [(rule, K, 0) for rule in RULES]
    assert [one.broken for one in lied.checks or ()] == [int(rule == LIES[lie]) for rule in RULES]
    assert len(lied.items) == K - 1


def test_who_asked_for_no_explanation_gets_none() -> None:
    with opened(made_model(CATALOGUE)) as runtime:
        plain = ran(runtime.bundles.get(), "k10")
    assert (plain.checks, plain.levels, plain.items[0].path) == (None, None, None)
