"""Search-based program repair: localisation, templates, a canonical enumeration, and orders of search over it."""

from autodev_lab.solvers.repair.localisation import ochiai
from autodev_lab.solvers.repair.orders import (
    CandidateOrder,
    LearnedOrder,
    OracleOrder,
    PlaceboOrder,
    UniformOrder,
    order_named,
)
from autodev_lab.solvers.repair.search import Entry, Enumeration, Limits, enumerate_candidates
from autodev_lab.solvers.repair.solver import RepairSolver
from autodev_lab.solvers.repair.templates import TEMPLATES

__all__ = [
    "TEMPLATES",
    "CandidateOrder",
    "Entry",
    "Enumeration",
    "LearnedOrder",
    "Limits",
    "OracleOrder",
    "PlaceboOrder",
    "RepairSolver",
    "UniformOrder",
    "enumerate_candidates",
    "ochiai",
    "order_named",
]
