"""A finished bundle once more, with its encoder's and generator's products in 8-bit integers (CPU only)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from models import contract, export
from models.calibration import calibrate, maps_of
from models.dataset import Dataset
from models.graphs.context import context_graph
from models.graphs.encoder import encoder_graph
from models.graphs.ranges import Ranges
from models.listing import listing
from models.manifest import Manifest
from models.network import Promise
from models.recipe import NetworkRecipe

I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
SEQUENCES = 500  # of the training data, for calibration
SHARES = (1.0, 0.9999)  # of the activations seen that may be inside the ranges
WIDEST_DRIFT = 0.03  # of encodings; 0.6 % costs a trained model nothing that 22,363 test users can show


class IntegerError(ValueError):
    """A bundle that cannot be had in integers; one sentence."""


@dataclass(frozen=True)
class Drift:
    """Root mean square of what integers change: encodings (relative to them), log-probabilities of the first codes."""

    memory: float
    log_prob: float


def export_int8(run: Path, setting: str, data: Dataset, out: Path) -> Manifest:
    """The inner-product bundle of a finished run, in integers, to `out`; its version ends in +int8.

    Raises:
        IntegerError: the run is of another shape than its bundle, or integers change too much.
    """
    whole = Manifest.model_validate_json((run / f"bundle-{setting}-inner" / contract.MANIFEST).read_bytes())
    if whole.provenance.dataset_digest != data.digest:
        raise IntegerError(f"{whole.tag} was trained on other data than '{data.name}' as it stands here")
    network, split = _network(run, setting, whole, data), data.split("A" if setting == "A" else "B")
    usable = [sequence for sequence in split.train if len(sequence) > 1]
    chosen = np.random.default_rng(0).permutation(len(usable))[:SEQUENCES]
    ranges, found = choose(network, [usable[user] for user in chosen])
    if found.memory > WIDEST_DRIFT:
        raise IntegerError(f"integers change the encodings of {whole.tag} by {found.memory:.1%}: left as it is")
    written = export.write_bundle(
        out,
        network,
        "inner",
        listing(data, split),
        whole.provenance,
        name=whole.name,
        version=f"{whole.version}+int8",
        setting=setting,
        scoring=whole.scoring,
        metrics={f"int8 drift {name}": round(value, 5) for name, value in asdict(found).items()},
        ranges=ranges,
    )
    return export.amend(out, auto=whole.auto.model_dump()) if whole.auto else written


def choose(network: Promise, sequences: Sequence[I32]) -> tuple[Ranges, Drift]:
    """Of the ranges that hold these shares of the activations, those that change encodings least."""
    tried = []
    for share in SHARES:
        ranges = calibrate(network, maps_of(network), sequences, share)
        tried.append((ranges, drift(network, ranges, sequences)))
    return min(tried, key=lambda pair: pair[1].memory)


@torch.no_grad()
def drift(network: Promise, ranges: Ranges, sequences: Sequence[I32]) -> Drift:
    """The graphs with and without ranges, on each of these sequences of item rows."""
    exact, rounded = _Graphs(network, {}), _Graphs(network, ranges)
    pairs = [(exact.run(sequence), rounded.run(sequence)) for sequence in sequences]
    memory = _rms([one.memory for one, _ in pairs])
    change = _rms([other.memory - one.memory for one, other in pairs])
    return Drift(change / memory, _rms([other.log_prob - one.log_prob for one, other in pairs]))


def _rms(parts: Sequence[F32]) -> float:
    values = np.concatenate([part.ravel() for part in parts])
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()))


@dataclass(frozen=True)
class _Found:
    memory: F32  # [T,D]
    log_prob: F32  # [W1]


class _Graphs:
    """Encoder and context of one network, and their constant inputs."""

    def __init__(self, network: Promise, ranges: Ranges) -> None:
        self.history, self.sids = network.recipe.history, network.catalogue.sids.int().numpy()
        self.rows = network.features.rows(network.catalogue).half().numpy()
        self.code = np.unique(self.sids[1:, 0])
        self.first = np.zeros((len(self.code), network.recipe.width), np.float32)  # rewards are not looked at
        self.encoder = _session(encoder_graph(network, ranges))
        self.context = _session(context_graph(network, "inner", ranges))

    def run(self, sequence: I32) -> _Found:
        items = sequence[None, -self.history :]
        feeds = {"codes": self.sids[items], "items": items, "item_rows": self.rows}
        (memory,) = self.encoder.run(["memory"], feeds)
        length = items.shape[1]
        feeds = {"memory": memory, "mask": np.zeros((1, 1, 1, length), np.float32), "last": np.array([[length - 1]])}
        (log_prob,) = self.context.run(["log_prob"], feeds | {"first_rows": self.first, "first_code": self.code})
        return _Found(memory[0].astype(np.float32), log_prob[0])


def _session(model: onnx.ModelProto) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _network(run: Path, setting: str, whole: Manifest, data: Dataset) -> Promise:
    """The weights that the bundle was written from."""
    stage = run / f"promise-{setting}"
    sizes = NetworkRecipe(**(whole.provenance.recipe["network"] | {"prm": ("inner",)}))
    file = stage / ("best.pt" if setting == "A" else "last.pt")
    try:
        with np.load(stage / "sids.npz") as stored:
            network = Promise(stored["codes"], whole.codebook, data.items.text, sizes)
        state = torch.load(file, weights_only=True)
        network.load_state_dict(state.get("model", state))
    except (OSError, RuntimeError) as error:
        raise IntegerError(f"{stage}: not the finished training that {whole.tag} came from") from error
    return network.eval()
