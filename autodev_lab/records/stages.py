"""Who works on a task, and how far it is."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Role", "Stage"]


class Role(StrEnum):
    """The six kinds of agent, and the human who answers escalations."""

    ARCHITECT = "architect"
    DEVELOPER = "developer"
    TESTER = "tester"
    REVIEWER = "reviewer"
    DEPLOYER = "deployer"
    MONITOR = "monitor"
    HUMAN = "human"


class Stage(StrEnum):
    """The last thing that was completed for a task; `autodev_lab.workflow` says who acts next."""

    FETCHED = "fetched"
    PLANNED = "planned"
    PROPOSED = "proposed"
    TESTED = "tested"
    APPROVED = "approved"
    REJECTED = "rejected"
    CLEARED = "cleared"
    ESCALATED = "escalated"
    WITHDRAWN = "withdrawn"
    CANARY = "canary"
    STAGING = "staging"
    PRODUCTION = "production"
    HEALTHY = "healthy"
    ROLLED_BACK = "rolled_back"
    ABANDONED = "abandoned"
    DECLINED = "declined"
    DEAD_LETTER = "dead_letter"
