"""Where a request's time goes: onnxruntime's own profile of every graph, summed by operator."""

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from loadtest.bench.engine_run import RETURNED
from models import contract
from service.engine.bundle import Bundle
from service.engine.graphs import OnnxEngine
from service.engine.sessions import signatures
from service.search import guided
from service.search.legality import banned
from service.search.plan import Plan

I32 = NDArray[np.int32]
PRODUCTS = ("MatMul", "FusedMatMul", "Gemm", "MultiHeadAttention")


class ProfiledEngine(OnnxEngine):
    """The engine over sessions that write profiles; slower by what writing costs, so only shares count."""

    def profile(self, bundle: Bundle, folder: Path) -> None:
        for graph in signatures(bundle.manifest):
            options = ort.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.enable_profiling, options.profile_file_prefix = True, str(folder / graph.file)
            path = bundle.graph(graph)
            self._sessions[graph.file] = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._hold(bundle)

    def spent(self, calls: int) -> Counter[str]:
        """Microseconds a call, by operator."""
        total: Counter[str] = Counter()
        for name, session in self._sessions.items():
            if name == contract.SCAN.file:
                continue
            for event in json.loads(Path(session.end_profiling()).read_text()):
                if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                    total[event["args"]["op_name"]] += event["dur"] / calls
        return total


def operators(bundle: Bundle, histories: Sequence[I32], plan: Plan, calls: int = 40) -> dict[str, float]:
    """Microseconds a request spends in every kind of operator, the largest first; batch 1, cold encode."""
    with tempfile.TemporaryDirectory(prefix="promise-profile-") as name:
        engine = ProfiledEngine(bundle, "cpu", 1)
        engine.profile(bundle, Path(name))
        for at in range(calls):
            rows = histories[at % len(histories)]
            lengths = np.array([len(rows)], np.int32)
            memory = engine.encode(bundle.catalogue.sids[rows - 1][None], rows[None], lengths)
            guided.search(engine, engine.context(memory, lengths, [banned(engine.trie, rows)]), plan, RETURNED)
        return dict(engine.spent(calls).most_common())
