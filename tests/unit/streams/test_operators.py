"""Every fault operator makes the mistake it names, and nothing else."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.execution.trees import apply_edits, split_lines
from autodev_lab.resources import resource
from autodev_lab.streams.mutations import Mutant, enumerate_mutants
from autodev_lab.streams.operators import OPERATORS, choose_operators

EXAMPLES = [
    ("comparison_swap", "def f(a, b):\n    return a < b\n", "    return a <= b\n"),
    ("membership_swap", "def f(a, b):\n    return a not in b\n", "    return a in b\n"),
    ("identity_swap", "def f(a):\n    return a is None\n", "    return a is not None\n"),
    ("boolean_swap", "def f(a, b):\n    return a and b\n", "    return a or b\n"),
    ("arithmetic_swap", "def f(a):\n    a += 2\n    return a\n", "    a -= 2\n"),
    ("arithmetic_swap", "def f(a, b):\n    return (a + # why\n        b) * 2\n", "        b) + 2\n"),
    ("negated_condition", "def f(a):\n    if a:  # note\n        return 1\n", "    if not (a):  # note\n"),
    ("negated_condition", "def f(a):\n    return not a\n", "    return (a)\n"),
    ("removed_condition", "def f(a, b):\n    return a and b\n", "    return (b)\n"),
    ("off_by_one", "def f(a):\n    return a[1:]\n", "    return a[2:]\n"),
    ("off_by_one", "def f(a):\n    return range(len(a))\n", "    return range(len(a) - 1)\n"),
    ("wrong_constant", "def f():\n    return True\n", "    return False\n"),
    ("wrong_constant", 'def f():\n    return "Ab"\n', '    return ""\n'),
    ("wrong_default", "def f(a=True):\n    return a\n", "def f(a=False):\n"),
    ("wrong_variable", "def f(a, b):\n    return a\n", "    return b\n"),
    ("swapped_arguments", "def f(a, b):\n    return g(a,  b)\n", "    return g(b,  a)\n"),
    ("wrong_name", "def f(a):\n    return a.strip()\n", "    return a.lstrip()\n"),
    ("wrong_slice", "def f(a):\n    return a[1:2]\n", "    return a[1:]\n"),
    ("removed_keyword", "def f(a):\n    return g(a, key=len)\n", "    return g(a)\n"),
    ("wrong_keyword", "def f(a):\n    return g(x=a, y=2)\n", "    return g(x=2, y=a)\n"),
    ("removed_unary", "def f(a):\n    return -a\n", "    return (a)\n"),
    ("removed_call_around", "def f(a):\n    return list(a)\n", "    return (a)\n"),
    ("removed_call", "def f(a):\n    a.sort()\n    return a\n", ""),
    ("removed_call", "def f(a):\n    if a:\n        a.sort()\n", "        pass\n"),
    ("removed_assignment", "def f(a):\n    a.b = 1\n    return a\n", ""),
    ("removed_accumulation", "def f(a):\n    a += 1\n    return a\n", "    a = 1\n"),
    ("missing_guard", "def f(a):\n    if not a:\n        return 0\n    return 1\n", ""),
    ("missing_condition", "def f(a):\n    if a:\n        a.pop()\n    return a\n", "    if True:\n"),
    ("missing_branch", "def f(a):\n    if a:\n        b = 1\n    else:\n        b = 2\n    return b\n", ""),
    ("removed_branch_body", "def f(a):\n    if a:\n        return 1\n    else:\n        return 2\n", "    if False:\n"),
    ("missing_return", "def f(a):\n    if a:\n        return g(a)\n    return 1\n", "        (g(a))\n"),
    ("wrong_return", "def f(a):\n    return a == 1\n", "    return not (a == 1)\n"),
    (
        "early_return",
        "def f(a):\n    s = 0\n    for x in a:\n        s += x\n    return s\n",
        "        s += x\n        return s\n",
    ),
    ("loop_boundary", "def f(a):\n    for x in a:\n        break\n", "        continue\n"),
    ("skipped_loop", "def f(a):\n    for x in a:\n        g(x)\n", "    for x in list(a)[1:]:\n"),
    ("wrong_exception", "def f():\n    raise ValueError('x')\n", "    raise TypeError('x')\n"),
    (
        "wrong_exception",
        "def f():\n    try:\n        g()\n    except (A, KeyError):\n        pass\n",
        "    except (A, IndexError):\n",
    ),
    ("swapped_statements", "def f(a):\n    b = a\n    a = 2\n    return b\n", "    a = 2\n    b = a\n"),
]  # fmt: skip


def mutants_of(code: str, *names: str) -> tuple[Mutant, ...]:
    return enumerate_mutants("m.py", code, choose_operators(names or None))


@pytest.mark.parametrize(("name", "code", "replacement"), EXAMPLES)
def test_operator_makes_its_mistake(name: str, code: str, replacement: str) -> None:
    assert replacement in [mutant.edit.replacement for mutant in mutants_of(code, name)]


def test_every_operator_has_an_example_and_a_reference() -> None:
    assert {operator.name for operator in OPERATORS} == {name for name, _, _ in EXAMPLES}
    assert len(OPERATORS) >= 16
    assert all(operator.reference and operator.description for operator in OPERATORS)


def pocketkit_sources() -> list[tuple[str, str]]:
    root = resource("data/subjects/pocketkit/pocketkit")
    return [(path.name, path.read_text(encoding="utf-8")) for path in sorted(root.glob("*.py"))]


def test_all_mutants_of_a_package_compile_and_differ() -> None:
    seen = set()
    for name, text in pocketkit_sources():
        before = ast.dump(ast.parse(text))
        mutants = enumerate_mutants(name, text, OPERATORS)
        often = {name for name, count in Counter(mutant.operator for mutant in mutants).items() if count > 9}
        rare = [mutant for mutant in mutants if mutant.operator not in often]
        for mutant in [*rare, *mutants[::29]]:
            after = apply_edits(text, [mutant.edit])
            assert ast.dump(ast.parse(after)) != before, mutant
            compile(after, name, "exec")
            seen.add(mutant.operator)
    assert seen == {operator.name for operator in OPERATORS}


CORPUS = [(name, text, enumerate_mutants(name, text, OPERATORS)) for name, text in pocketkit_sources()]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_everything_outside_the_edit_stays_as_it_was(data: st.DataObject) -> None:
    name, text, mutants = data.draw(st.sampled_from([one for one in CORPUS if one[2]]))
    mutant = data.draw(st.sampled_from(mutants))
    before, after = split_lines(text), split_lines(apply_edits(text, [mutant.edit]))
    assert mutant.edit.path == name
    assert after[: mutant.edit.start_line - 1] == before[: mutant.edit.start_line - 1]
    kept = len(before) - mutant.edit.end_line
    assert after[len(after) - kept :] == before[mutant.edit.end_line :]


def test_enumeration_is_the_same_every_time() -> None:
    name, text = pocketkit_sources()[1]
    assert enumerate_mutants(name, text, OPERATORS) == enumerate_mutants(name, text, OPERATORS)


def test_only_covered_lines_and_function_bodies() -> None:
    code = "LIMIT = 1 < 2\nclass A:\n    x = 3 + 4\n\n\ndef f(a):\n    return a + 1\n\n\ndef g(a):\n    return a + 1\n"
    lines = {mutant.edit.start_line for mutant in enumerate_mutants("m.py", code, OPERATORS, {1, 3, 6, 7})}
    assert lines == {7}
    assert enumerate_mutants("m.py", code, OPERATORS, set()) == ()


def test_a_default_counts_as_covered_when_the_body_is() -> None:
    code = "def f(a=1):\n    return a\n"
    assert [m.edit.start_line for m in enumerate_mutants("m.py", code, choose_operators(["wrong_default"]), {2})] == [
        1,
        1,
    ]


def test_qualnames() -> None:
    code = "class A:\n    def f(self):\n        def g(x):\n            return x < 1\n        return g(2)\n"
    names = {mutant.qualname for mutant in mutants_of(code, "comparison_swap")}
    assert names == {"A.f.<locals>.g"}


def test_docstrings_annotations_and_fstrings_are_left_alone() -> None:
    code = 'def f(a: "x" = None) -> "y":\n    """Doc 1 < 2."""\n    return f"{a + 1}"\n'
    touched = {mutant.operator for mutant in mutants_of(code)}
    assert "arithmetic_swap" not in touched
    assert "wrong_constant" not in touched


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_columns_are_bytes_and_line_ends_stay(newline: str) -> None:
    code = newline.join(["def f(a, b):", "    é = 'ü'; c = a < b  # ö", "    return c, é", ""])
    edit = mutants_of(code, "comparison_swap")[0].edit
    assert edit.replacement == f"    é = 'ü'; c = a <= b  # ö{newline}"


def test_unknown_operator_is_a_clear_error() -> None:
    with pytest.raises(LabError, match="unknown fault operator nonsense"):
        choose_operators(["nonsense"])
    with pytest.raises(LabError, match="no fault operator"):
        choose_operators([])


def test_this_repository_can_be_mutated_too() -> None:
    source = Path(resource("data")).parent / "autodev_lab" / "files.py"
    if not source.exists():
        pytest.skip("no checkout")
    text = source.read_text(encoding="utf-8")
    mutants = list(enumerate_mutants("files.py", text, OPERATORS))
    assert len(mutants) > 10
    for mutant in mutants:
        changed = apply_edits(text, [mutant.edit])
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))
