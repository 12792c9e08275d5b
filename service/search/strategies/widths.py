"""Strategies that are guided search with other widths, or with the PRM at fewer depths."""

from dataclasses import replace

from service.search.plan import Level, Plan


def beam(plan: Plan) -> Plan:
    """Plain beam search: the generator alone, K' prefixes wide."""
    return replace(plan, levels=tuple(Level(x.k_keep, x.k_keep) for x in plan.levels), use_prm=False, rescore=0)


def best_of_n(plan: Plan) -> Plan:
    """N leaves of a plain beam, N being the tier's K+ at the leaves, and the PRM ranks them: outcome reward alone."""
    *above, leaf = plan.levels
    wide = Level(leaf.k_plus, leaf.k_plus)
    return replace(plan, levels=(*(wide for _ in above), leaf), depths=(len(above),))


def final_scorer(plan: Plan) -> Plan:
    """The PRM at the first depth, which decides most, and at the leaves, with the correction where there is one.

    "Thinking longer, not larger" (arXiv 2503.23803): process rewards at the critical depths, the heavy scorer once.
    """
    return replace(plan, depths=tuple(sorted({0, len(plan.levels) - 1})))
