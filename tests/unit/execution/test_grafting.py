"""Code of edited files made by grafting: it does what the file compiled whole does, or it is not made."""

from __future__ import annotations

from pathlib import Path
from types import CodeType

import pytest

from autodev_lab.execution.inside.codes import Codes
from autodev_lab.execution.inside.lines import LineEdit, splice, split_lines
from autodev_lab.execution.inside.running import Plan

TEXT = """\
from __future__ import annotations

LIMIT = 3


def plain(x, by=1):
    def inner(y):
        return y + by

    return inner(x) * LIMIT


class Base:
    def size(self):
        return 1


class Box(Base):
    kind = "box"

    def size(self):
        return super().size() + self.__own()

    def __own(self):
        return 5

    @staticmethod
    def twice(x):
        return x * 2

    def plainly(self):
        return 7


NAMES = [plain(n) for n in range(3)]
RESULT = (plain(1), plain(2, by=5), Box().size(), Box.twice(4), Box().plainly(), Box.kind, NAMES)
"""


def edit(old: str, new: str) -> LineEdit:
    (number,) = [n for n, line in enumerate(TEXT.splitlines(), start=1) if old in line]
    return ("module.py", number, number, TEXT.splitlines()[number - 1].replace(old, new) + "\n")


def grafted(root: Path, *edits: LineEdit) -> CodeType | None:
    (root / "module.py").write_text(TEXT)
    codes = Codes()
    codes.compile_tree(Plan(str(root), (), (), "module.py", ()))
    codes.expect(str(root), edits)
    return codes._grafted(f"{root}/module.py", edits)


def result_of(code: CodeType) -> object:
    names: dict[str, object] = {"__name__": "module"}
    exec(code, names)
    return names["RESULT"]


@pytest.mark.parametrize(
    "edits",
    [
        [edit("return y + by", "return y - by")],
        [edit("return inner(x) * LIMIT", "return inner(x) * LIMIT if x else 9")],
        [edit("super().size() + self", "super().size() * self")],
        [edit("return 5", "return 6")],
        [edit("return x * 2", "return x ** 2")],
        [edit("return 5", "return 6"), edit("return y + by", "return y\n        # by")],
        [edit("return 7", "if LIMIT:\n            return 8\n        return 9")],
    ],
)
def test_a_graft_does_what_the_whole_file_does(tmp_path: Path, edits: list[LineEdit]) -> None:
    code = grafted(tmp_path, *edits)
    assert code is not None
    whole = compile(splice(split_lines(TEXT), edits), f"{tmp_path}/module.py", "exec", dont_inherit=True)
    assert result_of(code) == result_of(whole)
    assert result_of(code) != result_of(compile(TEXT, "module.py", "exec"))


@pytest.mark.parametrize(
    "change",
    [
        edit('kind = "box"', 'kind = "can"'),
        edit("LIMIT = 3", "LIMIT = 4"),
        edit("by=1", "by=2"),
        edit("@staticmethod", "@classmethod"),
        edit("class Box(Base)", "class Box(object)"),
        edit("return 7", "return super().size()"),
        edit("return 7", "return 7\n\ndef more():\n    return 1"),
        edit("return 7", "return (7"),
        ("module.py", 12, 11, "x = 1\n"),
    ],
)
def test_what_is_more_than_functions_own_code_is_compiled_whole(tmp_path: Path, change: LineEdit) -> None:
    assert grafted(tmp_path, change) is None
