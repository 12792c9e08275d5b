"""The scoring rule is chosen on validation, and only where the choice is sure."""

import numpy as np
from made_world import DEPTH, ITEMS, LIMIT, USERS, context_of, made_world
from numpy.typing import NDArray

from models.evaluation import choose_rule, compare
from models.results import Paths, Result, choose
from service.search.guided import search
from service.search.plan import Plan, Rule


def test_the_best_rule_is_chosen_only_where_it_is_surely_better_than_the_first() -> None:
    world = made_world()
    # Targets that the PRM alone ranks first, so that it is surely better than the generator alone.
    plan = Plan.uniform(DEPTH, ITEMS, 10**4)
    firsts = [int(search(world.engine, context_of(world, user), plan, 1).node[0, 0]) for user in range(USERS)]
    histories = [history[-LIMIT:] for history in world.histories]
    data = (world.engine, world.trie, world.sids, histories, world.trie.rows(np.array(firsts, np.int32)))
    every = (Rule(0.0, 0.0), Rule(0.0, 2.0), Rule(3.0, 3.0), Rule(1e4, 1e4))
    moved = []
    for first in every:
        rules = (first, *(rule for rule in every if rule != first))
        chosen, results = choose_rule(*data, k_keep=ITEMS, k_plus=10**4, rules=rules)
        best = int(np.argmax([result.ndcg(10) for result in results]))
        surely = compare(results[best], results[0])["ndcg@10"].low > 0
        assert not surely or chosen == rules[best]
        moved.append(chosen != first)
    assert moved[-1] is True, "the generator alone must give way"
    assert choose_rule(*data, rules=(Rule(1e-9, 1e-9), Rule()))[0] == Rule(1e-9, 1e-9)


def test_between_rules_that_rank_alike_the_one_that_keeps_more_prefixes_is_chosen() -> None:
    rank = np.tile([1, 2, 0, 0], 50).astype(np.int32)
    more, fewer = np.ones((200, 3), np.bool_), np.zeros((200, 3), np.bool_)

    def made(name: str, rank: NDArray[np.int32], kept: NDArray[np.bool_]) -> Result:
        none = np.zeros(0, np.float32)
        return Result(name, np.arange(1, 201, dtype=np.int32), rank, rank, 10, 10, 10, Paths(kept, kept, kept), none)

    first, keeps, worse = made("first", rank, fewer), made("keeps", rank, more), made("worse", rank * 0, more)
    assert choose([first, keeps, worse]) == 1
    assert choose([first, worse]) == 0, "prefixes kept do not make up for a surely worse ranking"
    assert choose([worse, first, keeps]) == 1, "surely better wins, whatever it keeps"
    assert choose([keeps, first]) == 0
