"""What MLflow is told of a gate that certifies: the threshold its decisions were made under, at few steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import numpy as np

from autodev_lab.decisions import Gate, make_gate
from autodev_lab.environments.simulated import SimulatedEnvironment
from autodev_lab.experiments.design import Cell
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.rows import trace_line
from autodev_lab.experiments.team_tracking import _certified
from autodev_lab.platform import TeamSpec, run_stream
from autodev_lab.records import Action, Decision, RiskAssessment
from autodev_lab.solvers.simulated import SimulatedSolver
from autodev_lab.streams.synthetic import SyntheticStream


class Sure:
    """Holds a certificate from its sixth decision on."""

    name = "sure"
    words = "certified"

    def __init__(self) -> None:
        self.decided = 0

    @property
    def threshold(self) -> float | None:
        return 0.75 if self.decided >= 5 else None

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        self.decided += 1
        return Decision(assessment.task_id, Action.AUTO_DEPLOY, assessment, self.name, ())


class Traces:
    def __init__(self, traces: list[dict[str, object]]) -> None:
        self.traces = traces

    def read_trace(self, cell: Cell) -> list[Mapping[str, object]]:
        return list(self.traces)


def test_the_certificate_is_told_from_when_there_is_one() -> None:
    items = list(SyntheticStream(30, 1, packages=["ant"]))
    world, gate = SimulatedEnvironment(items), make_gate("published")
    run = run_stream(
        items,
        world,
        TeamSpec(budget=60),
        solver=SimulatedSolver("learned"),
        oracle=world,
        seed=0,
        gate=Gate(gate.risk, gate.calibrator, Sure()),
    )
    traces: list[dict[str, object]] = [json.loads(trace_line(record)) for record in run.records]
    directory = cast("RunDirectory", Traces(traces))
    points = list(_certified(directory, Cell("arm", False, 0), list(range(30))))
    certified = [point.value for point in points if point.name == "gate_certified"]
    thresholds = {point.step: point.value for point in points if point.name == "gate_certified_threshold"}
    assert 0.0 in certified and certified[-1] == 1.0 and len(certified) <= 20
    assert set(thresholds.values()) == {0.75} and len(thresholds) == sum(certified)
