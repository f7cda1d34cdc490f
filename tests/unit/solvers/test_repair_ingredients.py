"""What newer templates put in: siblings' code, conditions from guarded code, changes alike; and what is left out."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.execution.trees import apply_edits
from autodev_lab.records import Diagnosis, Suspect
from autodev_lab.solvers.repair.adaptation import siblings
from autodev_lab.solvers.repair.names import exchanged, likeness, shared, words_of
from autodev_lab.solvers.repair.numbers import numbers_of
from autodev_lab.solvers.repair.predicates import predicates
from autodev_lab.solvers.repair.search import enumerate_candidates
from autodev_lab.solvers.repair.site import Proposal, Site
from autodev_lab.solvers.repair.source import SourceFile, quiet
from autodev_lab.solvers.repair.template import Template, alternated, less_promising, template
from autodev_lab.solvers.repair.templates_insertions import insert_assignment, insert_call
from autodev_lab.solvers.repair.templates_operators import change_slice, off_by_one
from autodev_lab.solvers.repair.templates_pairs import change_alike
from autodev_lab.solvers.repair.templates_siblings import borrow_from_sibling
from autodev_lab.solvers.repair.templates_synthesis import synthesise_condition
from autodev_lab.solvers.repair.templates_values import change_assignment, replace_argument

RULES = """
class Rules:
    def __init__(self):
        self.allowed_schemes = set()
        self.allowed_hosts = set()

    def allow_schemes(self, *schemes):
        for scheme in schemes:
            self.allowed_schemes.add(scheme.lower())
        return self

    def allow_hosts(self, *hosts):
        for host in hosts:
            pass
        return self
"""
COPIES = """
class Counted:
    def __copy__(self):
        copy = type(self)()
        copy.__order = self.__order.copy()
        return copy


class Cached:
    def __init__(self):
        self.__data = {}

    def __len__(self):
        return len(self.__data)

    def __copy__(self):
        copy = type(self)()
        return copy
"""
PARALLEL = """
def gather(parts):
    names = []
    sizes = []
    for part in parts:
        names += part.names
    return names, sizes
"""


def at(text: str, line: int, *others: str) -> Site:
    source = SourceFile("m.py", text)
    statement = source.statement_at(line)
    assert statement is not None
    return Site(source, statement, 1.0, others=tuple(SourceFile(f"o{n}.py", one) for n, one in enumerate(others)))


def line_of(text: str, part: str, turn: int = 0) -> int:
    return [number for number, line in enumerate(text.splitlines(), start=1) if part in line][turn]


def programs(one: Template, text: str, line: int) -> list[str]:
    suspects = [Suspect("m.py", line, 1.0)]
    found = enumerate_candidates(lambda path: text, suspects, Diagnosis("t", ("x",), 1, 0), templates=[one]).all()
    return [apply_edits(text, entry.candidate.edits) for entry in found]


def texts(proposals: Iterator[Proposal]) -> list[str]:
    return ["|".join(splice.text.strip() for splice in proposal) for proposal in proposals]


CASES: list[tuple[Template, str, int, str, str]] = [
    (
        borrow_from_sibling,
        RULES,
        line_of(RULES, "pass"),
        "            pass\n",
        "            self.allowed_hosts.add(host.lower())\n",
    ),
    (
        borrow_from_sibling,
        COPIES,
        line_of(COPIES, "return copy", 1),
        "        copy = type(self)()\n        return copy\n",
        "        copy = type(self)()\n        copy.__data = self.__data.copy()\n        return copy\n",
    ),
    (
        insert_assignment,
        PARALLEL,
        line_of(PARALLEL, "names +="),
        "        names += part.names\n",
        "        names += part.names\n        sizes += part.sizes\n",
    ),
    (insert_call, "def do(func, x):\n    return x\n", 2, "    return x\n", "    func(x)\n    return x\n"),
    (
        synthesise_condition,
        "def once(key, seen):\n    if True:\n        seen.add(key)\n    return seen\n",
        2,
        "if True:",
        "if key not in seen:",
    ),
    (
        synthesise_condition,
        "def f(a, b):\n    red, blue = a, b\n    if red > 0:\n        return 1\n    return 2\n",
        3,
        "if red > 0:",
        "if (red > 0) and blue > 0:",
    ),
    (
        synthesise_condition,
        "def f(queue):\n    if queue[0] > 1:\n        return 1\n    return 2\n",
        2,
        "if queue[0] > 1:",
        "if not queue or (queue[0] > 1):",
    ),
    (
        change_alike,
        "def f(a, b, c):\n    return a + c.get(a, b)\n",
        2,
        "a + c.get(a, b)",
        "b + c.get(b, b)",
    ),
    (
        change_alike,
        "def f(x):\n    y = x[0] + 3\n    return x[0] * y\n",
        2,
        "    y = x[0] + 3\n    return x[0] * y\n",
        "    y = x[1] + 3\n    return x[1] * y\n",
    ),
    (change_slice, "def f(x):\n    return x[1:3] + x[:5]\n", 2, "x[:5]", "x[3:5]"),
    (replace_argument, "def f(cls, size, tag):\n    return cls(size, cls)\n", 2, "size, cls)", "size, tag)"),
]


@pytest.mark.parametrize(("one", "text", "line", "old", "new"), CASES, ids=lambda part: getattr(part, "name", None))
def test_the_missing_piece_is_made(one: Template, text: str, line: int, old: str, new: str) -> None:
    wanted = text.replace(text[text.rindex(old) :], new + text[text.rindex(old) + len(old) :])
    assert ast.dump(ast.parse(wanted)) in [ast.dump(ast.parse(made)) for made in programs(one, text, line)]


@pytest.mark.parametrize("one", [borrow_from_sibling, synthesise_condition, change_alike], ids=lambda one: one.name)
def test_each_new_template_gives_other_programs_that_compile_in_one_order(one: Template) -> None:
    for text in (RULES, COPIES, PARALLEL, *(case[1] for case in CASES)):
        for line in range(1, text.count("\n") + 1):
            made = programs(one, text, line)
            assert made == programs(one, text, line)
            assert len(set(made)) == len(made)
            for program in made:
                with quiet():
                    compile(program, "m.py", "exec")
                assert ast.dump(ast.parse(program)) != ast.dump(ast.parse(text))


def test_siblings_are_the_functions_most_alike_here_rather_than_in_another_file() -> None:
    other = "def allow_schemes(self, *schemes):\n    return self\n"
    site = at(RULES, line_of(RULES, "pass"), other)
    found = [(words.functions_defined[0].name, function.name) for words, function in siblings(site)]
    assert found[0] == ("__init__", "allow_schemes")
    assert ("allow_schemes", "allow_schemes") in found
    assert all(function is not site.function for _, function in siblings(site))


def test_a_statement_with_an_unknown_attribute_is_not_borrowed() -> None:
    text = textwrap.dedent(
        """
        def keep_old(box, item):
            box.old.push(item)
            return box


        def keep_new(box, item):
            return box
        """
    )
    made = programs(borrow_from_sibling, text, line_of(text, "return box", 1))
    assert not any("box.new" in program for program in made)
    assert any(program.count("box.old.push(item)") == 2 for program in made)


def test_predicates_follow_from_what_the_code_does() -> None:
    text = "def f(key, table, other):\n    if True:\n        del table[key]\n"
    branch = at(text, 2).statement
    assert isinstance(branch, ast.If)
    assert predicates(at(text, 2), branch.body)[0] == "key in table"
    stored = "def f(key, table, other):\n    if True:\n        table[key] = 1\n"
    branch = at(stored, 2).statement
    assert isinstance(branch, ast.If)
    assert predicates(at(stored, 2), branch.body)[0] == "key not in table"


def test_a_variable_is_not_offered_before_it_has_a_value() -> None:
    text = "def f(a):\n    b = a\n    c = b\n    return c\n"
    assert set(at(text, 2).locals) == {"a"}
    assert set(at(text, 3).locals) == {"a", "b"}
    assert set(at(text, 4).locals) == {"a", "b", "c"}
    looped = "def f(a):\n    for x in a:\n        y = x\n        z = y\n"
    assert set(at(looped, 3).locals) == {"a", "x", "y", "z"}


def test_nothing_is_added_to_a_variable_without_a_value() -> None:
    fresh = "def f(a):\n    b = a\n    return b\n"
    again = "def f(a):\n    b = 0\n    b = a\n    return b\n"
    assert not any("+=" in one for one in texts(change_assignment.propose(at(fresh, 2))))
    assert any(one == "b += a" for one in texts(change_assignment.propose(at(again, 3))))


def test_only_numbers_are_counted_on() -> None:
    text = "def f(name, size=1):\n    width = len(name)\n    return make(name, size, width)\n"
    assert numbers_of(at(text, 3)) == {"size", "width"}
    found = texts(off_by_one.propose(at(text, 3)))
    assert "width + 1" in found
    assert not any(one.startswith("name") for one in found)


def test_a_caught_exception_is_a_variable_of_its_function() -> None:
    text = "def f(a):\n    try:\n        g(a)\n    except KeyError as error:\n        h(a)\n"
    assert "error" in at(text, 5).locals


def test_variables_are_kin_by_their_binding_then_by_their_names() -> None:
    text = "def f(left_key, key, right_key):\n    a, b = 1, 2\n    return a\n"
    assert at(text, 3).kin("a")[0] == "b"
    assert at(text, 3).kin("left_key")[0] in ("right_key", "key")
    assert at(text, 3).kin("nothing") == ()


def test_what_is_less_promising_waits_for_other_statements() -> None:
    @template("wait", "test")
    def wait(site: Site) -> Iterator[Proposal]:
        if site.statement.lineno == 2:
            yield from less_promising(by=3)
        yield from site.before("pass", "x = 1")
        yield from site.before("pass", "x = 2")

    text = "def f(x):\n    x = g(x)\n    return x\n"
    suspects = [Suspect("m.py", line, 1.0) for line in (2, 3)]
    found = enumerate_candidates(lambda path: text, suspects, Diagnosis("t", ("x",), 1, 0), templates=[wait]).all()
    assert [entry.candidate.edits[0].start_line for entry in found] == [3, 3, 2, 2]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: alternated(iter("abc"), iter("x"), iter("")), ["a", "x", "b", "c"]),
        (lambda: alternated(), []),
        (lambda: alternated(iter([None, 1]), iter([2])), [None, 2, 1]),
    ],
)
def test_alternated_takes_turns(make: Callable[[], Iterator[object]], expected: list[object]) -> None:
    assert list(make()) == expected


WORD = st.from_regex(r"[a-z]{2,6}", fullmatch=True)


@given(st.lists(WORD, min_size=1, max_size=3, unique=True), WORD, WORD)
def test_an_exchange_of_words_comes_back(rest: list[str], old: str, new: str) -> None:
    if {old, new, f"{old}s", f"{new}s", old[:-1], new[:-1]} & set(rest) or old == new:
        return
    if old.rstrip("s") != old or new.rstrip("s") != new:
        return
    there, here = "_".join((*rest, old)), "_".join((*rest, new))
    text = f"{old}(self.{there}, {rest[0]})"
    made = exchanged(text, there, here)
    assert exchanged(made, here, there) == text
    assert new in words_of(made)
    assert old not in words_of(made)


@given(st.frozensets(WORD), st.frozensets(WORD))
def test_a_share_is_a_share(one: frozenset[str], other: frozenset[str]) -> None:
    assert 0 <= shared(one, other) == shared(other, one) <= 1
    assert shared(one, one) == bool(one)


@given(WORD, WORD)
def test_a_name_is_most_like_itself(one: str, other: str) -> None:
    assert likeness(one, other) == likeness(other, one) <= likeness(one, one)
    assert re.fullmatch(r"[a-z]+", words_of(one)[0])
