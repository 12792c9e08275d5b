"""Work of one request and parameters of one bundle, exactly as the exported graphs have them (models.graphs).

Counted are matrix products, a multiplication and an addition each (2 FLOP), attention's included, over every position
that a graph computes. Norms, activations, softmax, gathers and top-k count nothing. A plain beam is not charged the
PRM's share of context.onnx; the exact scan is charged the encoder and its own graph.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from models.manifest import Dims, Manifest
from models.recipe import CorrectionRecipe, NetworkRecipe

Widths = Sequence[tuple[int, int]]  # (K', K+) of every level
FOLDED_UNTIL = 1.5  # as models.graphs.blocks.folds
DENSE = 64  # as models.graphs.generator
COUNTED, AGES, OWN = 3, 3, 3  # as models.correction.network: of a pair beside the groups; ages and one; of a candidate


@dataclass(frozen=True)
class Work:
    """FLOP of one request by owner; `extra`: a second-stage correction of the best leaves, told by who knows it."""

    encoder: int
    generator: int
    prm: int
    extra: int = 0

    @property
    def total(self) -> int:
        return self.encoder + self.generator + self.prm + self.extra


@dataclass(frozen=True)
class Parameters:
    """Numbers a bundle stores. Rows that both read (items, codes of the encoder) count as the generator's, once."""

    generator: int
    prm: int


@dataclass(frozen=True)
class Rescoring:
    """A correction: its best `pool` leaves by the `newest` items; profiles in groups, `profile` numbers in all."""

    pool: int
    newest: int
    groups: int
    profile: int
    width: int
    heads: int

    def work(self, history: int) -> int:
        """FLOP of a whole pool (models.graphs.correction); biases are rows of the maps."""
        pairs, width = self.pool * min(history, self.newest), self.width
        maps = (self.groups + COUNTED + AGES) * (width + 1) + (width + 1) * width
        pair = self.profile + maps + 2 * width * self.heads + width
        return 2 * (pairs * pair + self.pool * (((self.heads + 1) * width + OWN) * width + width))


@dataclass(frozen=True)
class Heads:
    """Bootstrap heads, each a map of the context of this rank; the interest query is one more."""

    count: int
    rank: int

    def work(self, width: int, calls: float, children: float) -> float:
        """FLOP of votes.onnx: the contexts of all heads at every call, an inner product with each for every child."""
        return (self.count + 1) * (calls * 4 * width * self.rank + children * 2 * width)


@dataclass(frozen=True)
class Sizes:
    """What products depend on. prefixes: V_1 … V_d of the trie; branching: most children of a node at every level."""

    dims: Dims
    codebook: int
    items: int
    prefixes: tuple[int, ...]
    branching: tuple[int, ...]
    context_layers: int = 1
    correction: Rescoring | None = None

    @staticmethod
    def of(manifest: Manifest, prefixes: Sequence[int], branching: Sequence[int], profile: int = 0) -> "Sizes":
        """Of a bundle of the inner form; what its manifest does not say is told: the trie, numbers of a profile."""
        layers = _context_layers(manifest.provenance.recipe)
        trie, correction = (tuple(prefixes), tuple(branching)), _correction(manifest, profile)
        return Sizes(manifest.dims, manifest.codebook, manifest.items, *trie, layers, correction)

    @property
    def depth(self) -> int:
        return len(self.prefixes)

    @property
    def inner(self) -> int:
        """Width of all heads of a block."""
        return self.dims.heads * self.dims.head_width

    @property
    def folded(self) -> bool:
        """Are the decoder's projections folded into its keys and values?"""
        width, history = self.dims.width, self.dims.history
        folded = 2 * self.dims.heads * history * width
        return folded <= FOLDED_UNTIL * (2 * width * self.inner + 2 * history * self.inner)


def search(sizes: Sizes, levels: Widths, depths: Collection[int], history: int, extra: int = 0) -> Work:
    """A beam search over a history of so many items; `depths`: 0-based levels where the PRM prunes, none = plain.
    extra: what a correction of its leaves adds.
    """
    beams, expanded, judged = 1, [0] * len(levels), [0] * len(levels)
    for level, (k_keep, k_plus) in enumerate(levels):
        wanted = k_plus if level in depths else k_keep
        found = min(wanted, beams * sizes.branching[level])
        expanded[level], judged[level] = beams, found * (level in depths)
        beams = min(k_keep, found)
    return counted(sizes, expanded, judged, history, extra)


def counted(sizes: Sizes, beams: Sequence[float], judged: Sequence[float], history: int, extra: float = 0) -> Work:
    """A search that expanded so many prefixes and rewarded so many children at every level, over one history.

    The first level is whole in context.onnx: its expansion costs the same at any width, its rewards nothing more.
    """
    generator = _first(sizes, history) + sum(
        count * _expand(sizes, level, history) for level, count in enumerate(beams) if level
    )
    prm = sum(count * _reward(sizes) for level, count in enumerate(judged) if level)
    opened = _rewarding(sizes, history) if any(judged) else 0
    return Work(encoder(sizes, history), round(generator), round(prm + opened), round(extra))


def scan(sizes: Sizes, history: int, extra: int = 0) -> Work:
    """The exact scan of all leaves."""
    prm = contexts(sizes, 1, history) + 2 * sizes.items * sizes.dims.width
    return Work(encoder(sizes, history), 0, prm, extra)


def encoder(sizes: Sizes, history: int) -> int:
    """encoder.onnx: projections and feed-forward of every item, and all pairs of items (the future ones masked)."""
    row = 4 * sizes.dims.width * sizes.inner + 2 * sizes.dims.width * sizes.dims.feed_forward
    return 2 * sizes.dims.encoder_layers * history * (row + 2 * history * sizes.inner)


def contexts(sizes: Sizes, count: int, history: int) -> int:
    """The inner PRM's contexts of so many depths: projections folded into the query (models.graphs.blocks)."""
    width, heads = sizes.dims.width, sizes.dims.heads
    look = 2 * heads * width * (width + history)
    return 2 * count * (width**2 + sizes.context_layers * (look + 2 * width * sizes.dims.feed_forward))


def _rewarding(sizes: Sizes, history: int) -> int:
    """The PRM's share of context.onnx: contexts of all depths, rewards of the whole first level."""
    return contexts(sizes, sizes.depth, history) + _reward(sizes) * sizes.prefixes[0]


def _reward(sizes: Sizes) -> int:
    """prm.onnx: one inner product a child."""
    return 2 * sizes.dims.width


def _first(sizes: Sizes, history: int) -> int:
    """The generator's share of context.onnx: keys and values of every block, one query, logits over the codebook."""
    seen = 2 * (sizes.dims.heads * sizes.dims.width if sizes.folded else sizes.inner)
    memory = sizes.dims.decoder_layers * history * sizes.dims.width * seen
    return 2 * (memory + _decode(sizes, history) + sizes.dims.width * sizes.codebook)


def _expand(sizes: Sizes, level: int, history: int) -> int:
    """generator-….onnx, for one beam: through the decoder, then logits of all codes or of its children alone."""
    gathered = sizes.branching[level] * DENSE <= sizes.codebook
    head = sizes.branching[level] if gathered else sizes.codebook
    return 2 * (_decode(sizes, history) + head * sizes.dims.width)


def _decode(sizes: Sizes, history: int) -> int:
    """Multiplications of one query in all blocks of the decoder."""
    width, heads = sizes.dims.width, sizes.dims.heads
    look = 2 * heads * history * width if sizes.folded else 2 * sizes.inner * (width + history)
    return sizes.dims.decoder_layers * (look + 2 * width * sizes.dims.feed_forward)


def parameters(sizes: Sizes) -> Parameters:
    """Of generator (encoder included) and inner PRM, as they are served: text is folded into the item rows."""
    dims, width, codes = sizes.dims, sizes.dims.width, sizes.depth * sizes.codebook
    block = 4 * width * sizes.inner + 2 * width * dims.feed_forward + dims.feed_forward + width + 2 * width
    rows = (sizes.items + 1 + codes + dims.history) * width
    generator = rows + (dims.encoder_layers + dims.decoder_layers) * block + 2 * width
    generator += (2 * codes + sizes.depth) * width
    prm = sizes.depth * (width**2 + width) + sizes.context_layers * block + width
    return Parameters(generator, prm + sum(sizes.prefixes[:-1]) * width)


def _context_layers(recipe: dict[str, object]) -> int:
    """From a manifest's recipe, which a world keeps one level deeper."""
    inner = recipe.get("recipe", recipe)
    network = inner.get("network") if isinstance(inner, dict) else None
    default = NetworkRecipe().context_layers
    return int(network.get("context_layers", default)) if isinstance(network, dict) else default


def _correction(manifest: Manifest, profile: int) -> Rescoring | None:
    shape = manifest.correction
    if shape is None:
        return None
    made = manifest.provenance.recipe.get("correction") or {}
    recipe = CorrectionRecipe(**made)
    groups = profile // recipe.profile
    return Rescoring(shape.pool, shape.newest, groups, profile, recipe.width, recipe.heads)
