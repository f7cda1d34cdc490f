"""Older code put back: what counts as a change, what comes with it, and that the edits say exactly that."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.execution.trees import apply_edits
from autodev_lab.streams.reversals import MOST_PLACES, FileChange, Reversal, together
from autodev_lab.streams.units import Module, free_names, own_attributes

BODIES = st.lists(
    st.sampled_from(["x = a", "x = a + 1", "return a", "if a:\n        x = 2", "# note", "print(a)"]), max_size=4
)
FUNCTIONS = st.dictionaries(st.sampled_from(["f", "g", "h", "k"]), BODIES, min_size=1)


def module_of(functions: dict[str, list[str]]) -> str:
    parts = []
    for name, body in functions.items():
        lines = "".join(f"    {line}\n" for line in [*body, "return None"])
        parts.append(f"def {name}(a):\n{lines}")
    return "\n\n".join(parts)


def change(older: str, newer: str) -> FileChange:
    return FileChange("m.py", dedent(older), dedent(newer))


def applied(one: FileChange, reversal: Reversal) -> str:
    return apply_edits(one.newer.text, reversal.edits)


@given(FUNCTIONS, FUNCTIONS)
@settings(max_examples=60, deadline=None)
def test_each_reversal_gives_one_function_its_older_code_and_leaves_the_others(
    older: dict[str, list[str]], newer: dict[str, list[str]]
) -> None:
    one = FileChange("m.py", module_of(older), module_of(newer))
    for reversal in one.reversals():
        ((_, name),) = reversal.places
        after = Module(applied(one, reversal)).units
        assert after[name].code == one.older.units[name].code != one.newer.units[name].code
        assert {other: unit.code for other, unit in after.items() if other != name} == {
            other: unit.code for other, unit in one.newer.units.items() if other != name
        }


@given(FUNCTIONS, FUNCTIONS)
@settings(max_examples=60, deadline=None)
def test_all_changes_together_are_the_older_file(older: dict[str, list[str]], newer: dict[str, list[str]]) -> None:
    one = FileChange("m.py", module_of(older), module_of(newer))
    whole = together([one])
    if whole is not None:
        assert applied(one, whole) == one.older.text
        assert {name for _, name in whole.places} == {after.qualname for _, after in one.changed}


def test_layout_comments_docstrings_and_annotations_are_no_change() -> None:
    one = change(
        'def f(a, b):\n    "Old words."\n    return a+b\n',
        'def f(a: int, b: int) -> int:\n    """New words."""\n    # a note\n    return (\n        a + b\n    )\n',
    )
    assert (one.changed, one.relaid, list(one.reversals()), together([one])) == ([], 1, [], None)


def test_the_edit_is_as_small_as_the_change() -> None:
    one = change("def f(a):\n    b = 1\n    c = a\n    return c\n", "def f(a):\n    b = 1\n    c = b\n    return c\n")
    (reversal,) = one.reversals()
    (edit,) = reversal.edits
    assert (edit.start_line, edit.end_line, edit.replacement) == (3, 3, "    c = a\n")
    assert (reversal.reach, reversal.at_import) == ((("m.py", 2, 4),), False)


def test_methods_keep_their_class_and_its_indentation() -> None:
    older = "class A:\n  def f(self):\n    return 1\n"
    newer = "import os\n\n\nclass A:\n    size = 2\n\n    def f(self):\n        return 2\n"
    one = change(older, newer)
    (reversal,) = one.reversals()
    assert applied(one, reversal) == newer.replace("return 2", "return 1").replace("        return", "      return")
    assert reversal.places == (("m.py", "A.f"),)


def test_what_the_older_code_needs_comes_with_it() -> None:
    one = change(
        """
        from tools import mend, spoil
        LOW = 1

        def _helper(x):
            return _deeper(x)

        def _deeper(x):
            return x + LOW

        class A:
            def _own(self):
                return mend

            def f(self):
                return _helper(self._own())
        """,
        """
        class A:
            def f(self):
                return 3
        """,
    )
    (reversal,) = one.reversals()
    text = applied(one, reversal)
    units = Module(text).units
    assert list(units) == ["mend", "LOW", "_helper", "_deeper", "A._own", "A.f"]
    assert "from tools import mend\n" in text
    assert "spoil" not in text
    assert units["A.f"].code == one.older.units["A.f"].code


def test_older_code_that_needs_what_cannot_be_put_back_alone_is_left_out_and_counted() -> None:
    one = change(
        "try:\n    import fast\nexcept ImportError:\n    fast = None\n\n\ndef f(a):\n    return fast or a\n",
        "def f(a):\n    return a\n",
    )
    assert list(one.reversals()) == []
    assert one.unresolved == 1
    whole = together([one])
    assert whole is not None
    assert applied(one, whole) == one.older.text


def test_a_constant_can_be_faulty_but_not_a_version_or_an_export() -> None:
    one = change(
        "__version__ = '1'\nVERSION = 1\n__all__ = ['a']\nLIMIT = 1\n\n\nclass A:\n    size = 1\n",
        "__version__ = '2'\nVERSION = 2\n__all__ = ['b']\nLIMIT = 2\n\n\nclass A:\n    size = 2\n",
    )
    found = list(one.reversals())
    assert [reversal.places for reversal in found] == [(("m.py", "LIMIT"),), (("m.py", "A.size"),)]
    assert all(reversal.at_import and not reversal.reach for reversal in found)
    assert together([one]) is None, "no function changed"


def test_new_functions_have_no_older_code_and_rewrites_are_no_fix() -> None:
    new = change("def f():\n    return 1\n", "def f():\n    return 1\n\n\ndef g():\n    return 2\n")
    assert (list(new.reversals()), together([new])) == ([], None)
    count = MOST_PLACES + 1
    rewrite = change(
        "".join(f"def f{index}():\n    return 1\n" for index in range(count)),
        "".join(f"def f{index}():\n    return 2\n" for index in range(count)),
    )
    assert len(list(rewrite.reversals())) == count
    assert together([rewrite]) is None


@pytest.mark.parametrize(
    ("older", "newer", "differs"),
    [
        ("def f(a): return 1", "def f(a): return 2", False),
        ("def f(a): return 1", "def f(a: int): return 2", False),
        ("def f(a): return 1", "def f(a, b=None): return 2", True),
        ("def f(a=1): return 1", "def f(a=2): return 1", True),
        ("def f(a): return 1", "def f(*a): return 1", True),
    ],
)
def test_other_parameters_are_noted(older: str, newer: str, differs: bool) -> None:
    (reversal,) = change(older + "\n", newer + "\n").reversals()
    assert reversal.interface_changed is differs


def test_equal_changes_are_known_again_wherever_they_are() -> None:
    older, newer = "def f(a):\n    return a\n", "def f(a):\n    return a + 1\n"
    first = change(older, newer)
    moved = change("X = 1\n\n\n" + older, "X = 1\n\n\n" + newer)
    assert [one.identity for one in first.reversals()] == [one.identity for one in moved.reversals()]
    whole = together([first])
    assert whole is not None
    assert whole.identity == next(first.reversals()).identity, "a single function's change is all of it"


def test_line_ends_of_the_newer_file_are_kept() -> None:
    one = change("def f(a):\r\n    return a\r\n", "def f(a):\n    return a + 1\n")
    assert [edit.replacement for edit in next(one.reversals()).edits] == ["    return a\n"]
    back = change("def f(a):\n    return a\n", "def f(a):\r\n    return a + 1\r\n")
    assert [edit.replacement for edit in next(back.reversals()).edits] == ["    return a\r\n"]


def test_names_from_outside() -> None:
    code = ast.parse(
        "def f(a, *b, c=D):\n    import e\n    with a as g:\n        return [h for h in b if e.x(g, len(i))]\n"
    )
    assert free_names(code) == {"D", "i"}
    assert own_attributes(ast.parse("self.a + self.b.c + other.d\nself.e = 1\n")) == {"a", "b"}
