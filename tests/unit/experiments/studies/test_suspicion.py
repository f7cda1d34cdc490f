"""Orders of suspects: places among equals by hand, and nearness that breaks ties."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodev_lab.experiments.studies.suspicion import Order, Place, faulty_lines, place_of, proximity, suspicion
from autodev_lab.memory.code_graph import CodeGraph
from autodev_lab.records import Diagnosis, LineSpectrum

CODE = "def near():\n    return far()\n\n\ndef far():\n    return 1\n\n\ndef alone():\n    return 2\n"
TEST = "from code import near\n\n\ndef test_near():\n    assert near() == 1\n"


@pytest.fixture
def graph(tmp_path: Path) -> CodeGraph:
    (tmp_path / "code.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "test_code.py").write_text(TEST, encoding="utf-8")
    graph = CodeGraph()
    graph.update([tmp_path])
    return graph


def test_a_place_among_equals() -> None:
    place = Place(better=3, equal=4, total=20)
    assert (place.reciprocal, place.exam) == (1 / 5.5, 5.5 / 20)
    assert [place.within(count) for count in (1, 3, 5, 7, 9)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    missing = place_of({"a": (1.0,)}, ["b"])
    assert (missing.reciprocal, missing.exam, missing.within(5)) == (0.0, 1.0, 0.0)


def test_nearer_definitions_come_first_among_equals(graph: CodeGraph) -> None:
    near = proximity(graph, ["test_code.py::test_near"])
    assert near["code.near"] > near["code.far"] > near.get("code.alone", 0.0)
    assert proximity(graph, ["no_such_test"]) == {}
    spectrum = tuple(LineSpectrum("code.py", line, 1, 0) for line in (2, 6, 10))
    diagnosis = Diagnosis("t", ("test_code.py::test_near",), 1, 0, spectrum)
    alike, _ = suspicion(Order.OCHIAI, diagnosis, graph)
    assert len(set(alike.values())) == 1
    lines, functions = suspicion(Order.OCHIAI_GRAPH, diagnosis, graph)
    assert sorted(lines, key=lambda one: lines[one], reverse=True) == [("code.py", line) for line in (2, 6, 10)]
    assert max(functions, key=lambda one: functions[one]) == "code.near"


def test_lines_of_a_fault() -> None:
    assert faulty_lines([("m.py", 1, 0)]) == [("m.py", 1)]
