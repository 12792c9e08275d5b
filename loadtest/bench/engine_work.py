"""The least a search must compute: floating-point operations of its products, nothing repeated, nothing skipped.

Counted are matrix products alone, a multiplication and an addition each (2 FLOP). What depends on the request alone
counts once; a beam's query counts once per level and row, and a level has at most as many rows as the trie has
prefixes. Attention counts in the cheaper of its two forms, with projections folded into keys and values or not. Norms,
activations, softmax, gathers and top-k count nothing: they are part of what a real engine pays above the minimum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.manifest import Dims
from service.search.plan import Plan


@dataclass(frozen=True)
class Work:
    """FLOP of one request, by part; `prm` is what the process reward model adds in its inner form."""

    encode: float
    context: float
    expand: float
    prm: float

    def total(self, use_prm: bool) -> float:
        return self.encode + self.context + self.expand + (self.prm if use_prm else 0.0)


def minimum(dims: Dims, codebook: int, history: int, prefixes: Sequence[int], plan: Plan) -> Work:
    """Work of one request over `history` items; `prefixes`: how many the trie has at each depth, 1 … d."""
    beams = [1, *(min(level.k_keep, count) for level, count in zip(plan.levels, prefixes, strict=True))][:-1]
    folded, split = _attention(dims, history, True), _attention(dims, history, False)
    shared, row = min((once + each * sum(beams), (once, each)) for once, each in (folded, split))[1]
    decoder = dims.decoder_layers * (row + _feed_forward(dims))
    candidates = sum(min(level.k_plus, count) for level, count in zip(plan.levels, prefixes, strict=True))
    return Work(
        encode=2.0 * history * dims.encoder_layers * (_encoder_row(dims, history) + _feed_forward(dims)),
        context=2.0 * dims.decoder_layers * shared,
        expand=2.0 * sum(beams) * (decoder + dims.width * codebook),
        prm=2.0 * (len(prefixes) * (_own_context(dims, history) + dims.width**2) + candidates * dims.width),
    )


def _inner(dims: Dims) -> int:
    return dims.heads * dims.head_width


def _feed_forward(dims: Dims) -> int:
    return 2 * dims.width * dims.feed_forward


def _encoder_row(dims: Dims, history: int) -> float:
    """Projections of one item, and its look at the items before it: half of all pairs on average."""
    return 4 * dims.width * _inner(dims) + _inner(dims) * (history + 1)


def _attention(dims: Dims, history: int, folded: bool) -> tuple[float, float]:
    """(once per request, per query row) of one layer."""
    if folded:
        pairs = dims.heads * history * dims.width
        return 2.0 * pairs * dims.width, 2.0 * pairs
    inner = _inner(dims)
    return 2.0 * history * dims.width * inner, 2.0 * dims.width * inner + 2.0 * history * inner


def _own_context(dims: Dims, history: int) -> float:
    """One query of the inner PRM's context block, its projections folded into the query."""
    return 2.0 * dims.heads * dims.width * (dims.width + history) + _feed_forward(dims)
