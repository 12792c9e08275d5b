"""The experiments file of a soak at its n-th edit."""

WIDTH = """experiments:
  - name: width
    seed: width-{seed}
    buckets:
      - {{name: plain, weight: {weight}}}
      - {{name: wide, weight: {weight}, lowest: k20}}
"""
RULE = """  - name: rule
    seed: rule-1
    buckets:
      - {name: guided, weight: 0.5}
      - {name: beam, weight: 0.5, strategy: beam}
"""
CYCLE, BROKEN, BOTH = 4, 3, 1


def experiments(edit: int) -> str:
    """A seed that changes now and then, a second experiment that comes and goes; every fourth edit is broken."""
    place = edit % CYCLE
    text = WIDTH.format(seed=1 + edit // (2 * CYCLE), weight=0.9 if place == BROKEN else 0.5)
    return text + RULE if place == BOTH else text
