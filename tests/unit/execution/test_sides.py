"""The split of tests into sides, and trees that hold chosen sides only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodev_lab.execution.sides import Side, function_name, side_of, strip_tests, write_side_tree
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import SourceTree
from autodev_lab.records import Edit

SEED = 7
NAMES = [f"test_{index}" for index in range(60)]
VISIBLE = [name for name in NAMES if side_of(name, SEED) is Side.VISIBLE]
HIDDEN = [name for name in NAMES if side_of(name, SEED) is not Side.VISIBLE]


def names_in(text: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@given(st.text("abc_", min_size=1), st.text("[]:-x1", max_size=6), st.integers(0, 9))
def test_cases_of_a_function_share_a_side(name: str, case: str, seed: int) -> None:
    plain = side_of(f"tests/test_a.py::test_{name}", seed)
    assert side_of(f"tests/test_a.py::test_{name}[{case}]", seed) is plain
    assert side_of(f"other.py::TestA::test_{name}[{case}]", seed) is plain
    assert side_of(f"test_{name}", seed) is plain


def test_proportions() -> None:
    sides = [side_of(f"test_{index}", SEED) for index in range(5000)]
    assert sides.count(Side.VISIBLE) / 5000 == pytest.approx(0.6, abs=0.03)
    assert sides.count(Side.EXPOSURE) / 5000 == pytest.approx(0.2, abs=0.03)


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
    after = strip_tests(text, [Side.VISIBLE], seed=SEED)
    assert names_in(after) == [kept, "helper"]
    start = text.index("@mark.parametrize")
    end = text.index("\n\n# about")
    assert after == text[:start] + text[end:]


def test_methods_and_emptied_classes() -> None:
    gone, other = HIDDEN[:2]
    first = f"    def {gone}(self):\n        pass\n\n"
    second = f"    async def {other}(self):\n        pass\n\n"
    text = f"class TestA(unittest.TestCase):\n{first}{second}X = 1\n"
    after = strip_tests(text, [Side.VISIBLE], seed=SEED)
    assert names_in(after) == []
    assert ast.parse(after).body[0].body[0].__class__ is ast.Pass  # type: ignore[attr-defined]
    assert "X = 1" in after


def test_emptied_conditions_and_handlers() -> None:
    gone = HIDDEN[0]
    block = f"    def {gone}():\n        pass\n"
    text = f"try:\n    import a\nexcept ImportError:\n{block}else:\n{block}"
    after = strip_tests(text, [Side.VISIBLE], seed=SEED)
    assert names_in(after) == []
    ast.parse(after)


def test_a_test_that_something_refers_to_leaves_an_empty_one() -> None:
    gone = HIDDEN[0]
    text = f"def {gone}():\n    secret = 1\n\n{gone}.marker = 3\n"
    after = strip_tests(text, [Side.VISIBLE], seed=SEED)
    assert "secret" not in after
    exec(compile(after, "m", "exec"), {})


def test_fixtures_and_data_with_test_names_stay() -> None:
    gone, data = HIDDEN[:2]
    text = f"@pytest.fixture()\ndef {gone}():\n    return 1\n\n{data} = load()\nprint({data})\n"
    assert strip_tests(text, [Side.VISIBLE], seed=SEED) == text


def test_tests_made_by_assignment_go() -> None:
    text = f"{HIDDEN[0]} = make(1)\n{HIDDEN[1]} = lambda: None\nx = 1\n"
    assert strip_tests(text, [Side.VISIBLE], seed=SEED) == "x = 1\n"


@given(st.lists(st.sampled_from(NAMES), unique=True), st.booleans())
@settings(max_examples=50, deadline=None)
def test_sides_are_disjoint_and_complete(names: list[str], in_class: bool) -> None:
    indent = "    " if in_class else ""
    head = "class TestX:\n    x = 1\n" if in_class else ""
    text = head + "".join(f"{indent}def {name}(self=None):\n{indent}    assert True\n" for name in names)
    parts = [names_in(strip_tests(text, [side], seed=SEED)) for side in Side]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert strip_tests(text, list(Side), seed=SEED) == text


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
