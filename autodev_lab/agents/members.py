"""Making an agent of any role from what a team is given: a platform makes all of them, a process of its own one."""

from __future__ import annotations

from collections.abc import Callable

from autodev_lab.agents.architect import Architect
from autodev_lab.agents.base import Agent, Surroundings
from autodev_lab.agents.deployer import Deployer
from autodev_lab.agents.developer import Developer
from autodev_lab.agents.monitor import Monitor
from autodev_lab.agents.recalled import FileCaution, RecalledHistory
from autodev_lab.agents.reviewer import Reviewer
from autodev_lab.agents.tester import Tester
from autodev_lab.decisions import Gate, Rollout
from autodev_lab.errors import LabError
from autodev_lab.learning import PatternLibrary, SimilarFixes
from autodev_lab.protocols import Memory, PatternLearner, Solver
from autodev_lab.records import Role
from autodev_lab.rules import EscalationRules

__all__ = ["make_member"]


def make_member(
    role: Role,
    agent_id: str,
    surroundings: Surroundings,
    *,
    solver: Solver,
    gate: Gate,
    budget: int,
    recalling: bool = False,
    patterns: Callable[[Memory], PatternLearner] = PatternLibrary,
    rules: EscalationRules | None = None,
    rollout: Rollout | None = None,
) -> Agent:
    """Make one agent of a team.

    Parameters
    ----------
    role
        Any but the human's, who is no agent.
    agent_id, surroundings
        See `autodev_lab.agents.Agent`.
    solver, gate, patterns, rules, rollout
        See `autodev_lab.platform.Platform`.
    budget
        Candidates a task may use, over all its attempts.
    recalling
        Whether agents act on what they find in memory.

    Raises
    ------
    LabError
        If the role is the human's.
    """
    match role:
        case Role.ARCHITECT:
            return Architect(agent_id, surroundings, budget=budget)
        case Role.DEVELOPER:
            library = patterns(surroundings.memory)
            similar = SimilarFixes() if recalling else None
            return Developer(agent_id, surroundings, solver=solver, patterns=library, similar=similar)
        case Role.TESTER:
            return Tester(agent_id, surroundings)
        case Role.REVIEWER:
            return Reviewer(agent_id, surroundings, caution=FileCaution() if recalling else None)
        case Role.DEPLOYER:
            return Deployer(
                agent_id,
                surroundings,
                risk=gate.risk,
                calibrator=gate.calibrator,
                policy=gate.policy,
                history=RecalledHistory() if recalling else None,
                rules=rules,
                rollout=rollout,
            )
        case Role.MONITOR:
            return Monitor(agent_id, surroundings, rules=rules)
        case _:
            raise LabError(f"there is no agent of the role {role.value}; people answer at a desk")
