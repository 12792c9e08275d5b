"""Search and level 1 by the votes of a bundle, for judging how many of them are worth what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.evaluation.ranking import Method, Users, evaluate_engine, guided, rule_of
from models.full_ranking import batches
from models.metrics import F32, F64, I32, Bool
from models.results import Result
from service.engine.graphs import OnnxEngine
from service.engine.protocol import Beams, Context, Pruned
from service.search import choosing
from service.search.votes import agreement, deviation, shares

BEST = 10  # candidates whose deviations are averaged
USUAL, NARROW, WIDE = (50, 200), (10, 40), (100, 400)  # K'/K+


class MeanOf(OnnxEngine):
    """An engine whose reward is the mean of the first `voters` votes."""

    def __init__(self, engine: OnnxEngine, voters: int) -> None:
        """Over an engine whose bundle has at least so many."""
        vars(self).update(vars(engine))
        self.voters = voters

    def prune(self, context: Context, children: Beams, level: int, k_keep: int, weight: float) -> Pruned:
        """The k_keep children of highest mean + weight · log-probability."""
        reward = self.vote(context, children, level).votes[..., : self.voters].mean(2)
        arrays = children.node.numpy(), children.log_prob.numpy(), reward
        return choosing.keep(*arrays, min(k_keep, children.width), weight)


@dataclass(frozen=True)
class First:
    """Level 1 of U users: all its prefixes in node order, log_prob (-inf = not to be shown) and reward f32 [U,C], and
    votes f32 [U,C,M].
    """

    log_prob: F32
    reward: F32
    votes: F32

    @property
    def legal(self) -> Bool:
        legal: Bool = np.isfinite(self.log_prob)
        return legal


def first_level(engine: OnnxEngine, histories: Sequence[I32], targets: I32, batch: int = 64) -> First:
    """What an engine with votes says of level 1."""
    users = Users(engine.trie, engine.bundle.catalogue.sids, histories, targets, engine.history_limit)
    count = engine.trie.branching(0)
    nodes = np.arange(1, count + 1, dtype=np.int32)
    log_prob, reward = (np.zeros((len(targets), count), np.float32) for _ in range(2))
    found = First(log_prob, reward, np.zeros((len(targets), count, engine.voters), np.float32))
    for chosen in batches(users.newest, batch):
        context = users.context(engine, chosen)
        opened = engine.open(context)
        every = np.broadcast_to(nodes, (len(chosen), count)).copy()
        found.log_prob[chosen], found.reward[chosen] = opened.log_prob, opened.reward
        found.votes[chosen] = engine.vote(context, choosing.beams(every, opened.log_prob), 0).votes
    return found


def searched(
    engine: OnnxEngine, histories: Sequence[I32], targets: I32, counts: Sequence[int]
) -> tuple[dict[int, Result], Bool]:
    """Guided 50/200 by the mean of the first votes, by their number, 0 = by the reward, never corrected; and [U]: does
    the WIDE search by the reward find more than the NARROW one?
    """
    rule, sids, limit = rule_of(engine.bundle.manifest.scoring), engine.bundle.catalogue.sids, engine.history_limit
    ways = [guided(engine.depth, *width, rule) for width in (USUAL, NARROW, WIDE)]

    def ranked(asked: OnnxEngine, methods: Sequence[Method]) -> list[Result]:
        return evaluate_engine(asked, asked.trie, sids, histories, targets, methods, history_limit=limit, timed=0)

    own, narrow, wide = ranked(engine, ways)
    found = {0: own} | {n: ranked(MeanOf(engine, n), ways[:1])[0] for n in counts if n <= engine.voters}
    return found, wide.per_user("ndcg", 10) > narrow.per_user("ndcg", 10)


def doubts(votes: F32, legal: Bool) -> dict[str, F64]:
    """Ways [U] to say how unsure votes [U,C,M] over legal prefixes [U,C] are, by name; the larger the less sure."""
    logs = np.where(legal[..., None], shares(votes, legal), -np.inf)
    apart, each = deviation(votes, legal), np.exp(logs)
    mean = each.mean(2)
    masked = np.where(legal, votes.mean(2), -np.inf)
    best = choosing.best(masked.astype(np.float32), BEST)
    whole = _entropy(mean, 1)
    return {
        "deviation of the best": choosing.pick(apart, best[:, :1])[:, 0].astype(np.float64),
        f"deviation, mean of the best {BEST}": choosing.pick(apart, best).mean(1, dtype=np.float64),
        "deviation, weighted by share": (apart * mean).sum(1, dtype=np.float64),
        "entropy of the mean share": whole,
        "mutual information": whole - _entropy(each, 1).mean(1),
        "1 − agreement": 1.0 - agreement(votes, legal).astype(np.float64),
    }


def entropy(reward: F32, legal: Bool) -> F64:
    """[U] in nats of the reward's own shares: what needs no votes."""
    return _entropy(np.exp(shares(reward[..., None], legal)[..., 0]), 1)


def _entropy(share: F32, axis: int) -> F64:
    nats: F64 = -(share * np.log(np.maximum(share, 1e-30))).sum(axis, dtype=np.float64)
    return nats
