"""Peer worker: Hugging Face T5 `generate`, token per code, constrained to the catalogue by a prefix function.

A stand-alone script for the peer's own environment (torch, transformers, numpy): it imports nothing of this project.
Usage: hf_t5.py FOLDER CORE. FOLDER holds world.json and world.npz; the process is pinned to CORE. It prints a ready
line, then answers every line {"round": n, "requests": [indices]} with {"round": n, "ns": [nanoseconds], "error": ""};
the error says what is wrong when a returned list is not made of distinct items of the catalogue.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
PAD, FIRST_CODE = 0, 1


def tokens_of(sids: I32, codebook: int) -> NDArray[np.int64]:
    """[items, codes] → one token per code: every level has a vocabulary of its own, 0 is padding and start."""
    levels = np.arange(sids.shape[1]) * codebook
    return (sids + levels + FIRST_CODE).astype(np.int64)


def prefix_function(tokens: NDArray[np.int64]) -> Callable[[int, Any], Any]:
    """`prefix_allowed_tokens_fn` over the paths [items, codes]: one dict lookup, tensors built beforehand.

    The sentence starts with the decoder's start token. A sentence that is no prefix of an item (a filler beam) may
    go on with padding only.
    """
    import torch

    children: dict[tuple[int, ...], set[int]] = {}
    for path in tokens.tolist():
        for depth, token in enumerate(path):
            children.setdefault((PAD, *path[:depth]), set()).add(token)
    allowed = {prefix: torch.tensor(sorted(below)) for prefix, below in children.items()}
    nothing = torch.tensor([PAD])
    return lambda _, sentence: allowed.get(tuple(sentence.tolist()), nothing)


def build_model(sizes: dict[str, int]) -> Any:
    """A T5 of these sizes with random weights, in eval mode. Raises ImportError outside the peer's environment."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(sizes["seed"])
    config = T5Config(
        vocab_size=FIRST_CODE + sizes["codebook"] * sizes["codes"],
        d_model=sizes["d_model"],
        d_ff=sizes["d_ff"],
        d_kv=sizes["d_kv"],
        num_heads=sizes["heads"],
        num_layers=sizes["encoder_layers"],
        num_decoder_layers=sizes["decoder_layers"],
        dropout_rate=0.0,
        pad_token_id=PAD,
        decoder_start_token_id=PAD,
        eos_token_id=None,
    )
    model = T5ForConditionalGeneration(config).eval()
    model.set_attn_implementation("eager")  # measured here: a little faster than SDPA with one query per beam
    return model


def searcher(sizes: dict[str, int], sids: I32, histories: I32) -> Callable[[int], list[int]]:
    """One request, cold: history rows → tokens → encoder → constrained beam search → item rows, best first."""
    import torch

    tokens = tokens_of(sids, sizes["codebook"])
    row_of = {tuple(path): row for row, path in enumerate(tokens.tolist(), start=1)}
    model, allowed = build_model(sizes), prefix_function(tokens)

    def search(request: int) -> list[int]:
        ids = torch.from_numpy(tokens[histories[request] - 1].reshape(1, -1))
        with torch.inference_mode():
            found = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                num_beams=sizes["beam"],
                num_return_sequences=sizes["returned"],
                max_new_tokens=sizes["codes"],
                prefix_allowed_tokens_fn=allowed,
                do_sample=False,
                use_cache=True,
            )
        return [row_of.get(tuple(path), 0) for path in found[:, 1:].tolist()]

    return search


def check(found: Sequence[int], sizes: dict[str, int]) -> str:
    """Empty when the list holds `returned` distinct items of the catalogue, else what is wrong with it."""
    if 0 in found:
        return "a returned sequence is no item of the catalogue"
    if len(set(found)) != sizes["returned"]:
        return f"{len(set(found))} distinct items instead of {sizes['returned']}"
    return ""


def serve(search: Callable[[int], list[int]], sizes: dict[str, int], lines: Iterator[str], out: TextIO) -> None:
    """Answer the driver's lines until its end closes; the validity check is outside the timed part."""
    for line in lines:
        message, nanoseconds, wrong = json.loads(line), [], ""
        for request in message["requests"]:
            start = time.perf_counter_ns()
            found = search(request)
            nanoseconds.append(time.perf_counter_ns() - start)
            wrong = wrong or check(found, sizes)
        answer = {"round": message["round"], "ns": nanoseconds, "error": wrong}
        print(json.dumps(answer), file=out, flush=True)


def main(folder: Path, core: int) -> None:
    """Pin, build, say what is pinned, serve."""
    os.sched_setaffinity(0, {core})
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    sizes: dict[str, int] = json.loads((folder / "world.json").read_text())
    with np.load(folder / "world.npz") as arrays:
        search = searcher(sizes, arrays["sids"], arrays["histories"])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not write into the protocol
    ready = {
        "ready": True,
        "versions": {name: version(name) for name in ("transformers", "torch", "numpy")},
        "threads": torch.get_num_threads(),
        "affinity": sorted(os.sched_getaffinity(0)),
    }
    print(json.dumps(ready), file=out, flush=True)
    serve(search, sizes, sys.stdin, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
