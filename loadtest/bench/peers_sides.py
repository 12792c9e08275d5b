"""The sides of the peer benchmark: which worker runs each, what its environment pins, how it differs from ours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from loadtest.bench.venvs import BenchError

Kind = Literal["ours", "constrained", "free", "ranking"]  # free: may return sequences that are no items
PROJECT = "project"


@dataclass(frozen=True)
class Peer:
    """One side: a worker module and its first arguments, and the environment it runs in (PROJECT = this one)."""

    name: str
    title: str
    worker: str
    arguments: tuple[str, ...] = ()
    environment: str = PROJECT
    kind: Kind = "constrained"
    differs: str = ""


TRANSFORMERS = (
    "torch==2.13.0",
    "transformers==5.23.0",
    "tokenizers==0.23.3",
    "huggingface-hub==2.4.0",
    "safetensors==0.8.0",
    "numpy==2.4.6",
)
ENVIRONMENTS = {
    "hf": TRANSFORMERS,
    "ctranslate2": ("ctranslate2==4.8.5", *TRANSFORMERS),
    "optimum_ort": (
        "torch==2.13.0",
        "transformers==4.57.6",
        "optimum==2.1.0",
        "optimum-onnx==0.1.0",
        "onnxruntime==1.31.1",
        "onnx==1.23.2",
        "tokenizers==0.22.2",
        "huggingface-hub==0.36.2",
        "safetensors==0.8.0",
        "numpy==2.4.6",
    ),
    "faiss": (
        "faiss-cpu==1.15.1",
        "onnxruntime==1.31.1",
        "torch==2.13.0",
        "onnx==1.23.2",
        "onnxscript==0.7.2",
        "numpy==2.4.6",
    ),
}
_T5 = "T5: one token per code of every history item, self-attention over the codes; no reward model"
_FREE = f"{_T5}; no constraint: it searches all sequences of tokens, and what it returns may be no items"
OURS = Peer(
    "ours",
    "Promise guided search, ONNX Runtime",
    "ours",
    ("guided",),
    kind="ours",
    differs="one token per history item; no self-attention over the SID's codes: a beam is one query row; "
    "the history's items are excluded; a process reward model prunes every level",
)
PEERS = (
    Peer(
        "ours_plain",
        "Promise beam search, no PRM",
        "ours",
        ("plain",),
        kind="ours",
        differs="as ours, a plain beam of K' without the reward model",
    ),
    Peer(
        "ours_int8",
        "Promise guided search, 8-bit integer products",
        "ours",
        ("guided", "int8"),
        kind="ours",
        differs="as ours, encoder and generator as `promise export --int8` writes them, inner PRM",
    ),
    Peer(
        "torch_eager",
        "our guided search in PyTorch eager",
        "torch_eager",
        differs="the same network, weights, exclusions and K'/K+ as ours, inner PRM",
    ),
    Peer("hf", "Hugging Face T5 generate, prefix function", "hf_t5", environment="hf", differs=_T5),
    Peer(
        "optimum_ort",
        "Optimum T5 on ONNX Runtime, generate, prefix function",
        "optimum_ort",
        environment="optimum_ort",
        differs=_T5,
    ),
    Peer(
        "ctranslate2_fp32",
        "CTranslate2 T5 fp32, no constraint",
        "ctranslate2_t5",
        ("float32",),
        environment="ctranslate2",
        kind="free",
        differs=_FREE,
    ),
    Peer(
        "ctranslate2_int8",
        "CTranslate2 T5 int8, no constraint",
        "ctranslate2_t5",
        ("int8",),
        environment="ctranslate2",
        kind="free",
        differs=f"{_FREE}; int8 weights",
    ),
    Peer(
        "exact_scan",
        "exact scan of our inner PRM",
        "ours",
        ("scan", "inner"),
        kind="ranking",
        differs="our encoder and inner PRM, every item scored; no generation",
    ),
    Peer(
        "sasrec_faiss",
        "SASRec on ONNX Runtime, faiss flat index",
        "sasrec_faiss",
        environment="faiss",
        kind="ranking",
        differs="an encoder of the same sizes, one vector per item; no generation, no codes",
    ),
)
NAMES = tuple(peer.name for peer in PEERS)


def chosen(names: str, prm: str) -> tuple[Peer, ...]:
    """Ours with this PRM form, then the peers named in a comma-separated list; empty: all of them.

    Raises:
        BenchError: a name that no peer has.
    """
    wanted = tuple(part.strip() for part in names.split(",")) if names else NAMES
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise BenchError(f"no peer is called '{unknown[0]}': {', '.join(NAMES)} are known")
    sides: Sequence[Peer] = (OURS, *(peer for peer in PEERS if peer.name in wanted))
    return tuple(_with_form(side, prm) for side in sides)


def _with_form(side: Peer, prm: str) -> Peer:
    """Our searches take the form of the PRM whose bundle they serve."""
    if side.kind != "ours" or len(side.arguments) > 1:
        return side
    title = f"{side.title}, {prm} PRM" if side is OURS else side.title
    return replace(side, title=title, arguments=(*side.arguments, prm))
