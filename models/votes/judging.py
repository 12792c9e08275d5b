"""What the users of one setting show of votes: ranking, calibration by depth, doubts at depth 1."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import evaluation
from models.dataset import Cases
from models.evaluation import voted
from models.evaluation.voted import First
from models.metrics import ndcg_per_user
from models.network import Promise
from models.results import Result
from models.training import Log
from models.votes import perturbed
from models.votes.calibrating import contexts, temperature
from models.votes.network import Votes
from models.votes.reliability import Reliability

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Temperatures = tuple[float, ...]

COUNTS, COPIES, SIGMAS = (1, 2, 4, 8, 16), (4, 8), (0.05, 0.1, 0.3)
BATCH, FITTED = (
    200,
    2000,
)  # users whose votes over all leaves are held at a time; whose items a temperature is fitted to
REWARD, INTEREST, CONTROL, HEADS = "the reward", "interest query", "entropy of the reward", "heads"
FIRST_WRONG, ITEM_MISSED = "depth-1 prefix wrong", "item not in the first 10"


@dataclass(frozen=True)
class Depth:
    """Calibration of the best prefix of a depth: softmax of the mean vote, without and with a temperature, and with it
    the mean of the votes' own shares.
    """

    plain: Reliability
    tempered: Reliability
    mean_share: Reliability


@dataclass(frozen=True)
class Judged:
    """Of one setting's users, by source of votes: NDCG@10 [U] of the exact ranking by the mean, calibration by depth
    and the temperatures it was made with, and doubts [U] by name.

    guided: by the number of votes, 0 = the reward. wrong: by error [U]. wider [U]: a wide search finds more.
    """

    exact: dict[str, F64]
    depths: dict[str, list[Depth]]
    temperature: dict[str, Temperatures]
    doubt: dict[str, dict[str, F64]]
    guided: dict[int, Result]
    wrong: dict[str, Bool]
    wider: Bool
    first: First


def judge(
    network: Promise, model: Votes, bundle: Path, cases: Cases, hot: dict[str, Temperatures] | None, log: Log
) -> Judged:
    """Judge a network and its bundle with votes; without temperatures `hot` by source they are fitted to the cases."""
    engine = evaluation.open_engine(bundle)
    first = voted.first_level(engine, *cases)
    guided, wider = voted.searched(engine, *cases, COUNTS)
    log("votes: searched")
    asked = _Asked(network, cases)
    sources = asked.sources(model)
    hot = hot or {name: asked.temperatures(said) for name, said in sources.items() if name != INTEREST}
    ranks = {name: asked.ranks(said[-1].mean(1)) for name, said in sources.items()}
    depths = {name: asked.depths(sources[name], each) for name, each in hot.items()}
    log("votes: calibrated")
    doubt = {name: voted.doubts(asked.votes(sources[name]), first.legal) for name in hot if name != REWARD}
    doubt[REWARD] = {CONTROL: voted.entropy(first.reward, first.legal)}
    wrong = {
        FIRST_WRONG: first.reward.argmax(1) != asked.true[0].numpy(),
        ITEM_MISSED: (ranks[REWARD] == 0) | (ranks[REWARD] > 10),
    }
    exact = {name: ndcg_per_user(rank, 10) for name, rank in ranks.items()}
    return Judged(exact, depths, hot, doubt, guided, wrong, wider, first)


class _Asked:
    """A network and the users it is asked about."""

    def __init__(self, network: Promise, cases: Cases) -> None:
        self.network, self.cases = network, cases
        item_rows, levels = network.features.rows(network.catalogue), range(network.catalogue.depth)
        with torch.no_grad():
            self.rows = [network.rows(b, item_rows, "inner") for b in levels]
        self.target = torch.from_numpy(cases.targets.astype(np.int64))
        self.true = [network.catalogue.member(b)[self.target] for b in levels]

    @torch.no_grad()
    def sources(self, model: Votes) -> dict[str, Tensor]:
        """[d,U,M,D] by name: contexts of the reward, heads, perturbed encodings and the interest query."""
        histories = self.cases.histories
        clean = contexts(self.network, histories)
        heads = torch.stack([model(context, level) for level, context in enumerate(clean)])
        found = {REWARD: clean[:, :, None]}
        found |= {f"{n} {HEADS}": heads[:, :, :n] for n in COUNTS if n <= model.recipe.heads}
        for sigma in SIGMAS:
            found[f"noise σ {sigma:g}, {COPIES[-1]} copies"] = perturbed.noisy(
                self.network, histories, COPIES[-1], sigma
            )
        whole = perturbed.dropped(self.network, histories, COPIES[-1])
        found |= {f"dropout, {n} copies": whole[:, :, :n] for n in COPIES}
        return found | {INTEREST: heads[:, :, -1:]}

    @torch.no_grad()
    def ranks(self, context: Tensor) -> NDArray[np.int32]:
        """Place [U] of the true item in the exact ranking by contexts [U,D], the history left out."""
        member, found = self.network.catalogue.member(len(self.rows) - 1), []
        for users in torch.arange(len(context)).split(BATCH):
            rewards = (context[users] @ self.rows[-1].T)[:, member]
            truth = rewards.gather(1, self.target[users, None])
            rewards[:, 0] = -torch.inf
            for row, user in enumerate(users.tolist()):
                rewards[row, torch.from_numpy(self.cases.histories[user].astype(np.int64))] = -torch.inf
            found.append((rewards > truth).sum(1) + 1)
        ranks: NDArray[np.int32] = torch.cat(found).int().numpy()
        return ranks

    @torch.no_grad()
    def temperatures(self, said: Tensor) -> Temperatures:
        means = said[:, :FITTED].mean(2)
        pairs = zip(means, self.rows, self.true, strict=True)
        return tuple(temperature(mean @ rows.T, true[:FITTED]) for mean, rows, true in pairs)

    def depths(self, said: Tensor, hot: Temperatures) -> list[Depth]:
        return [self._depth(level, said[level], hot[level]) for level in range(len(said))]

    @torch.no_grad()
    def _depth(self, level: int, said: Tensor, hot: float) -> Depth:
        tops: list[list[Tensor]] = [[], [], []]
        for users in torch.arange(len(said)).split(BATCH):
            each = said[users] @ self.rows[level].T
            mean = each.mean(1)
            shares = mean.softmax(1), (mean / hot).softmax(1), (each / hot).softmax(2).mean(1)
            for top, share in zip(tops, shares, strict=True):
                best, place = share.max(1)
                top.append(torch.stack([best, (place == self.true[level][users]).float()]))
        pairs = (torch.cat(top, 1).double().numpy() for top in tops)
        return Depth(*(Reliability.of(share, right > 0) for share, right in pairs))

    @torch.no_grad()
    def votes(self, said: Tensor) -> F32:
        """[U,C,M] at depth 1."""
        found: F32 = (said[0] @ self.rows[0].T).transpose(1, 2).contiguous().numpy()
        return found
