"""Peer worker: the same T5 exported by Optimum, run by ONNX Runtime under `generate` with the same prefix function.

Usage: python -m loadtest.bench.workers.optimum_ort FOLDER CORE, in an environment with torch, optimum-onnx and
onnxruntime. Measured here, none faster than this: decoder files merged, I/O binding, and normalisations fused by ONNX
Runtime's transformer optimiser. Optimum's own optimiser refuses a width that is no multiple of the heads.
"""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from loadtest.bench.workers import t5
from loadtest.bench.workers.protocol import Side, items_only, run
from loadtest.bench.workload import World

PACKAGES = ("optimum", "optimum-onnx", "onnxruntime", "transformers", "torch", "numpy")


def export(model: Any, folder: Path) -> None:
    """Encoder, first decoder step, and decoder step with keys and values of the past, as three graphs in `folder`."""
    from optimum.exporters.onnx import main_export

    source = folder / "source"
    model.generation_config.pad_token_id = t5.PAD
    model.save_pretrained(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of branches that a fixed task settles
        task = "text2text-generation-with-past"
        main_export(str(source), folder, task=task, library_name="transformers", local_files_only=True)


def load(folder: Path) -> Any:
    """The exported model, each graph on one thread."""
    import onnxruntime
    from optimum.onnxruntime import ORTModelForSeq2SeqLM

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ORTModelForSeq2SeqLM.from_pretrained(
        folder,
        provider="CPUExecutionProvider",
        session_options=options,
        use_cache=True,
        use_merged=False,
        local_files_only=True,
    )


def open_side(world: World, folder: Path) -> Side:
    """Raises ImportError outside the peer's environment."""
    logging.disable(logging.WARNING)
    threads, sizes = t5.one_thread(), world.sizes
    model = t5.build_model(sizes)
    export(model, folder / "optimum")
    search = t5.generator(load(folder / "optimum"), t5.tokens_of(world.sids, sizes.codebook), sizes, world.histories)
    return Side(search, items_only(sizes.returned), PACKAGES, threads, t5.parameters(model))


if __name__ == "__main__":
    run(open_side, Path(sys.argv[1]), int(sys.argv[2]))
