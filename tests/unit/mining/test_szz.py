"""Which lines of a patch count: read from git's own patches of files that hypothesis makes up, and blamed by git."""

from __future__ import annotations

import difflib
import itertools
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.errors import LabError
from autodev_lab.mining.szz import RemovedLines, blamed_commits, is_telling, parse_removed_lines, ranges, removed_lines

LINES = st.lists(
    st.sampled_from(["x = 1", "-- y", "++ z", "@@ -1 +1 @@", "# said", "", "diff --git a/b b/b", "  w", "\\ odd"]),
    max_size=12,
)


def patch_of(old: list[str], new: list[str]) -> bytes:
    """A stream as git prints it, the hunks by difflib."""
    blobs = f"{'1' * 40} {'2' * 40}"
    records = f"{'c' * 40}\0:100644 100644 {blobs} M\0a.py\0\0"
    hunks = list(difflib.unified_diff(old, new, "a/a.py", "b/a.py", lineterm=""))
    return (records + "\n".join(["diff --git a/a.py b/a.py", f"index {blobs}", *hunks, ""])).encode()


@given(LINES, LINES)
def test_removed_lines_are_those_of_the_patch_whatever_they_look_like(old, new):
    expected, number = [], 0
    for kind, text in _script(old, new):
        number += kind in "- "
        if kind == "-" and is_telling(text):
            expected.append(number)
    found = parse_removed_lines(patch_of(old, new))
    assert [number for removed in found for number in removed.lines] == expected


def _script(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    script = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            script += [(" ", text) for text in old[i1:i2]]
        else:
            script += [("-", text) for text in old[i1:i2]] + [("+", text) for text in new[j1:j2]]
    return script


@given(st.sets(st.integers(1, 60)))
def test_ranges_hold_the_same_numbers(numbers):
    spans = ranges(sorted(numbers))
    assert {one for first, last in spans for one in range(first, last + 1)} == numbers
    assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(spans))


def test_a_stream_that_does_not_fit_is_refused():
    stream = patch_of(["a"], ["b"]).replace(b"diff --git", b"something")
    with pytest.raises(LabError, match="does not match its list of files"):
        parse_removed_lines(stream)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
class TestWithGit:
    def test_many_spans_are_blamed_as_few_are(self, repository, monkeypatch):
        first = repository.commit("Begin", {"a.py": "".join(f"{n}\n" for n in range(30))})
        second = repository.commit("Odd", {"a.py": "".join(f"{n}{'!' * (n % 2)}\n" for n in range(30))})
        fix = repository.commit("Fix", {"a.py": "".join(f"{n}{'!?'[n % 3 > 0]}\n" for n in range(30))})
        (removed,) = removed_lines(repository.root, fix)
        one_way = blamed_commits(repository.root, second, removed)
        monkeypatch.setattr("autodev_lab.mining.szz._MOST_RANGES", 0)
        assert blamed_commits(repository.root, second, removed) == one_way == {first, second}

    def test_whitespace_is_not_blamed(self, repository):
        first = repository.commit("Begin", {"a.py": "if x:\n    y = 1\n"})
        second = repository.commit("Indent", {"a.py": "if x:\n        y = 1\n"})
        assert blamed_commits(repository.root, second, RemovedLines(b"a.py", (2,))) == {first}

    def test_what_git_cannot_blame_is_no_label(self, repository):
        first = repository.commit("Begin", {"a.py": "1\n"})
        with pytest.raises(LabError, match="cannot blame a file"):
            blamed_commits(repository.root, first, RemovedLines(b"b.py", (1,)))
