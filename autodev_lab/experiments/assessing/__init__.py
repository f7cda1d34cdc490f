"""Assessing a commit of a real repository by that repository's own past."""

from autodev_lab.experiments.assessing.assess import assess_change, assess_commit
from autodev_lab.experiments.assessing.deciding import Assessment, Standards
from autodev_lab.experiments.assessing.words import Moved, moved_by

__all__ = ["Assessment", "Moved", "Standards", "assess_change", "assess_commit", "moved_by"]
