"""Arms of the study of the inner PRM's training (methods section 3): losses, negatives, targets, stages, rows."""

from models.recipe import Recipe, named
from models.study.arms import Arm

NAME = "prm"
EPOCHS = 4  # half the study recipe's: eight arms in half an hour of one core


def arms() -> list[Arm]:
    """The full softmax first, then one change each; negatives are judged by both scoring rules, the 2 × 2."""
    base = named("study").with_training(epochs=EPOCHS, stop=EPOCHS, validate_every=EPOCHS, validation_users=500)
    return [
        Arm("softmax", base, "first: guided N@10 near .045, .010 above its beam; log π + y within .002", fused=True),
        Arm("uniform-64", _loss(base, "uniform", 64), "−.004; log π + y repairs half of it", fused=True),
        Arm("uniform-512", _loss(base, "uniform", 512), "−.001; log π + y changes less than .001", fused=True),
        Arm("generator-64", _loss(base, "generator", 64), "alone −.015, with log π −.002", fused=True),
        Arm("listwise", _loss(base, "listwise", 64), "−.003: lists of 64 say little about the rest"),
        Arm("positives-3", base.with_training(positives=3), "+.001: later items are weak evidence of the next"),
        Arm("two-stages", base.with_training(stages="two"), "−.005: the encoding no longer learns from the PRM"),
        Arm("sum-of-codes", base.with_network(row_limit=1), "−.001, HRecall@2 −.005"),
    ]


def _loss(base: Recipe, loss: str, negatives: int) -> Recipe:
    return base.with_training(prm_loss=loss, negatives=negatives)
