"""Assessing a commit of a real repository by that repository's own past."""

from autodev_lab.experiments.assessing.assess import Assessment, assess_change, assess_commit, past_of
from autodev_lab.experiments.assessing.change_model import ChangeModel, Contribution, LogisticModel, PublishedFormula
from autodev_lab.experiments.assessing.figure import assessment_figure

__all__ = [
    "Assessment",
    "ChangeModel",
    "Contribution",
    "LogisticModel",
    "PublishedFormula",
    "assess_change",
    "assess_commit",
    "assessment_figure",
    "past_of",
]
