"""The studies there are, by name."""

from models.study import labels, prm, tokens
from models.study.arms import Arm, StudyError

COLD = "cold"  # no arms: see models.study.cold
VOTES = "votes"  # no arms: see models.votes.study


def arms_of(name: str) -> list[Arm]:
    """The arms of a study, the first of which the others are compared with.

    Raises:
        StudyError: there is no such study.
    """
    studies = {prm.NAME: prm.arms, tokens.NAME: tokens.arms, labels.NAME: labels.arms}
    if name not in studies:
        raise StudyError(f"no study is called '{name}': {', '.join([*studies, COLD, VOTES])} are known")
    return studies[name]()
