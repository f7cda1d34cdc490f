"""The gate: how risky a change is, how sure the lab is, what it does, and who is asked."""

from autodev_lab.decisions.calibration import BinnedBetaCalibrator
from autodev_lab.decisions.escalation import HumanTwin
from autodev_lab.decisions.policy import PublishedPolicy, ReviewEverythingPolicy
from autodev_lab.decisions.risk import FiveFactorRisk

__all__ = ["BinnedBetaCalibrator", "FiveFactorRisk", "HumanTwin", "PublishedPolicy", "ReviewEverythingPolicy"]
