"""What templates propose, and the canonical enumeration."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.execution.trees import apply_edits
from autodev_lab.records import Diagnosis, Suspect
from autodev_lab.solvers.repair.ranking import rank_sites
from autodev_lab.solvers.repair.search import Enumeration, Limits, enumerate_candidates
from autodev_lab.solvers.repair.source import quiet
from autodev_lab.solvers.repair.template import Template
from autodev_lab.solvers.repair.templates import TEMPLATES

SOURCE = '''"""A module."""
import math
from functools import reduce

LIMIT = 10
NAMES = ("a", "b")


def _clean(text):
    return text.strip().lower()


def clamp(value, low=0, high=LIMIT):
    """Keep a value between bounds."""
    if value is None:
        return low
    if value < low or (value > high and high):
        return low if value < low else high
    return value


class Box:
    limit = 3

    def __init__(self, items, key=None):
        self.items = list(items)
        self.key = key
        self.count = len(self.items) - 1

    def first(self, default=None):
        # é ü: bytes and characters differ here
        for index, item in enumerate(self.items):
            if self.key and not self.key(item): continue
            try:
                name = "é" + str(item)[1:index + 2]; size = len(name)
            except (TypeError, ValueError):
                raise KeyError(item)
            while size > 0:
                size -= 1
                if name[size] in NAMES:
                    break
            else:
                return default
            name = str(name.replace(index, item))
            return [x for x in self.items if x], [y for y in name], f"{item!r:>{size}}"
        return max(self.items, default, key=self.key)

    def rest(self):
        total = 0
        for item in self.items:
            if item > total:
                total += math.floor(item) * 2
            elif item:
                yield item
        with open(str(total)) as handle:
            handle.read(
                1,
            )
        assert total, "none"
        del total
'''
LINES = SOURCE.count("\n")
DIAGNOSIS = Diagnosis("t", ("x",), 1, 0)


def enumerated(text: str, lines: Sequence[int], *, templates: Sequence[Template] = TEMPLATES) -> Enumeration:
    suspects = [Suspect("m.py", line, 1 / (place + 1)) for place, line in enumerate(lines)]
    return enumerate_candidates(lambda path: text, suspects, DIAGNOSIS, templates=templates)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, LINES), min_size=1, max_size=12, unique=True))
def test_every_candidate_is_another_valid_program(lines: list[int]) -> None:
    programs: set[str] = set()
    original = ast.dump(ast.parse(SOURCE))
    for entry in enumerated(SOURCE, lines).all():
        changed = apply_edits(SOURCE, entry.candidate.edits)
        with quiet():
            compile(changed, "m.py", "exec")
        assert ast.dump(ast.parse(changed)) != original
        assert changed not in programs
        programs.add(changed)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, LINES), min_size=1, max_size=12, unique=True))
def test_a_candidate_leaves_all_other_lines_alone(lines: list[int]) -> None:
    before = SOURCE.splitlines(keepends=True)
    for entry in enumerated(SOURCE, lines).all():
        edits = entry.candidate.edits
        assert all(edit.replacement == "" or edit.replacement.endswith("\n") for edit in edits)
        after = apply_edits(SOURCE, edits).splitlines(keepends=True)
        first, last = min(edit.start_line for edit in edits), max(edit.end_line for edit in edits)
        assert after[: first - 1] == before[: first - 1]
        tail = before[last:]
        assert not tail or after[-len(tail) :] == tail


def test_line_ends_of_other_lines_are_kept() -> None:
    text = SOURCE.replace("\n", "\r\n")
    entries = enumerated(text, [16, 18]).all()
    assert entries
    for entry in entries:
        changed = apply_edits(text, entry.candidate.edits)
        assert changed.startswith('"""A module."""\r\nimport math\r\n')
        with quiet():
            compile(changed, "m.py", "exec")


def test_all_templates_have_names_citations_and_something_to_propose() -> None:
    suspects = [Suspect("m.py", line, 1.0) for line in range(1, LINES + 1)]
    limits = Limits(sites=99, per_template=2)
    entries = enumerate_candidates(lambda path: SOURCE, suspects, DIAGNOSIS, limits=limits).all()
    silent = {one.name for one in TEMPLATES} - {entry.candidate.pattern for entry in entries}
    assert len({one.name for one in TEMPLATES}) == len(TEMPLATES) >= 35
    assert all(one.citation for one in TEMPLATES)
    assert silent <= {"insert-raise"}, silent


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("def f(a, b):\n    return a < b\n", "def f(a, b):\n    return a <= b\n", 2),
        ("def f(a, b):\n    return a if a else b\n", "def f(a, b):\n    return b if a else a\n", 2),
        ("def f(a):\n    return a[1:]\n", "def f(a):\n    return a[0:]\n", 2),
        ("def f(a, b):\n    return g(a, b)\n", "def f(a, b):\n    return g(b, a)\n", 2),
        ("def f(a, n=1):\n    return a * n\n", "def f(a, n=2):\n    return a * n\n", 2),
        ("def f(a):\n    return a.x\n", "def f(a):\n    if a is None:\n        return None\n    return a.x\n", 2),
        ("def f(a):\n    return sorted(a)\n", "def f(a):\n    return a\n", 2),
        ("def f(a):\n    return a\n", "def f(a):\n    return list(a)\n", 2),
        ("def f(a):\n    r.append(a)\n    return r\n", "def f(a):\n    r = []\n    r.append(a)\n    return r\n", 2),
        (
            "def f(a, b):\n    if a:\n        return 1\n    return 2\n",
            "def f(a, b):\n    if (a) and b:\n        return 1\n    return 2\n",
            2,
        ),
        (
            "def f(a):\n    try:\n        return a[0]\n    except KeyError:\n        return None\n",
            "def f(a):\n    try:\n        return a[0]\n    except IndexError:\n        return None\n",
            4,
        ),
        (
            "def f(a):\n    for x in a:\n        y = x\n    g(y)\n",
            "def f(a):\n    for x in a:\n        y = x\n        g(y)\n",
            4,
        ),
        (
            "def f(a):\n    g(b)\n    b = a\n    return b\n",
            "def f(a):\n    b = a\n    g(b)\n    return b\n",
            2,
        ),
        (
            "def f(a, b):\n    b = b.x()\n    return g(a, b)\n\n\ndef h(a, b):\n    return g(a, b)\n",
            "def f(a, b):\n    b = b.x()\n    return g(a, b)\n\n\ndef h(a, b):\n    b = b.x()\n    return g(a, b)\n",
            7,
        ),
    ],
)
def test_everyday_mistakes_are_within_reach(before: str, after: str, line: int) -> None:
    made = [apply_edits(before, entry.candidate.edits) for entry in enumerated(before, [line]).all()]
    wanted = ast.dump(ast.parse(after))
    assert wanted in [ast.dump(ast.parse(text)) for text in made]


def test_the_enumeration_goes_in_rounds() -> None:
    enumeration = enumerated(SOURCE, range(16, 45))
    entries = enumeration.all()
    assert [entry.index for entry in entries] == list(range(len(entries)))
    assert [entry.position for entry in entries] == sorted(entry.position for entry in entries)
    catalogue = {name: place for place, name in enumerate(enumeration.patterns)}
    keys = [(entry.position, catalogue[entry.candidate.pattern]) for entry in entries]
    assert keys == sorted(keys)


def test_what_is_asked_first_does_not_change_the_enumeration() -> None:
    whole = enumerated(SOURCE, range(16, 45))
    entries = whole.all()
    other = enumerated(SOURCE, range(16, 45))
    assert other.of(3, 2) == whole.of(3, 2)
    assert other.upto(50) == entries[:50]
    other.rest()
    assert other.of(len(TEMPLATES) - 1, 1) == whole.of(len(TEMPLATES) - 1, 1)
    other.rest()
    assert other.all() == entries


def test_limits_bound_the_enumeration() -> None:
    suspects = [Suspect("m.py", line, 1.0) for line in range(1, LINES)]
    limits = Limits(sites=25, per_template=3, candidates=70)
    entries = enumerate_candidates(lambda path: SOURCE, suspects, DIAGNOSIS, limits=limits).all()
    assert len(entries) == 70
    assert max(Counter(entry.candidate.pattern for entry in entries).values()) <= 3


def test_statements_named_in_a_failure_come_first_among_equals() -> None:
    suspects = [Suspect("pkg/m.py", line, 1.0) for line in (16, 17, 18)]
    diagnosis = Diagnosis("t", ("x",), 1, 0, (), ("pkg/m.py:18: TypeError",))
    plain = rank_sites(lambda path: SOURCE, suspects, DIAGNOSIS)
    named = rank_sites(lambda path: SOURCE, suspects, diagnosis)
    assert plain[0].statement.lineno == 16
    assert named[0].statement.lineno == 18


def test_a_file_that_does_not_parse_offers_nothing() -> None:
    assert enumerated("def f(:\n", [1]).all() == ()
    assert enumerated("", [1]).all() == ()


def test_the_enumeration_is_the_same_in_another_process() -> None:
    program = (
        "import hashlib, sys\n"
        "from autodev_lab.records import Diagnosis, Suspect\n"
        "from autodev_lab.solvers.repair.search import enumerate_candidates\n"
        "text = sys.stdin.buffer.read().decode()\n"
        f"suspects = [Suspect('m.py', line, 1 / (line + 1)) for line in range(1, {LINES})]\n"
        "entries = enumerate_candidates(lambda path: text, suspects, Diagnosis('t', ('x',), 1, 0)).all()\n"
        "print(hashlib.sha256(repr(entries).encode()).hexdigest())\n"
    )
    suspects = [Suspect("m.py", line, 1 / (line + 1)) for line in range(1, LINES)]
    entries = enumerate_candidates(lambda path: SOURCE, suspects, DIAGNOSIS).all()
    here = hashlib.sha256(repr(entries).encode()).hexdigest()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=SOURCE.encode(),
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        )
        assert done.stdout.decode().strip() == here
