"""Assessing a commit of a real repository by that repository's own past."""

from autodev_lab.experiments.assessing.assess import Assessment, assess_change, assess_commit, past_of
from autodev_lab.experiments.assessing.figure import assessment_figure
from autodev_lab.experiments.assessing.words import Moved, moved_by

__all__ = ["Assessment", "Moved", "assess_change", "assess_commit", "assessment_figure", "moved_by", "past_of"]
