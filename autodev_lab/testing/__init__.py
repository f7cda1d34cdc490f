"""Contract suites: what a plug-in must promise, as small functions to call from a test of your own."""

from autodev_lab.testing.check_calibrator import check_calibrator
from autodev_lab.testing.check_cypher_memory import check_cypher_memory
from autodev_lab.testing.check_environment import check_environment
from autodev_lab.testing.check_learner import check_frozen_learner, check_learner
from autodev_lab.testing.check_ledger import check_ledger
from autodev_lab.testing.check_linked_memory import check_linked_memory
from autodev_lab.testing.check_memory import check_memory
from autodev_lab.testing.check_policy import check_learning_policy, check_policy
from autodev_lab.testing.check_risk_model import check_risk_model
from autodev_lab.testing.check_runtime import check_runtime
from autodev_lab.testing.check_solver import check_solver
from autodev_lab.testing.check_stream import check_stream

__all__ = [
    "check_calibrator",
    "check_cypher_memory",
    "check_environment",
    "check_frozen_learner",
    "check_learner",
    "check_learning_policy",
    "check_ledger",
    "check_linked_memory",
    "check_memory",
    "check_policy",
    "check_risk_model",
    "check_runtime",
    "check_solver",
    "check_stream",
]
