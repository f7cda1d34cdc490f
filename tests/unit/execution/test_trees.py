"""Line edits, diffs and hashes of source trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.execution.trees import apply_edits, apply_to_tree, read_source, split_lines, tree_hash, unified_diff
from autodev_lab.records import Edit


def test_edits_refer_to_the_text_as_given() -> None:
    edits = [Edit("m.py", 3, 3, ""), Edit("m.py", 1, 1, "A\nA2\n"), Edit("m.py", 5, 4, "end\n")]
    assert apply_edits("a\nb\nc\nd\n", edits) == "A\nA2\nb\nd\nend\n"


def test_insertions_before_one_line_keep_their_order() -> None:
    assert apply_edits("a\n", [Edit("m", 1, 0, "1\n"), Edit("m", 1, 0, "2\n")]) == "1\n2\na\n"


def test_an_insertion_may_touch_a_replacement() -> None:
    assert apply_edits("a\nb\n", [Edit("m", 2, 2, "B\n"), Edit("m", 2, 1, "x\n")]) == "a\nx\nB\n"


@pytest.mark.parametrize(
    "edits",
    [
        [Edit("m", 1, 2, "x\n"), Edit("m", 2, 2, "y\n")],
        [Edit("m", 0, 0, "x\n")],
        [Edit("m", 3, 3, "x\n")],
        [Edit("m", 2, 0, "x\n")],
        [Edit("m", 4, 3, "x\n")],
        [Edit("m", 1, 1, "x\n"), Edit("n", 2, 2, "x\n")],
    ],
)
def test_impossible_edits_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match=r"overlap|outside|several"):
        apply_edits("a\nb\n", edits)


def test_a_last_line_without_newline_is_closed_before_more_follows() -> None:
    assert apply_edits("a\nb", [Edit("m", 3, 2, "c\n")]) == "a\nb\nc\n"
    assert apply_edits("a\nb", [Edit("m", 1, 1, "A\n")]) == "A\nb"


@given(st.text(alphabet="ab\n\r\x0c\u2028", max_size=40), st.data())
def test_replacing_lines_by_themselves_changes_nothing(text: str, data: st.DataObject) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    if not lines:
        return
    start = data.draw(st.integers(1, len(lines)))
    end = data.draw(st.integers(start, len(lines)))
    assert apply_edits(text, [Edit("m", start, end, "".join(lines[start - 1 : end]))]) == text


def test_trees_are_edited_in_their_own_encoding(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes("# coding: latin-1\nname = 'é'\n".encode("latin-1"))
    apply_to_tree(tmp_path, [Edit("m.py", 2, 2, "name = 'ü'\n"), Edit("new/n.py", 1, 0, "x = 1\n")])
    assert (tmp_path / "m.py").read_bytes().endswith("'ü'\n".encode("latin-1"))
    assert read_source(tmp_path / "new" / "n.py") == "x = 1\n"


@pytest.mark.parametrize("path", ["../out.py", "/etc/out.py", "link/out.py"])
def test_edits_may_not_leave_the_tree(tmp_path: Path, path: str) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leaves the tree"):
        apply_to_tree(root, [Edit(path, 1, 0, "x\n")])
    assert not (tmp_path / "out.py").exists()


def test_nothing_is_written_when_one_edit_is_impossible(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a\n")
    with pytest.raises(ValueError, match="outside"):
        apply_to_tree(tmp_path, [Edit("a.py", 1, 1, "b\n"), Edit("b.py", 5, 5, "b\n")])
    assert (tmp_path / "a.py").read_text() == "a\n"


def test_hash_sees_names_and_bytes_but_no_byte_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a\n")
    first = tree_hash(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"x")
    assert tree_hash(tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert tree_hash(tmp_path) != first


def test_diff_marks_a_missing_newline() -> None:
    assert (
        unified_diff("m.py", "a\n", "a")
        == "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n"
    )
    assert unified_diff("m.py", "a\n", "a\n") == ""
