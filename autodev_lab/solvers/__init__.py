"""Solvers: what turns a task and its context into a change."""

from autodev_lab.solvers.accounting import SECONDS_PER_CANDIDATE, ChunkedEvaluation
from autodev_lab.solvers.scripted import ScriptedSolver

__all__ = ["SECONDS_PER_CANDIDATE", "ChunkedEvaluation", "ScriptedSolver"]
