"""Peer worker: the same T5 in CTranslate2, beam search over all tokens: it knows no constraint and no reward model.

Usage: python -m loadtest.bench.workers.ctranslate2_t5 COMPUTE_TYPE FOLDER CORE, in an environment with ctranslate2,
torch and transformers. COMPUTE_TYPE: float32 or int8. A list is checked for distinct sequences only; how many of them
are items of the catalogue is said in the note.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.bench.workers import t5
from loadtest.bench.workers.protocol import Search, Side, run
from loadtest.bench.workload import I32, Sizes, World

_TOLERANCE = {"float32": 1e-3, "int8": 0.1}  # of a list's best log-probability, against transformers


def convert(model: Any, folder: Path) -> None:
    """Write the model for CTranslate2: token n is called "n", and padding takes the place of every special token."""
    from ctranslate2.converters.transformers import T5Loader

    loader = T5Loader()
    spec, special = loader.get_model_spec(model), str(t5.PAD)
    loader.set_vocabulary(spec, [str(token) for token in range(model.config.vocab_size)])
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = special
    spec.config.decoder_start_token = special
    spec.config.add_source_bos = spec.config.add_source_eos = False
    spec.validate()
    spec.optimize(quantization=None)
    folder.mkdir()
    spec.save(str(folder))


def translate(translator: Any, sizes: Sizes, source: Sequence[str], scores: bool = False) -> Any:
    """The best sequences of exactly as many tokens as an item has codes."""
    (found,) = translator.translate_batch(
        [source],
        beam_size=sizes.beam,
        num_hypotheses=sizes.returned,
        min_decoding_length=sizes.codes,
        max_decoding_length=sizes.codes,
        length_penalty=0.0,
        return_scores=scores,
    )
    return found


def searcher(translator: Any, tokens: NDArray[np.int64], sizes: Sizes, histories: I32) -> Search:
    """One request, cold: history rows → token names → encoder → beam search → sequences, each as one number."""
    names = [[str(token) for token in path] for path in tokens.tolist()]
    base = t5.FIRST_CODE + sizes.codebook * sizes.codes

    def search(request: int) -> list[int]:
        source = [name for row in histories[request].tolist() for name in names[row - 1]]
        return [number(map(int, path), base) for path in translate(translator, sizes, source).hypotheses]

    return search


def number(path: Any, base: int) -> int:
    """Tokens as the digits of one number."""
    value = 0
    for token in path:
        value = value * base + token
    return value


def sequences(sizes: Sizes) -> Callable[[int, Sequence[int]], str]:
    """The check of an unconstrained side: `returned` distinct sequences without padding in their last place."""

    def check(_: int, found: Sequence[int]) -> str:
        distinct = len(set(found))
        return "" if distinct == len(found) == sizes.returned else f"{distinct} distinct sequences"

    return check


def off_by(model: Any, translator: Any, tokens: NDArray[np.int64], world: World) -> float:
    """How far the log-probability of the best sequence of request 0 is from the transformers model's own."""
    import torch

    source = tokens[world.histories[0] - 1].reshape(1, -1)
    found = translate(translator, world.sizes, [str(token) for token in source[0].tolist()], scores=True)
    path = torch.tensor([[t5.PAD, *map(int, found.hypotheses[0])]])
    with torch.inference_mode():
        logits = model(input_ids=torch.from_numpy(source), decoder_input_ids=path[:, :-1]).logits[0]
        logits[:, t5.PAD] = -torch.inf  # it ends a sequence, and none may end early
    said = logits.log_softmax(-1).gather(1, path[0, 1:, None]).sum()
    return abs(float(said) - float(found.scores[0]))


def open_side(kind: str, world: World, folder: Path) -> Side:
    """Raises ImportError outside the peer's environment, ValueError when the conversion changed the model."""
    import ctranslate2

    t5.one_thread()
    sizes, model, tokens = world.sizes, t5.build_model(world.sizes), t5.tokens_of(world.sids, world.sizes.codebook)
    path = folder / f"ctranslate2-{kind}"
    convert(model, path)
    translator = ctranslate2.Translator(str(path), device="cpu", compute_type=kind, inter_threads=1, intra_threads=1)
    off = off_by(model, translator, tokens, world)
    if off > _TOLERANCE[kind]:
        raise ValueError(f"the converted model is off by {off:.3f} in a log-probability")
    search = searcher(translator, tokens, sizes, world.histories)
    note = f"{translator.compute_type}, {_items(search, tokens, sizes)}, log-probability off by {off:.1e}"
    threads = translator.num_translators  # each with intra_threads=1, and all of them pinned to one core
    packages = ("ctranslate2", "transformers", "torch", "numpy")
    return Side(search, sequences(sizes), packages, threads, t5.parameters(model), note)


def _items(search: Search, tokens: NDArray[np.int64], sizes: Sizes) -> str:
    base = t5.FIRST_CODE + sizes.codebook * sizes.codes
    known = {number(path, base) for path in tokens.tolist()}
    found = [sequence in known for request in range(5) for sequence in search(request)]
    return f"{sum(found)} of {len(found)} sequences are items"


def main(kind: str, folder: str, core: str) -> None:
    run(lambda world, path: open_side(kind, world, path), Path(folder), int(core))


if __name__ == "__main__":
    main(*sys.argv[1:])
