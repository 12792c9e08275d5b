"""What every graph of models.contract must compute, said in PyTorch by the networks themselves.

Arguments are named as the graphs' inputs; state that a graph takes from `context.onnx` is worked out from memory again.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.contract import Form
from models.layers import length_mask
from models.network import Promise
from models.prm import CrossPRM, InnerPRM

IMPOSSIBLE = float("-inf")


def encode(network: Promise, codes: Tensor, items: Tensor, item_rows: Tensor) -> Tensor:
    """models.contract.ENCODER."""
    tokens = item_rows.float()[items.long()] + network.features.code_sum(codes.long())
    memory: Tensor = network.encoder(tokens).half()
    return memory


def prm_of(network: Promise, form: Form) -> InnerPRM | CrossPRM:
    """The PRM of this form. Raises ValueError where the network lacks it."""
    prm = network.cross if form == "cross" else network.inner
    if prm is None:
        raise ValueError(f"this network was trained without the '{form}' PRM")
    return prm


def first_level(
    network: Promise, form: Form, memory: Tensor, lengths: Tensor, first_rows: Tensor, first_code: Tensor
) -> tuple[Tensor, Tensor]:
    """log_prob and reward [B,W1] of models.contract.CONTEXT."""
    batch, level = len(memory), torch.tensor(0)
    prefix = torch.full((batch, 1, network.catalogue.depth), -1)
    logits = logits_of(network, memory.float(), lengths, prefix, level)[:, 0, first_code.long()]
    rows = first_rows.expand(batch, -1, -1)
    return logits.log_softmax(-1), prm_of(network, form).score(memory.float(), lengths, rows, level)


def logits_of(network: Promise, memory: Tensor, lengths: Tensor, prefix: Tensor, level: Tensor) -> Tensor:
    """[B,K,M] over the codebook of this level after prefixes [B,K,d] (-1 beyond)."""
    mask = length_mask(lengths, torch.arange(memory.shape[1]))
    decoder = network.decoder
    hidden = decoder.hidden(decoder.query(prefix, level), memory, mask)
    return hidden @ decoder.level_head(level).T


def expand(
    network: Promise,
    memory: Tensor,
    lengths: Tensor,
    node: Tensor,
    prefix: Tensor,
    log_prob: Tensor,
    children: Sequence[Sequence[tuple[int, int]]],
    banned: Tensor,
    level: Tensor,
    k_plus: int,
) -> list[list[tuple[int, float]]]:
    """models.contract.GENERATOR, request by request: (child, log-probability) of the best legal children.

    `children` [inner nodes]: (node, code) of all children of a node. Fewer legal ones than k_plus give a shorter list.
    """
    logits = logits_of(network, memory.float(), lengths, prefix, level)
    lists = []
    for row in range(len(node)):
        found = []
        for beam, parent in enumerate(node[row].tolist()):
            family = children[parent]
            share = logits[row, beam, [code for _, code in family]].log_softmax(-1)
            total = [(child, float(log_prob[row, beam] + x)) for (child, _), x in zip(family, share, strict=True)]
            found += [(child, x) for child, x in total if not banned[row, child] and x > IMPOSSIBLE]
        lists.append(sorted(found, key=lambda pair: -pair[1])[:k_plus])
    return lists


def prune(
    network: Promise,
    form: Form,
    memory: Tensor,
    lengths: Tensor,
    log_prob: Tensor,
    candidates: Tensor,
    level: Tensor,
    k_keep: int,
    weight: float,
) -> tuple[Tensor, Tensor]:
    """models.contract.PRM: order [B,K'] and reward [B,C] of candidate rows [B,C,D]."""
    reward = prm_of(network, form).score(memory.float(), lengths, candidates, level)
    real = log_prob > -1e30
    score = torch.where(real, reward + weight * torch.where(real, log_prob, 0.0), IMPOSSIBLE)
    return score.topk(k_keep).indices, reward


def scan(
    network: Promise, memory: Tensor, lengths: Tensor, leaf_rows: Tensor, illegal: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """models.contract.SCAN: leaf and leaf_reward [B,k]; illegal bool [B,I]."""
    prm = prm_of(network, "inner")
    assert isinstance(prm, InnerPRM)
    context = prm.newest(memory.float(), lengths, network.catalogue.depth - 1)
    best, leaf = (context @ leaf_rows.T).masked_fill(illegal, IMPOSSIBLE).topk(k)
    return leaf.int(), best
