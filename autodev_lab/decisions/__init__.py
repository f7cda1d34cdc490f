"""The gate: how risky a change is, how sure the lab is, what it does, and who is asked."""

from autodev_lab.decisions.calibration import BinnedBetaCalibrator, PlattCalibrator
from autodev_lab.decisions.catalogue import Gate, check_gate_names, make_gate, plugin_hashes
from autodev_lab.decisions.controls import (
    DeployReviewedPolicy,
    RandomPolicy,
    ReviewEverythingPolicy,
    SmallestFirstPolicy,
)
from autodev_lab.decisions.escalation import HumanTwin
from autodev_lab.decisions.labels import PRODUCTION_POWER, LabelQuality
from autodev_lab.decisions.learned import LearnedRisk
from autodev_lab.decisions.measures import lines_of, measures_of
from autodev_lab.decisions.policy import LearnedPolicy, PublishedPolicy
from autodev_lab.decisions.risk import FiveFactorRisk

__all__ = [
    "PRODUCTION_POWER",
    "BinnedBetaCalibrator",
    "DeployReviewedPolicy",
    "FiveFactorRisk",
    "Gate",
    "HumanTwin",
    "LabelQuality",
    "LearnedPolicy",
    "LearnedRisk",
    "PlattCalibrator",
    "PublishedPolicy",
    "RandomPolicy",
    "ReviewEverythingPolicy",
    "SmallestFirstPolicy",
    "check_gate_names",
    "lines_of",
    "make_gate",
    "measures_of",
    "plugin_hashes",
]
