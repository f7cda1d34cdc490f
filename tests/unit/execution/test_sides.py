"""The split of tests into sides, and trees that hold chosen sides only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.execution.sides import Side, Sides, assign_sides, function_name, write_side_tree
from autodev_lab.execution.stripping import names_of_tests, strip_tests
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import SourceTree
from autodev_lab.records import Edit

SEED = 7
NAMES = [f"test_{index}" for index in range(60)]
SIDES = Sides(NAMES, SEED)
VISIBLE = [name for name in NAMES if SIDES.of(name) is Side.VISIBLE]
HIDDEN = [name for name in NAMES if SIDES.of(name) is not Side.VISIBLE]


def names_in(text: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def is_visible(name: str) -> bool:
    return SIDES.of(name) is Side.VISIBLE


@given(st.text("abc_", min_size=1), st.text("[]:-x1", max_size=6), st.integers(0, 9), st.booleans())
def test_cases_of_a_function_share_a_side(name: str, case: str, seed: int, known: bool) -> None:
    sides = Sides([*NAMES, f"test_{name}"] if known else NAMES, seed)
    plain = sides.of(f"tests/test_a.py::test_{name}")
    assert sides.of(f"tests/test_a.py::test_{name}[{case}]") is plain
    assert sides.of(f"other.py::TestA::test_{name}[{case}]") is plain
    assert sides.of(f"test_{name}") is plain


@given(st.integers(0, 99), st.integers(0, 14))
def test_every_neighbourhood_has_every_side(seed: int, block: int) -> None:
    drawn = sorted(Sides(NAMES, seed).of(name) for name in NAMES[4 * block : 4 * block + 4])
    assert drawn == sorted([Side.VISIBLE, Side.VISIBLE, Side.EXPOSURE, Side.ORACLE])


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_no_place_is_favoured(number: int) -> None:
    drawn = [Sides(NAMES, seed).of(NAMES[number]) for seed in range(800)]
    assert drawn.count(Side.VISIBLE) / 800 == pytest.approx(0.5, abs=0.06)
    assert drawn.count(Side.EXPOSURE) / 800 == pytest.approx(0.25, abs=0.06)


def test_functions_nobody_wrote_down_are_split_too() -> None:
    drawn = [Sides((), SEED).of(f"test_{index}") for index in range(2000)]
    assert drawn.count(Side.VISIBLE) / 2000 == pytest.approx(0.5, abs=0.05)
    assert drawn.count(Side.ORACLE) / 2000 == pytest.approx(0.25, abs=0.05)


def test_a_few_tests_are_visible_first() -> None:
    assert Sides(["test_a"], SEED).of("test_a") is Side.VISIBLE
    assert sorted(Sides(["test_a", "test_b"], SEED).of(name) for name in ("test_a", "test_b")) == [
        Side.EXPOSURE,
        Side.VISIBLE,
    ]


def test_names_of_tests_in_source_order() -> None:
    text = (
        "@pytest.fixture\ndef test_data(): pass\n\ndef test_b(): pass\n\ntry:\n    pass\nexcept E:\n"
        "    class T:\n        async def test_a(self): pass\n\n    test_c = make()\ndef helper():\n"
        "    def test_inner(): pass\ndef test_b(): pass\n"
    )
    assert names_of_tests(text) == ("test_b", "test_a", "test_c")


def test_the_split_does_not_depend_on_the_bug_or_the_place(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "one")
    split = assign_sides(subject, SEED)
    copy = make_subject(tmp_path / "other")
    (copy.tree.root / "pkg" / "__init__.py").write_text("x = 3\n")
    assert [assign_sides(copy, SEED).of(name) for name in NAMES] == [split.of(name) for name in NAMES]
    assert [assign_sides(copy, SEED + 1).of(name) for name in NAMES] != [split.of(name) for name in NAMES]


def test_function_name_of_an_unusual_case() -> None:
    assert function_name("tests/a.py::TestX::test_y[a::b]") == "test_y"
    assert function_name("test_y") == "test_y"


def test_everything_else_keeps_its_form() -> None:
    gone, kept = HIDDEN[0], VISIBLE[0]
    text = (
        "# head\nimport os  # used\n\n\n@mark.parametrize(\n    'x', [1]\n)\n"
        f"def {gone}(x):\n    assert x\n\n\n# about the next\n@mark.slow  # why\nasync def {kept}():\n    '''Doc.'''\n"
        "\n\ndef helper():\n    '''\n    >>> 1\n    1\n    '''\n"
    )
    after = strip_tests(text, is_visible)
    assert names_in(after) == [kept, "helper"]
    start = text.index("@mark.parametrize")
    end = text.index("\n\n# about")
    assert after == text[:start] + text[end:]


def test_methods_and_emptied_classes() -> None:
    gone, other = HIDDEN[:2]
    first = f"    def {gone}(self):\n        pass\n\n"
    second = f"    async def {other}(self):\n        pass\n\n"
    text = f"class TestA(unittest.TestCase):\n{first}{second}X = 1\n"
    after = strip_tests(text, is_visible)
    assert names_in(after) == []
    assert ast.parse(after).body[0].body[0].__class__ is ast.Pass  # type: ignore[attr-defined]
    assert "X = 1" in after


def test_emptied_conditions_and_handlers() -> None:
    gone = HIDDEN[0]
    block = f"    def {gone}():\n        pass\n"
    text = f"try:\n    import a\nexcept ImportError:\n{block}else:\n{block}"
    after = strip_tests(text, is_visible)
    assert names_in(after) == []
    ast.parse(after)


def test_a_test_that_something_refers_to_leaves_an_empty_one() -> None:
    gone = HIDDEN[0]
    text = f"def {gone}():\n    secret = 1\n\n{gone}.marker = 3\n"
    after = strip_tests(text, is_visible)
    assert "secret" not in after
    exec(compile(after, "m", "exec"), {})


def test_fixtures_and_data_with_test_names_stay() -> None:
    gone, data = HIDDEN[:2]
    text = f"@pytest.fixture()\ndef {gone}():\n    return 1\n\n{data} = load()\nprint({data})\n"
    assert strip_tests(text, is_visible) == text


def test_tests_made_by_assignment_go() -> None:
    text = f"{HIDDEN[0]} = make(1)\n{HIDDEN[1]} = lambda: None\nx = 1\n"
    assert strip_tests(text, is_visible) == "x = 1\n"


@given(st.lists(st.sampled_from(NAMES), unique=True), st.booleans())
@settings(max_examples=50, deadline=None)
def test_sides_are_disjoint_and_complete(names: list[str], in_class: bool) -> None:
    indent = "    " if in_class else ""
    head = "class TestX:\n    x = 1\n" if in_class else ""
    text = head + "".join(f"{indent}def {name}(self=None):\n{indent}    assert True\n" for name in names)
    parts = [names_in(strip_tests(text, lambda name, side=side: SIDES.of(name) is side)) for side in Side]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert strip_tests(text, lambda name: True) == text


def make_subject(root: Path) -> Subject:
    (root / "pkg" / "tests").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text("x = 1\n")
    (root / "pkg" / "tests" / "__init__.py").write_text("")
    (root / "pkg" / "tests" / "conftest.py").write_text(f"def {HIDDEN[0]}(): pass\n")
    (root / "pkg" / "tests" / "data.txt").write_text("data")
    (root / "pkg" / "tests" / "broken.py").write_text("print 'old'\n")
    lines = [f"def {name}():\n    assert True\n" for name in NAMES]
    (root / "pkg" / "tests" / "test_all.py").write_text("\n".join(lines))
    (root / "pkg" / "helpers.py").write_text(f"def {HIDDEN[0]}(): return 1\n")
    for junk in (".git/config", "pkg/__pycache__/a.pyc", "pkg.egg-info/PKG-INFO", ".hypothesis/x"):
        (root / junk).parent.mkdir(parents=True, exist_ok=True)
        (root / junk).write_text("junk")
    return Subject("pkg", "1", SourceTree(root, "pkg", "", "pkg", ("pkg/tests",)), "hash", "MIT", "pkg")


def test_side_tree(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "pristine")
    edit = Edit("pkg/__init__.py", 1, 1, "x = 2\n")
    tree = write_side_tree(subject, [Side.VISIBLE], tmp_path / "visible", seed=SEED, edits=[edit])
    assert tree.root == tmp_path / "visible"
    assert (tree.root / "pkg" / "__init__.py").read_text() == "x = 2\n"
    assert names_in((tree.root / "pkg/tests/test_all.py").read_text()) == VISIBLE
    files = {path.relative_to(tree.root).as_posix() for path in tree.root.rglob("*") if path.is_file()}
    assert files == {
        "pkg/__init__.py", "pkg/helpers.py", "pkg/tests/__init__.py", "pkg/tests/conftest.py", "pkg/tests/data.txt",
        "pkg/tests/broken.py", "pkg/tests/test_all.py",
    }  # fmt: skip
    assert HIDDEN[0] in (tree.root / "pkg/helpers.py").read_text()
    assert HIDDEN[0] in (tree.root / "pkg/tests/conftest.py").read_text()
    assert (subject.tree.root / "pkg" / "__init__.py").read_text() == "x = 1\n"


def test_an_existing_destination_is_left_alone(tmp_path: Path) -> None:
    subject = make_subject(tmp_path / "pristine")
    with pytest.raises(FileExistsError):
        write_side_tree(subject, [Side.ORACLE], tmp_path / "pristine", seed=SEED)
