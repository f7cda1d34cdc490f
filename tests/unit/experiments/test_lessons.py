"""Lessons and streams: never the same task, the same for every arm, shifted as the plan says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Plan, load_experiment, make_plan
from autodev_lab.experiments.lessons import operator_mix, parts_of, tasks_of
from autodev_lab.experiments.world_repository import read_task_file
from autodev_lab.records import StreamItem
from autodev_lab.solvers.repair.templates import TEMPLATES
from autodev_lab.solvers.repair.undoing import UNDOING, weights_under
from autodev_lab.streams.injected import InjectedTruth
from autodev_lab.streams.operators import OPERATORS

SHIPPED = read_task_file("data/tasks/pocketkit.jsonl")
NAMES = ("ant", "bee", "cat", "dog")


def tasks(each: int = 12) -> tuple[StreamItem, ...]:
    """The shipped tasks under the names of several packages."""
    return tuple(
        replace(item, task=replace(item.task, id=f"{name}-{number}", package=name))
        for place, name in enumerate(NAMES)
        for number, item in enumerate((SHIPPED[place:] + SHIPPED[:place])[:each])
    )


def plan(**overrides: object) -> Plan:
    given: Mapping[str, object] = {"tasks": "", "packages": NAMES, "tasks_per_package": 6, "arms": "uniform,frozen"}
    return make_plan(load_experiment("learning"), profile="smoke", overrides={**given, **overrides})


@given(shift=st.sampled_from(["packages", "operators", "mix"]), replicate=st.integers(0, 5), each=st.integers(8, 12))
@settings(max_examples=40, deadline=None)
def test_nothing_is_tried_that_was_learned_from(shift: str, replicate: int, each: int) -> None:
    items = tasks(each)
    for part in parts_of(items, plan(shift=shift), replicate):
        taught = {item.task.id for item in part.lessons}
        tried = [item.task.id for item in part.stream]
        assert taught and tried and not taught & set(tried)
        assert len(set(tried)) == len(tried)
    assert parts_of(items, plan(shift=shift), replicate) == parts_of(items, plan(shift=shift, arms="frozen"), replicate)


def test_lesson_packages_are_learned_from_and_never_tried() -> None:
    chosen = plan(packages="ant,bee", lesson_packages="cat,dog", lessons_per_package=5)
    (part,) = parts_of(tasks(), chosen, 0)
    assert {item.task.package for item in part.stream} == {"ant", "bee"}
    assert {item.task.package for item in part.lessons} == {"cat", "dog"}
    assert len(part.stream) == 12 and len(part.lessons) == 10
    met = {item.task.id for item in (*part.stream, *part.lessons)}
    assert {item.task.id for item in tasks_of(tasks(), chosen, 0)} == met
    untaught = plan(packages="ant,bee", lesson_packages="cat,dog", arms="uniform")
    assert {item.task.id for item in tasks_of(tasks(), untaught, 0)} == {item.task.id for item in part.stream}


def test_a_package_left_out_is_tried_on_what_the_others_taught() -> None:
    parts = parts_of(tasks(), plan(shift="packages"), 0)
    assert [{item.task.package for item in part.stream} for part in parts] == [{name} for name in NAMES]
    for part, name in zip(parts, NAMES, strict=True):
        assert {item.task.package for item in part.lessons} == set(NAMES) - {name}


def test_unseen_operators_are_unseen() -> None:
    halves = set()
    for replicate in range(4):
        (part,) = parts_of(tasks(), plan(shift="operators"), replicate)
        taught, tried = operator_mix(part.lessons), operator_mix(part.stream)
        assert taught and tried and not set(taught) & set(tried)
        halves.add(frozenset(taught))
    assert len(halves) > 1, "each replicate draws its own halves"


def test_a_changed_mix_has_the_same_operators_in_other_shares() -> None:
    apart = []
    for replicate in range(6):
        (part,) = parts_of(tasks(), plan(shift="mix"), replicate)
        taught, tried = operator_mix(part.lessons), operator_mix(part.stream)
        apart.append(sum(abs(taught.get(name, 0) - tried.get(name, 0)) for name in {*taught, *tried}) / 2)
        assert set(taught) & set(tried)
    assert min(apart) > 0.2, "total variation distance between the two mixes"


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"lesson_packages": "ant"}, "ant cannot be both learned from and tried on"),
        ({"shift": "packages", "lesson_packages": "eel"}, "takes its lessons from the same packages"),
        ({"shift": "sideways"}, "shift is 'sideways'"),
        ({}, "arm frozen learns beforehand and has nothing to learn from"),
        ({"lesson_packages": "eel,eel"}, "named twice"),
    ],
)
def test_what_cannot_be_is_refused(overrides: dict[str, object], sentence: str) -> None:
    with pytest.raises(LabError, match=sentence):
        plan(**overrides)


def test_one_package_or_one_operator_cannot_be_shifted() -> None:
    with pytest.raises(LabError, match="leaves no task to learn from"):
        parts_of([item for item in tasks() if item.task.package == "ant"], plan(shift="packages"), 0)
    alike = [
        replace(item, truth=replace(item.truth, operator="off_by_one"))
        for item in tasks()
        if isinstance(item.truth, InjectedTruth)
    ]
    with pytest.raises(LabError, match="at least two fault operators"):
        parts_of(alike, plan(shift="operators"), 0)


def test_what_undoes_a_fault_is_in_both_catalogues() -> None:
    assert set(UNDOING) == {operator.name for operator in OPERATORS}
    assert {name for names in UNDOING.values() for name in names} <= {one.name for one in TEMPLATES}
    weights = weights_under({name: 1 / len(UNDOING) for name in UNDOING})
    assert sum(weights.values()) == pytest.approx(1.0)
