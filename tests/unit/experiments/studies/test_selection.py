"""Tests chosen for a change, on a package small enough to know the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autodev_lab.experiments.studies.changes import ObservedChange, changed_lines
from autodev_lab.experiments.studies.frontier import describe, recall_bound
from autodev_lab.experiments.studies.selection import GraphSelection, Way, select
from autodev_lab.records import Edit

FILES = {
    "pkg/__init__.py": "",
    "pkg/low.py": "def one():\n    return 1\n\n\ndef table():\n    return {1: one()}\n",
    "pkg/high.py": "from pkg.low import one, table\n\nTABLE = table()\n\n\ndef two():\n    return one() + one()\n",
    "tests/test_low.py": "from pkg.low import one\n\n\ndef test_one():\n    assert one() == 1\n",
    "tests/test_high.py": (
        "from pkg import high\n\n\ndef test_two():\n    assert high.two() == 2\n\n\n"
        "def test_table():\n    assert high.TABLE[1] == 1\n"
    ),
}
TESTS = (
    "tests/test_low.py::test_one",
    "tests/test_high.py::test_two",
    "tests/test_high.py::test_table",
    "x.py::made[1]",
)


@pytest.fixture
def graph(tmp_path: Path) -> GraphSelection:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return GraphSelection(tmp_path, TESTS)


def change(at: int, **seen: tuple[int, ...]) -> ObservedChange:
    edits = (Edit("pkg/low.py", at, at, "    return 0\n"),)
    found = {"line": (), "function": (), "file": (), **seen}
    return ObservedChange("c", "injected", edits, failing=(0,), collectable=True, **found)


def test_the_graph_names_tests_by_distance_and_always_those_it_does_not_know(graph: GraphSelection) -> None:
    one = change(2)
    assert graph.unknown == {3}
    assert graph.definitions(one.edits) == ("pkg.low.one",)
    assert select(Way.IMPACT, 1, one, 4, graph) == {0, 3}
    assert select(Way.IMPACT, 2, one, 4, graph) >= {0, 1, 3}
    assert select(Way.AFFECTED, 3, one, 4, graph) >= select(Way.IMPACT, 3, one, 4, graph)
    assert select(Way.MODULES, 20, one, 4, graph) == {0, 1, 2, 3}


def test_code_that_runs_at_import_is_looked_for_in_the_graph(graph: GraphSelection) -> None:
    at_import = change(6)  # in `table`, which no test executes: the module high does when it is imported
    assert select(Way.COMBINED, 5, at_import, 4, graph) >= {2}, "the test that reads what was made at import"
    assert select(Way.FUNCTION, 0, at_import, 4, None) == set()


def test_what_was_seen_is_what_is_chosen() -> None:
    seen = change(2, line=(0,), function=(0, 1), file=(0, 1, 2))
    assert [len(select(way, 0, seen, 4, None)) for way in (Way.LINE, Way.FUNCTION, Way.FILE, Way.ALL)] == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="testmon was not asked"):
        select(Way.TESTMON, 0, seen, 4, None)


def test_an_insertion_changes_the_lines_around_it() -> None:
    assert list(changed_lines([Edit("m.py", 1, 0, "x\n")])) == [("m.py", 1)]
    assert list(changed_lines([Edit("m.py", 5, 4, "x\n")])) == [("m.py", 4), ("m.py", 5)]


def test_the_frontier_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "arm": ["a"] * 4,
            "package": ["p", "p", "q", "q"],
            "recall": [1.0, 1.0, 0.5, np.nan],
            "precision": [0.5, 0.5, 1.0, np.nan],
        }
    )
    clock = {"run:p": [1.0, 1.0], "all:p": [4.0, 4.0], "run:q": [2.0, 1.0], "all:q": [4.0, 4.0]}
    found = describe(rows, {"a": clock})
    packages = found.tables["packages"]
    assert isinstance(packages, dict)
    assert packages["p"]["a"]["recall"] == 1.0 and packages["p"]["a"]["time"] == 0.25
    wanted = {"recall": 0.5, "precision": 1.0, "time": 0.375, "n": 1}
    assert {name: packages["q"]["a"][name] for name in wanted} == wanted
    assert found.tables["reached"] == {"a": ["p"]}


def test_the_bound_is_the_lower_of_two() -> None:
    recalls = pd.Series([1.0] * 300 + [0.9] * 300)
    apart = recall_bound(recalls, pd.Series(["p"] * 300 + ["q"] * 300))
    assert apart < recall_bound(recalls, pd.Series(["p"] * 600)), "two packages that differ say little of a third"
