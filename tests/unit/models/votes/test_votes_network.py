"""Bootstrap heads: before they learned they say what the reward says, and their mean is one inner product."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_voted import RECIPE, made_votes
from tiny import DEPTH, SIZES

from models.votes.network import Votes

WIDTH = SIZES.width
MODEL = made_votes().model


def contexts(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def test_heads_that_did_not_learn_vote_for_the_reward_itself() -> None:
    fresh, context = Votes(DEPTH, WIDTH, RECIPE), contexts(5)
    for level in range(DEPTH):
        said = fresh(context, level)
        assert said.shape == (5, RECIPE.heads + 1, WIDTH)
        assert torch.equal(said, context[:, None].expand_as(said))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, DEPTH - 1), st.integers(0, RECIPE.heads), st.integers(1, 7))
def test_one_head_alone_says_what_it_says_among_all(level: int, head: int, count: int) -> None:
    context = contexts(count)
    torch.testing.assert_close(MODEL.of_head(context, level, head), MODEL(context, level)[:, head])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, DEPTH - 1), st.integers(1, RECIPE.heads), st.integers(0, 99))
def test_the_mean_of_votes_is_an_inner_product_with_the_mean_context(level: int, voters: int, seed: int) -> None:
    said, rows = MODEL(contexts(4, seed), level)[:, :voters], contexts(9, seed + 1)
    torch.testing.assert_close((said @ rows.T).mean(1), said.mean(1) @ rows.T, atol=1e-4, rtol=1e-4)


def test_depths_and_heads_differ() -> None:
    context = contexts(1)
    said = torch.cat([MODEL(context, level)[0] for level in range(DEPTH)])
    apart = (said[:, None] - said[None]).abs().amax(2) + torch.eye(len(said))
    assert apart.min() > 1e-3
