"""Which positions are learned from: as many as asked, the agreed ones, and never one that training does not read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import CODES, SIZES, TRAINING, made_network, made_sequences, made_sids, made_text

from models.consensus import JUDGED_RIGHT, agreed, count, drawn, learned_from, marked, newest
from models.network import Promise
from models.prm import last
from models.prm_losses import check, inner_loss
from models.recipe import Recipe, RecipeError
from models.two_stages import InnerStage, fit_inner

ITEMS, HISTORY = 40, SIZES.history


def recipe(**changes: Any) -> Recipe:
    return Recipe("tiny", network=SIZES, training=replace(TRAINING, stages="two", **changes))


def apart(**changes: Any) -> Promise:
    torch.manual_seed(0)
    return Promise(made_sids(ITEMS), CODES, made_text(ITEMS), SIZES, recipe(**changes).training).eval()


@given(st.integers(0, 99), st.integers(1, 80))
def test_as_many_as_asked_are_drawn_of_those_that_training_reads(seed: int, wanted: int) -> None:
    sequences = made_sequences(12, ITEMS, seed=seed)
    read = newest(sequences, HISTORY)
    chosen = drawn(read, wanted, seed)
    assert count(chosen) == min(wanted, count(read))
    for sequence, kept, could in zip(sequences, chosen, read, strict=True):
        assert len(kept) == len(sequence) - 1
        assert could.sum() == min(len(sequence) - 1, HISTORY)
        assert not (kept & ~could).any()


@given(st.integers(1, 60))
def test_a_choice_takes_as_many_steps_as_all(limit: int) -> None:
    sequences = [*made_sequences(15, ITEMS), np.array([3], np.int32)]
    network = made_network(ITEMS)
    found = learned_from(network, None, recipe(label_limit=limit), sequences)
    assert len(found) == 15
    different = {tuple(sequence.tolist()) for sequence in found}
    assert sum(int((np.array(sequence[1:]) > 0).sum()) for sequence in different) == min(
        limit, count(newest(sequences[:15], HISTORY))
    )
    histories = {tuple(sequence.tolist()) for sequence in sequences}
    assert {tuple(map(abs, sequence)) for sequence in different} <= histories
    assert all((sequence[1:] > 0).any() and sequence[0] > 0 for sequence in found)


def test_all_positions_are_learned_from_unless_something_is_asked() -> None:
    sequences = made_sequences(5, ITEMS)
    found = learned_from(made_network(ITEMS), None, recipe(), sequences)
    assert all(one is other for one, other in zip(found, sequences, strict=True))


@pytest.mark.parametrize("changes", [{}, {"labels": "progress", "graded": "similar"}])
def test_agreed_is_where_a_scan_of_every_prefix_agrees(changes: dict[str, Any]) -> None:
    network, judge = apart(**changes), made_network(ITEMS, loud=True)
    sequences = made_sequences(9, ITEMS, longest=14)
    keep = agreed(network, judge, sequences, HISTORY)
    assert judge.inner is not None
    rows, kept = judge.features.rows(judge.catalogue), 0
    for sequence, found in zip(sequences, keep, strict=True):
        window = sequence[-(HISTORY + 1) :]
        for step in range(len(window) - 1):
            memory = judge.encode(torch.from_numpy(window[None, : step + 1].astype(np.int64)), rows)
            length, right = torch.tensor([step + 1]), True
            assert torch.equal(last(memory, length), memory[:, step])
            for b in range(judge.catalogue.depth):
                scores = (judge.inner.newest(memory, length, b) @ judge.rows(b, rows, "inner").T)[0]
                true = scores[judge.catalogue.member(b)[int(window[step + 1])]]
                right &= float((scores > true).float().mean()) <= JUDGED_RIGHT
            assert bool(found[len(sequence) - len(window) + step]) == right
            kept += right
    assert 0 < kept == count(keep), "a true prefix always makes progress where the target is worth most"
    assert not any(
        found[: max(0, len(sequence) - HISTORY - 1)].any() for sequence, found in zip(sequences, keep, strict=True)
    )


def test_matched_is_as_many_at_random_and_agreement_needs_a_judge() -> None:
    network, judge, sequences = apart(), made_network(ITEMS, loud=True), made_sequences(30, ITEMS)
    one, other = (learned_from(network, judge, recipe(labelled=which), sequences) for which in ("agreed", "matched"))
    positions = [{(tuple(np.abs(s)), tuple(s[1:] > 0)) for s in found} for found in (one, other)]
    learned = [sum(sum(kept) for _, kept in found) for found in positions]
    assert learned[0] == learned[1] > 0
    assert positions[0] != positions[1]
    with pytest.raises(RecipeError, match="need a judge"):
        learned_from(network, None, recipe(labelled="agreed"), sequences)


def test_a_negated_target_is_read_and_not_learned_from() -> None:
    network = apart()
    stage = InnerStage(network)
    whole = torch.tensor([[3, 9, 12, 7]])
    signed = torch.from_numpy(marked(whole[0].numpy(), np.array([False, True, False])))[None]
    assert signed.tolist() == [[3, -9, 12, -7]]
    found = stage.loss(signed[:, :-1], signed[:, 1:])["inner"]
    lone = torch.tensor([[0, 12, 0]])
    memory = network.encode(whole[:, :-1], network.features.rows(network.catalogue))
    wanted = inner_loss(network, memory, network.features.rows(network.catalogue), whole[:, 1:], lone > 0)
    torch.testing.assert_close(found, wanted)


def test_only_a_stage_of_its_own_chooses_its_positions(tmp_path: Path) -> None:
    for changes in ({"label_limit": 5}, {"labelled": "agreed"}):
        with pytest.raises(RecipeError, match="a stage of its own"):
            check(replace(TRAINING, **changes), False)
    sequences = made_sequences(20, ITEMS)
    progress = fit_inner(
        apart(label_limit=7), recipe(label_limit=7, epochs=1), tmp_path, lambda _: None, sequences, None
    )
    assert progress.epoch == 1
    total = count(newest(sequences, HISTORY))
    assert (tmp_path / "learned.json").read_text() == f'{{"learned": 7, "positions": {total}}}'
