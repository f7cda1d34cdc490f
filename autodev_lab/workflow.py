"""Which role acts on which stage, and where each stage may lead: the lab's only workflow table.

It is data, not a process: no code walks it from outside. Agents read which stages wake them, the ledger refuses
completions that the table does not allow.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from autodev_lab.records import Role, Stage

__all__ = ["NEXT_STAGES", "ROLE_OF_STAGE", "TERMINAL_STAGES", "answered", "stages_of"]

ROLE_OF_STAGE: Mapping[Stage, Role] = MappingProxyType(
    {
        Stage.FETCHED: Role.ARCHITECT,
        Stage.PLANNED: Role.DEVELOPER,
        Stage.REJECTED: Role.DEVELOPER,
        Stage.PROPOSED: Role.TESTER,
        Stage.TESTED: Role.REVIEWER,
        Stage.APPROVED: Role.DEPLOYER,
        Stage.CLEARED: Role.DEPLOYER,
        Stage.CANARY: Role.DEPLOYER,
        Stage.STAGING: Role.DEPLOYER,
        Stage.WITHDRAWN: Role.DEPLOYER,
        Stage.PRODUCTION: Role.MONITOR,
        Stage.ESCALATED: Role.HUMAN,
    }
)
"""The role that acts on a task once a stage is completed."""

NEXT_STAGES: Mapping[Stage, frozenset[Stage]] = MappingProxyType(
    {
        Stage.FETCHED: frozenset({Stage.PLANNED}),
        Stage.PLANNED: frozenset({Stage.PROPOSED, Stage.ABANDONED}),
        Stage.REJECTED: frozenset({Stage.PROPOSED, Stage.ABANDONED}),
        Stage.PROPOSED: frozenset({Stage.TESTED, Stage.REJECTED}),
        Stage.TESTED: frozenset({Stage.APPROVED, Stage.REJECTED}),
        Stage.APPROVED: frozenset({Stage.CLEARED, Stage.ESCALATED}),
        Stage.ESCALATED: frozenset({Stage.CLEARED, Stage.DECLINED, Stage.WITHDRAWN}),
        Stage.WITHDRAWN: frozenset({Stage.DECLINED}),
        Stage.CLEARED: frozenset({Stage.CANARY, Stage.ROLLED_BACK, Stage.ESCALATED}),
        Stage.CANARY: frozenset({Stage.STAGING, Stage.ROLLED_BACK, Stage.ESCALATED}),
        Stage.STAGING: frozenset({Stage.PRODUCTION, Stage.ROLLED_BACK, Stage.ESCALATED}),
        Stage.PRODUCTION: frozenset({Stage.HEALTHY, Stage.ROLLED_BACK}),
    }
)
"""The stages a completion may lead to. A rollout stage that shows too little leads to a person: ESCALATED."""

TERMINAL_STAGES: frozenset[Stage] = frozenset(set(Stage) - set(NEXT_STAGES))
"""Stages after which nobody acts any more."""


def answered(before: Stage, approve: bool) -> Stage:
    """Where a person's answer leads a task that was escalated from a stage.

    A change that was exposed before it was declined has to be taken back: that is the work of whichever deployer claims
    it next, so that it is done though the one that exposed the change has died.

    Examples
    --------
    >>> answered(Stage.APPROVED, True).value, answered(Stage.APPROVED, False).value, answered(Stage.CANARY, False).value
    ('cleared', 'declined', 'withdrawn')
    """
    if approve:
        return Stage.CLEARED
    return Stage.DECLINED if before is Stage.APPROVED else Stage.WITHDRAWN


@functools.cache
def stages_of(role: Role) -> tuple[Stage, ...]:
    """Stages on which a role acts, in workflow order.

    Examples
    --------
    >>> [stage.value for stage in stages_of(Role.DEVELOPER)]
    ['planned', 'rejected']
    """
    return tuple(stage for stage, actor in ROLE_OF_STAGE.items() if actor is role)
