"""Labels on their way through a memory: from a settled task to an item of the collection `decisions`, and back."""

from __future__ import annotations

from collections.abc import Mapping

from autodev_lab.records import Label, LabelSource, MemoryItem, Outcome, TaskState

__all__ = ["COLLECTION", "file_fact", "files_of", "label_of", "read_label", "write_label"]

COLLECTION = "decisions"
"""The memory's collection of labelled decisions; deployers who share a memory learn from one another's."""

_FACTOR = "factor:"
_PATTERN = "pattern:"
_FILE = "file:"


def file_fact(path: str) -> Mapping[str, str]:
    """What finds the decisions on changes of a file, as a filter of a search."""
    return {_FILE + path: str(True)}


def label_of(state: TaskState, outcome: Outcome) -> Label | None:
    """The label that a settled task gives, or None when nothing was shown or no gate had decided."""
    if outcome.success is None or outcome.decision is None or outcome.source is None:
        return None
    assessment = outcome.decision.assessment
    return Label(
        task_id=state.task.id,
        package=state.task.package,
        factors=assessment.factors,
        risk=assessment.risk,
        success=outcome.success,
        source=outcome.source,
        propensity=outcome.decision.propensity,
        patterns=outcome.change.patterns if outcome.change is not None else (),
    )


def write_label(label: Label, outcome: Outcome, title: str, *, agent_id: str, at: float) -> MemoryItem:
    """A label as something to remember: the facts are the label, the text is for those who search.

    Parameters
    ----------
    outcome
        What the label says, for the text.
    title
        The task's.
    agent_id, at
        Who remembers, and when (virtual seconds).
    """
    facts: dict[str, str | float | int | bool] = {
        "package": label.package,
        "stage": outcome.stage.value,
        "deployed": outcome.deployed,
        "success": label.success,
        "source": label.source.value,
        "propensity": label.propensity,
        "risk": label.risk,
    }
    facts.update({_FACTOR + name: value for name, value in label.factors.items()})
    facts.update({_PATTERN + pattern: True for pattern in label.patterns})
    paths = files_of(outcome)
    facts.update({_FILE + path: True for path in paths})
    action = outcome.decision.action if outcome.decision is not None else "undecided"
    text = " ".join((action, title, outcome.stage, *paths))
    return MemoryItem(COLLECTION, text, facts, label.task_id, agent_id, at)


def files_of(outcome: Outcome) -> tuple[str, ...]:
    """Files that the change of an outcome touches, each once."""
    edits = outcome.change.edits if outcome.change is not None else ()
    return tuple(dict.fromkeys(edit.path for edit in edits))


def read_label(item: MemoryItem) -> Label:
    """The label that `write_label` wrote."""
    facts = item.facts
    return Label(
        task_id=item.task_id,
        package=str(facts["package"]),
        factors={key.removeprefix(_FACTOR): float(value) for key, value in facts.items() if key.startswith(_FACTOR)},
        risk=float(facts["risk"]),
        success=bool(facts["success"]),
        source=LabelSource(str(facts["source"])),
        propensity=float(facts["propensity"]),
        patterns=tuple(key.removeprefix(_PATTERN) for key in facts if key.startswith(_PATTERN)),
    )
