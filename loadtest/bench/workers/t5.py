"""The T5 that several peers run, in transformers: one token per code, random weights, and the prefix function."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.workload import I32, Sizes

PAD, FIRST_CODE = 0, 1


def tokens_of(sids: I32, codebook: int) -> NDArray[np.int64]:
    """[items, codes] → one token per code: every level has a vocabulary of its own, 0 is padding and start."""
    levels = np.arange(sids.shape[1]) * codebook
    return (sids + levels + FIRST_CODE).astype(np.int64)


def rows_of(tokens: NDArray[np.int64]) -> dict[tuple[int, ...], int]:
    """Item row (from 1) of every path of tokens."""
    return {tuple(path): row for row, path in enumerate(tokens.tolist(), start=1)}


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


def build_model(sizes: Sizes) -> Any:
    """A T5 of these sizes with random weights, in eval mode. Raises ImportError outside a peer's environment."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(sizes.seed)
    config = T5Config(
        vocab_size=FIRST_CODE + sizes.codebook * sizes.codes,
        d_model=sizes.d_model,
        d_ff=sizes.d_ff,
        d_kv=sizes.d_kv,
        num_heads=sizes.heads,
        num_layers=sizes.encoder_layers,
        num_decoder_layers=sizes.decoder_layers,
        dropout_rate=0.0,
        pad_token_id=PAD,
        decoder_start_token_id=PAD,
        eos_token_id=None,
    )
    return T5ForConditionalGeneration(config).eval()


def parameters(model: Any) -> dict[str, int]:
    """Counted once where tied: T5 shares its embedding with its head."""
    return {"model": sum(parameter.numel() for parameter in model.parameters())}


def one_thread() -> int:
    """Torch on one thread; the number it then says it has."""
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    return int(torch.get_num_threads())


def generator(model: Any, tokens: NDArray[np.int64], sizes: Sizes, histories: I32) -> Callable[[int], list[int]]:
    """One request, cold, through `model.generate`: history rows → tokens → encoder → constrained beam search → rows."""
    import torch

    row_of, allowed = rows_of(tokens), prefix_function(tokens)

    def search(request: int) -> list[int]:
        ids = torch.from_numpy(tokens[histories[request] - 1].reshape(1, -1))
        with torch.inference_mode():
            found = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                num_beams=sizes.beam,
                num_return_sequences=sizes.returned,
                max_new_tokens=sizes.codes,
                prefix_allowed_tokens_fn=allowed,
                do_sample=False,
                use_cache=True,
            )
        return [row_of.get(tuple(path), 0) for path in found[:, 1:].tolist()]

    return search
