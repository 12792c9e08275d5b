"""How wide a search is, level by level: what a tier of the ladder means to the search (design section 5)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """One depth: expand to k_plus children, keep k_keep of them. With k_plus == k_keep the PRM only reorders."""

    k_keep: int
    k_plus: int


@dataclass(frozen=True)
class Plan:
    """Widths per depth, whether the PRM prunes, and the scoring weight: score = reward + weight · log-probability."""

    levels: tuple[Level, ...]
    use_prm: bool = True
    weight: float = 0.0

    @staticmethod
    def uniform(depth: int, k_keep: int, k_plus: int, *, use_prm: bool = True, weight: float = 0.0) -> "Plan":
        """The same K' and K+ at every one of `depth` levels; a plain beam has K+ = K' and no PRM."""
        return Plan((Level(k_keep, k_plus),) * depth, use_prm, weight)

    def at_least(self, k: int) -> "Plan":
        """The same plan, wide enough to return k items: K' ≥ k at every level, K+ grown in proportion."""
        return Plan(tuple(_widen(level, k) for level in self.levels), self.use_prm, self.weight)


def _widen(level: Level, k: int) -> Level:
    if level.k_keep >= k:
        return level
    return Level(k, max(k, level.k_plus * k // level.k_keep))
