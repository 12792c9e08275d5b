"""ONNX against PyTorch, at export: the written graphs, the same inputs, every history length."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import contract, reference
from models.contract import Form, GraphSignature
from models.network import Promise

TOLERANCE = 1e-4
# memory leaves the encoder in fp16: both sides may round to neighbours, half a unit in the last place each.
FP16_ROUNDING = 2.0**-11
TIER, WIDEST = 8, 5  # of the made trie: nodes of a depth above the last, and most children of one

Arrays = dict[str, NDArray[Any]]


class ParityError(RuntimeError):
    """An exported graph does not compute what PyTorch computes; the sentence names graph, output and difference."""


@torch.no_grad()
def check_parity(folder: Path, network: Promise, form: Form, seed: int = 0) -> float:
    """Largest |ONNX - PyTorch| over the checked inputs, relative to max(1, |value|).

    Raises:
        ParityError: beyond 1e-4 (plus the rounding of fp16 outputs), or integer outputs that differ.
    """
    checked = _Parity(folder, network, form, torch.Generator().manual_seed(seed))
    history = network.recipe.history
    worst = [checked.encoder(length) for length in range(1, history + 1)]
    if (folder / contract.EXTEND.file).exists():
        worst += [checked.extension(length, new) for length in (5, history) for new in (1, 2, 5)]
    for length in sorted({1, 2, history}):
        worst.extend(checked.search(length))
    return max(worst)


class _Parity:
    """The graphs of one bundle beside its network."""

    def __init__(self, folder: Path, network: Promise, form: Form, generator: torch.Generator) -> None:
        self.folder, self.network, self.form, self.random = folder, network, form, generator
        layers = len(network.decoder.blocks)
        self.layers, self.context = layers, contract.context(layers, network.catalogue.depth, form)
        self.prm, self.sessions = contract.prm(form), dict[str, Any]()

    def run(self, signature: GraphSignature, feeds: Arrays) -> Arrays:
        if signature.file not in self.sessions:
            options = ort.SessionOptions()
            options.log_severity_level, options.intra_op_num_threads = 3, 1
            path = self.folder / signature.file
            self.sessions[signature.file] = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        found = self.sessions[signature.file].run(signature.outputs, feeds)
        return dict(zip(signature.outputs, found, strict=True))

    def encoder(self, length: int) -> float:
        items = torch.randint(0, self.network.catalogue.items + 1, (2, length), generator=self.random)
        codes, rows = self.network.catalogue.sids[items], self.network.features.rows(self.network.catalogue).half()
        feeds = {"codes": codes.int().numpy(), "items": items.int().numpy(), "item_rows": rows.numpy()}
        wanted = reference.encode(self.network, codes, items, rows)
        return difference("encoder.onnx", "memory", self.run(contract.ENCODER, feeds)["memory"], wanted)

    def extension(self, length: int, new: int) -> float:
        """All but the newest items from nothing, then those, against the whole encoding."""
        items = torch.randint(0, self.network.catalogue.items + 1, (2, length), generator=self.random)
        codes, rows = self.network.catalogue.sids[items], self.network.features.rows(self.network.catalogue).half()
        layers = self.network.recipe.encoder_layers
        states = np.zeros((2, layers + 1, 0, self.network.recipe.width), np.float16)
        for part in filter(len, np.split(np.arange(length), [length - new])):
            feeds = {"codes": codes[:, part].int().numpy(), "items": items[:, part].int().numpy()}
            before = {name: states[:, at].copy() for at, name in enumerate(contract.reads(layers))}
            made = self.run(contract.extend(layers), feeds | before | {"item_rows": rows.numpy()})["states"]
            states = np.concatenate([states, made.reshape(2, layers + 1, len(part), -1)], axis=2)
        wanted = reference.encode(self.network, codes, items, rows)
        # Rows that were kept in fp16 are rounded too: as much again.
        return difference("extend.onnx", "states", states[:, -1], wanted, TOLERANCE + 2 * FP16_ROUNDING)

    def search(self, length: int) -> Iterator[float]:
        """Context, then every level of generator and PRM over it, then the scan."""
        width, codebook = self.network.recipe.width, self.network.catalogue.codebook
        memory = torch.randn(2, length, width, generator=self.random).half()
        lengths = torch.tensor([length, (length + 1) // 2])
        rows, code = self._rows(codebook), torch.randperm(codebook, generator=self.random)
        feeds = {"memory": memory.numpy(), "last": lengths[:, None].numpy() - 1}
        feeds["mask"] = np.where(np.arange(length) < lengths[:, None].numpy(), 0, -1e9).astype(np.float32)[
            :, None, None
        ]
        state = self.run(self.context, feeds | {"first_rows": rows.numpy(), "first_code": code.int().numpy()})
        state["mask"] = feeds["mask"]
        wanted = reference.first_level(self.network, self.form, memory, lengths, rows, code)
        for name, value in zip(("log_prob", "reward"), wanted, strict=True):
            yield difference(self.context.file, name, state[name], value)
        for level in range(1, self.network.catalogue.depth):
            yield self._expand(level, memory, lengths, state)
            yield from self._prune(level, memory, lengths, state)
        if self.form == "inner":
            yield from self._scan(memory, lengths, feeds)

    def _rows(self, count: int) -> Tensor:
        return torch.randn(count, self.network.recipe.width, generator=self.random)

    def _expand(self, level: int, memory: Tensor, lengths: Tensor, state: Arrays) -> float:
        generator, trie = contract.generator(self.layers, level), _made_trie(self.network, level, self.random)
        node = trie["tier"][torch.randint(0, TIER, (2, 6), generator=self.random)]
        log_prob = -torch.rand(2, 6, generator=self.random) * 9
        node[:, 0], log_prob[:, -1] = trie["tier"][0], -torch.inf
        prefix = _prefixes(trie, node.numpy(), level, self.network.catalogue.depth)
        banned = torch.rand(2, trie["nodes"], generator=self.random) > 0.8
        feeds = {
            **{name: trie[name] for name in generator.inputs if name in trie},
            **{name: state[name] for name in generator.inputs if name in state and name != "log_prob"},
            "node": node.int().numpy(),
            "log_prob": log_prob.numpy(),
            "banned": banned.numpy().ravel(),
            "slot": (np.arange(2, dtype=np.int32) * trie["nodes"]).reshape(2, 1, 1),
            "children": np.arange(WIDEST, dtype=np.int32),
            "k_plus": np.array([4], np.int64),
        }
        found = self.run(generator, feeds)
        lists = reference.expand(
            self.network,
            memory,
            lengths,
            node,
            torch.from_numpy(prefix),
            log_prob,
            trie["children"],
            banned,
            torch.tensor(level),
            4,
        )
        wanted = torch.full((2, 4), -torch.inf)
        for row, children in enumerate(lists):
            wanted[row, : len(children)] = torch.tensor([x for _, x in children])
            if found["child_node"][row, : len(children)].tolist() != [child for child, _ in children]:
                raise ParityError(f"{generator.file}: 'child_node' differs from PyTorch at level {level}")
        return difference(generator.file, "child_log_prob", found["child_log_prob"], wanted)

    def _prune(self, level: int, memory: Tensor, lengths: Tensor, state: Arrays) -> Iterator[float]:
        table, row = self._rows(50).half(), torch.randperm(50, generator=self.random)[:40]
        node = torch.randint(0, 40, (2, 6), generator=self.random)
        log_prob = -torch.rand(2, 6, generator=self.random) * 9
        log_prob[:, -1] = -torch.inf
        feeds = {
            **{name: state[name] for name in self.prm.inputs if name in state and name != "log_prob"},
            "node": node.int().numpy(),
            "log_prob": log_prob.numpy(),
            "rows": table.numpy(),
            "row": row.int().numpy(),
            **(
                {"level": np.array(level, np.int64)}
                if self.form == "cross"
                else {"prm_context": state[f"prm_context_{level}"]}
            ),
            "k_keep": np.array([3], np.int64),
            "weight": np.array(0.5, np.float32),
        }
        found = self.run(self.prm, feeds)
        candidates = table[row[node]].float()
        order, reward = reference.prune(
            self.network, self.form, memory, lengths, log_prob, candidates, torch.tensor(level), 3, 0.5
        )
        kept = order.long()
        wanted = {"order": order, "kept_node": node.gather(1, kept).int(), "kept_log_prob": log_prob.gather(1, kept)}
        wanted |= {"kept_reward": reward.gather(1, kept), "reward": reward}
        for name, value in wanted.items():
            yield difference(self.prm.file, name, found[name], value)

    def _scan(self, memory: Tensor, lengths: Tensor, feeds: Arrays) -> Iterator[float]:
        rows, banned = self._rows(30), torch.rand(2, 40, generator=self.random) > 0.8
        more = {
            "leaf_rows": rows.numpy(),
            "banned": banned.numpy().ravel(),
            "slot": np.array([[0], [40]], np.int32),
            "leaves": np.arange(10, 40, dtype=np.int32),
            "k": np.array([5], np.int64),
        }
        found = self.run(contract.SCAN, feeds | more)
        wanted = reference.scan(self.network, memory, lengths, rows, banned[:, 10:], 5)
        for name, value in zip(contract.SCAN.outputs, wanted, strict=True):
            yield difference(contract.SCAN.file, name, found[name], value)


def _made_trie(network: Promise, level: int, generator: torch.Generator) -> dict[str, Any]:
    """The root, `level` tiers of TIER nodes, and under each node of the last tier 0 to WIDEST children."""
    some, inner = min(network.catalogue.codebook, 64), 1 + level * TIER
    counts = torch.zeros(inner, dtype=torch.long)
    counts[-TIER:] = torch.randint(0, WIDEST + 1, (TIER,), generator=generator)
    counts[-TIER] = WIDEST
    bounds = (torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)]) + inner).numpy().astype(np.int32)
    above = [torch.randint(0, TIER, (TIER,), generator=generator) + 1 + (tier - 1) * TIER for tier in range(1, level)]
    parent = torch.cat([torch.zeros(1 + TIER, dtype=torch.long), *above, torch.repeat_interleave(counts)])
    codes = [torch.randperm(some, generator=generator)[:n] for n in counts.tolist()]
    code = [torch.zeros(1), torch.randint(0, some, (inner - 1,), generator=generator), *codes]
    code_of = torch.cat(code).numpy().astype(np.int32)
    return {
        "nodes": int(bounds[-1]),
        "tier": torch.arange(inner - TIER, inner),
        "first_child": bounds[:-1, None],
        "end_child": bounds[1:, None],
        "parent": parent.numpy().astype(np.int32),
        "code": code_of,
        "children": [[(n, int(code_of[n])) for n in range(first, end)] for first, end in pairwise(bounds)],
    }


def _prefixes(trie: dict[str, Any], node: NDArray[np.int64], level: int, depth: int) -> NDArray[np.int64]:
    """[2,K,d]: the codes on the way to these nodes, as if they were at this depth."""
    prefix = np.full((*node.shape, depth), -1)
    for at in range(level - 1, -1, -1):
        prefix[..., at], node = trie["code"][node], trie["parent"][node]
    return prefix


def difference(file: str, name: str, onnx: NDArray[Any], torch_value: Tensor, tolerance: float = TOLERANCE) -> float:
    wanted = torch_value.numpy()
    if onnx.dtype != wanted.dtype or onnx.shape != wanted.shape:
        raise ParityError(f"{file}: '{name}' is {onnx.dtype}{onnx.shape}, PyTorch gives {wanted.dtype}{wanted.shape}")
    if np.issubdtype(onnx.dtype, np.integer):
        if not np.array_equal(onnx, wanted):
            raise ParityError(f"{file}: '{name}' differs from PyTorch in {int((onnx != wanted).sum())} places")
        return 0.0
    finite = np.isfinite(wanted)
    a, b = onnx[finite].astype(np.float64), wanted[finite].astype(np.float64)
    gap = np.abs(a - b) / np.maximum(1.0, np.abs(b))
    allowed = tolerance + (2 * FP16_ROUNDING if onnx.dtype == np.float16 else 0.0)
    worst = float(gap.max(initial=0.0))
    if not np.array_equal(finite, np.isfinite(onnx)) or worst > allowed:
        raise ParityError(f"{file}: '{name}' differs from PyTorch by {worst:.2e}, more than {allowed:.2e}")
    return worst
