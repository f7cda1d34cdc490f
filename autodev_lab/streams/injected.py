"""Tasks with an injected bug: what they say, what only the environment knows of them, and a stream of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from autodev_lab.execution.sides import function_name
from autodev_lab.execution.subjects import Subject
from autodev_lab.records import Edit, StreamItem, Truth

__all__ = ["BugInjectionStream", "InjectedTruth", "body_of", "title_of"]


@dataclass(frozen=True, slots=True)
class InjectedTruth(Truth):
    """What only the environment knows of an injected bug.

    Parameters
    ----------
    task_id
        The task.
    package_spec
        What to give `autodev_lab.execution.subjects.obtain`.
    package_hash
        Content hash of the pristine tree the edits fit.
    operator
        The fault operator.
    edits
        The bug, relative to the pristine tree.
    path, qualname
        File and function it is in.
    split_seed
        Seed of the split of tests into sides.
    killing, covering
        Tests that fail because of the bug, and tests that execute its lines, by side, in collection order.
    """

    package_spec: str
    package_hash: str
    operator: str
    edits: tuple[Edit, ...]
    path: str
    qualname: str
    split_seed: int
    killing: Mapping[str, tuple[str, ...]] = field(hash=False)
    covering: Mapping[str, tuple[str, ...]] = field(hash=False)


class BugInjectionStream:
    """A fixed sequence of tasks, in the order given.

    Parameters
    ----------
    items
        The tasks with their truths.
    name
        Short name for logs and reports.
    """

    def __init__(self, items: Iterable[StreamItem], name: str = "bug_injection") -> None:
        self._items = tuple(items)
        self._name = name

    @property
    def name(self) -> str:
        """Short name for logs and reports."""
        return self._name

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[StreamItem]:
        return iter(self._items)


def title_of(subject: Subject, visible: Sequence[str]) -> str:
    """One line: the first failing visible test function and how many more."""
    functions = list(dict.fromkeys(function_name(test) for test in visible))
    more = f" and {len(functions) - 1} more" if len(functions) > 1 else ""
    verb = "fail" if len(functions) > 1 else "fails"
    return f"{subject.name} {subject.version}: {functions[0]}{more} {verb}"


def body_of(subject: Subject, visible: Sequence[str]) -> str:
    """The failing visible tests, as a user would report them."""
    shown = "\n".join(f"- {test}" for test in visible[:20])
    rest = f"\n- and {len(visible) - 20} more" if len(visible) > 20 else ""
    plural = "tests fail" if len(visible) > 1 else "test fails"
    return f"{len(visible)} {plural} in {subject.name} {subject.version}:\n{shown}{rest}"
