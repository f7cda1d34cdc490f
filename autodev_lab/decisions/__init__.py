"""The gate: how risky a change is, how sure the lab is, what it does, and who is asked."""

from autodev_lab.decisions.audit import PromiseAudit, audit_capital
from autodev_lab.decisions.calibration import BetaCalibrator, BinnedBetaCalibrator, PlattCalibrator
from autodev_lab.decisions.calibrators import CALIBRATOR_NAMES, FittedCalibrator, fit_calibrator
from autodev_lab.decisions.catalogue import CERTIFIED, Gate, check_gate_names, make_gate, plugin_hashes
from autodev_lab.decisions.certified import CertifiedPolicy
from autodev_lab.decisions.controls import (
    DeployReviewedPolicy,
    RandomPolicy,
    ReviewEverythingPolicy,
    SmallestFirstPolicy,
)
from autodev_lab.decisions.escalation import HumanTwin
from autodev_lab.decisions.guarantee import Certificate, FixedSequences, Promise, certify
from autodev_lab.decisions.labels import PRODUCTION_POWER, LabelQuality
from autodev_lab.decisions.learned import LearnedRisk
from autodev_lab.decisions.maturity import (
    DatedOutcomes,
    DelayDistribution,
    certify_mature,
    certify_observed,
    fit_delays,
)
from autodev_lab.decisions.measures import lines_of, measures_of
from autodev_lab.decisions.policy import LearnedPolicy, PublishedPolicy
from autodev_lab.decisions.recalibration import RefittedCalibrator
from autodev_lab.decisions.risk import FiveFactorRisk
from autodev_lab.decisions.rollout import RolloutPlan, RolloutResult, SequentialRollout, StageRule, run_rollout
from autodev_lab.decisions.rollout_judges import FixedStages, Rollout, StageJudge, make_rollout
from autodev_lab.decisions.rollout_requests import ROLLOUT_SHARES, RequestTarget
from autodev_lab.decisions.rollout_targets import CommandTarget, EnvironmentTarget, GitHubTarget
from autodev_lab.decisions.thresholds import Thresholds
from autodev_lab.records import Ruling

__all__ = [
    "CALIBRATOR_NAMES",
    "CERTIFIED",
    "PRODUCTION_POWER",
    "ROLLOUT_SHARES",
    "BetaCalibrator",
    "BinnedBetaCalibrator",
    "Certificate",
    "CertifiedPolicy",
    "CommandTarget",
    "DatedOutcomes",
    "DelayDistribution",
    "DeployReviewedPolicy",
    "EnvironmentTarget",
    "FittedCalibrator",
    "FiveFactorRisk",
    "FixedSequences",
    "FixedStages",
    "Gate",
    "GitHubTarget",
    "HumanTwin",
    "LabelQuality",
    "LearnedPolicy",
    "LearnedRisk",
    "PlattCalibrator",
    "Promise",
    "PromiseAudit",
    "PublishedPolicy",
    "RandomPolicy",
    "RefittedCalibrator",
    "RequestTarget",
    "ReviewEverythingPolicy",
    "Rollout",
    "RolloutPlan",
    "RolloutResult",
    "Ruling",
    "SequentialRollout",
    "SmallestFirstPolicy",
    "StageJudge",
    "StageRule",
    "Thresholds",
    "audit_capital",
    "certify",
    "certify_mature",
    "certify_observed",
    "check_gate_names",
    "fit_calibrator",
    "fit_delays",
    "lines_of",
    "make_gate",
    "make_rollout",
    "measures_of",
    "plugin_hashes",
    "run_rollout",
]
