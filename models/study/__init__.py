"""Studies: ideas compared with each other, an arm each, on validation users of setting A and never on test users."""

from models.study.arms import Arm, StudyError
from models.study.run import Judged, study
from models.study.table import page, rows

__all__ = ["Arm", "Judged", "StudyError", "page", "rows", "study"]
