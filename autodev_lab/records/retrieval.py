"""What an agent asked its memory while it worked on a task, and what came back."""

from __future__ import annotations

from dataclasses import dataclass

from autodev_lab.records.stages import Role

__all__ = ["Found", "Retrieval"]


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that came back.

    Parameters
    ----------
    item_id
        Its id within the memory that was asked.
    score
        Of a search, the hit's score in the mode's unit; of links, one over the number of steps.
    task_id
        The task it was remembered of; empty where that is not known.
    """

    item_id: str
    score: float
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One question to a memory. It is kept with the result that its answer went into, whether it was used or not.

    Parameters
    ----------
    task_id
        The task that was worked on.
    agent_id, role
        Who asked.
    at
        When, in virtual seconds.
    collection
        Where it was looked for; empty where links were followed.
    mode
        A `SearchMode`, or ``"impact"`` where links were followed back from an id.
    query
        The words of a search, or that id.
    k
        Most that was wanted.
    found
        What came back, best first.
    """

    task_id: str
    agent_id: str
    role: Role
    at: float
    collection: str
    mode: str
    query: str
    k: int
    found: tuple[Found, ...] = ()
