"""Static evidence: only what a change adds counts."""

from __future__ import annotations

from autodev_lab.environments.differential import module_of, mutated_inputs
from autodev_lab.environments.inspection import import_graph, inspect_change, reachable

BEFORE = {
    "pkg/__init__.py": "",
    "pkg/a.py": "import os\n\n\ndef f(x):\n    if x:\n        return 1\n    return 2\n",
    "pkg/b.py": "from pkg import a\n",
    "pkg/c.py": "from . import b\n",
}


def changed(path: str, old: str, new: str) -> dict[str, str]:
    assert old in BEFORE[path]
    return {**BEFORE, path: BEFORE[path].replace(old, new)}


def test_findings_that_were_there_before_do_not_count() -> None:
    seen = inspect_change("t", BEFORE, changed("pkg/a.py", "return 1", "return 3"))
    assert (seen.lint, seen.security) == (0, 0)
    assert (seen.lines_added, seen.lines_removed, seen.files) == (1, 1, 1)


def test_new_findings_count() -> None:
    seen = inspect_change("t", BEFORE, changed("pkg/a.py", "return 1", "return undefined == None"))
    assert seen.lint == 2
    seen = inspect_change("t", BEFORE, changed("pkg/a.py", "return 1", "return os.system('ls ' + x)"))
    assert (seen.security, seen.security_severe) == (1, 1)


def test_complexity_is_that_of_the_function_touched() -> None:
    seen = inspect_change("t", BEFORE, changed("pkg/a.py", "    if x:\n", "    if x and x > 1:\n"))
    assert (seen.complexity_before, seen.complexity_after) == (2, 3)


def test_dependents_and_dependencies_follow_imports() -> None:
    graph = import_graph(BEFORE)
    assert graph["pkg/b.py"] == ("pkg/__init__.py", "pkg/a.py")
    assert reachable(graph, ["pkg/c.py"]) == set(BEFORE)
    seen = inspect_change("t", BEFORE, changed("pkg/b.py", "a\n", "a as a\n"))
    assert (seen.dependents, seen.dependencies, seen.modules) == (1, 2, 4)


def test_mutated_inputs_are_the_same_each_time_and_keep_the_recorded_ones() -> None:
    recorded = ["((1, 'a'), {})", "(([1, 2],), {'key': 3})"]
    inputs = mutated_inputs(recorded, 5)
    assert inputs[:2] == recorded
    assert inputs == mutated_inputs(recorded, 5)
    assert len(inputs) > 3
    assert all(set(eval(text)[1]) <= {"key"} for text in inputs)
    assert module_of("lib/p/q.py", "lib") == "p.q"
