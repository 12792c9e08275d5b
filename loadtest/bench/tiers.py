"""Tiers in tables and figures: their order, their colours."""

COLOURS = ("#b04a5a", "#d1783c", "#a3a13a", "#3d8f62", "#3b6fb6", "#8b5fa8", "#666666")


def rank(name: str) -> tuple[int, str]:
    """Cheapest first: none (the popular items), floor, then k10, k20, …"""
    digits = name[1:]
    return (int(digits) if digits.isdigit() else {"none": -2, "floor": -1}.get(name, 1 << 20), name)
