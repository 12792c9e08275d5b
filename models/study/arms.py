"""An arm of a study: one recipe, and what was expected of it before it was run."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.recipe import Recipe


class StudyError(ValueError):
    """A study cannot be run or shown as asked; one sentence."""


@dataclass(frozen=True)
class Arm:
    """`name` names its folder too; the first arm of a study is what the others are compared with.

    `fused`: also judged by reward + log-probability at every depth, beside the reward alone. `control`: the arm it is
    compared with where that is not the first. `trunk`: the arm whose finished generator it trains only a PRM on, by
    the labels that `judge`, another arm, agrees with where the recipe asks for agreement.
    """

    name: str
    recipe: Recipe
    expected: str
    fused: bool = False
    control: str = ""
    trunk: str = ""
    judge: str = ""


def chosen(arms: Sequence[Arm], only: Sequence[str]) -> list[Arm]:
    """The arms of these names, all when none is named; in the order of the study.

    Raises:
        StudyError: two arms share a name, or none has one that is asked for.
    """
    names = [arm.name for arm in arms]
    if len(set(names)) != len(names):
        raise StudyError(f"two arms share a name: {', '.join(names)}")
    unknown = [name for name in only if name not in names]
    if unknown:
        raise StudyError(f"no arm is called '{unknown[0]}': {', '.join(names)} are known")
    return [arm for arm in arms if not only or arm.name in only]
