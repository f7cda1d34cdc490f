"""Measures and labels of small real repositories, worked out by hand; and what is left out, followed or refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from autodev_lab.errors import LabError
from autodev_lab.mining import MinedHistory, mine

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

START = 1577836800
DAY = 86400
YEAR = 365.25


class Watching:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.done: list[int] = []

    def stage(self, what: str, total: int) -> None:
        self.stages.append((what, total))

    def update(self, done: int) -> None:
        self.done.append(done)


def mined(repository, tmp_path: Path, **options) -> MinedHistory:
    return mine(
        repository.root, project="tiny", kept=options.pop("kept", tmp_path / "kept"), watch=Watching(), **options
    )


def row(history: MinedHistory, commit: str):
    (index,) = history.table.index[history.table["commit"] == commit]
    return history.table.loc[index]


def test_labels_and_fix_dates_by_hand(repository, tmp_path):
    first = repository.commit("Begin", {"a.py": "one\ntwo\nthree\n", "b.py": "left\n"})
    second = repository.commit("Add a line", {"a.py": "one\ntwo\nnew\nthree\n"})
    third = repository.commit("Add a comment", {"a.py": "one\ntwo\nnew\n# said\nthree\n"})
    fix = repository.commit("Fix the new line", {"a.py": "one\ntwo\nnewer\nthree\n"})  # takes `new`, `# said`
    again = repository.commit("Bug #7: two was wrong", {"a.py": "one\n2\nnewest\nthree\n"})  # takes `two`, `newer`
    later = repository.commit("Rewrite b, no defect there", {"b.py": "right\n"})
    history = mined(repository, tmp_path)
    labels = {one.commit: (one.bug, one.fix_date) for one in history.table.itertuples()}
    assert labels[first] == (1, START + 4 * DAY)
    assert labels[second] == (1, START + 3 * DAY)
    assert labels[third][0] == 0  # a comment is no defect
    assert labels[fix] == (1, START + 4 * DAY)
    assert labels[again][0] == 0
    assert labels[later][0] == 0
    assert history.table["fix_date"].isna().sum() == 3
    assert (history.counts["fixes"], history.counts["bugs"]) == (3, 3)


def test_a_change_counts_with_its_first_fix(repository, tmp_path):
    first = repository.commit("Begin", {"a.py": "one\ntwo\n"})
    repository.commit("Fix one", {"a.py": "1\ntwo\n"})
    repository.commit("Fix two", {"a.py": "1\n2\n"})
    assert row(mined(repository, tmp_path), first)["fix_date"] == START + DAY


def test_measures_by_hand(repository, tmp_path):
    repository.commit("Begin", {"src/a.py": "1\n2\n3\n4\n", "docs/x.md": "x\n"}, author="ann")
    repository.commit("Change a", {"src/a.py": "1\n2\n3\n5\n"}, author="bob")
    third = repository.commit(
        "Fixes of a and x", {"src/a.py": "1\n2\n5\n", "docs/x.md": "x\ny\nz\n", "top.py": "t\n"}, author="ann"
    )
    seen = row(mined(repository, tmp_path), third)
    assert (seen["ns"], seen["nd"], seen["nf"]) == (3, 3, 3)
    assert (seen["la"], seen["ld"], seen["lt"], seen["fix"]) == (3, 1, 5, 1)
    assert seen["entropy"] == pytest.approx(1.5)  # one, two and one of four lines
    assert seen["ndev"] == 2
    assert seen["age"] == pytest.approx((1 + 2) / 2)  # a changed a day ago, x two, top never
    assert seen["nuc"] == 3 + 2 + 1
    assert (seen["exp"], seen["sexp"]) == (2, 2)
    assert seen["rexp"] == pytest.approx(1 + 1 / (2 / YEAR + 1))


def test_experience_counts_the_developer_alone(repository, tmp_path):
    repository.commit("Begin", {"src/a.py": "1\n"}, author="ann")
    other = repository.commit("Docs", {"docs/x.md": "x\n"}, author="bob")
    back = repository.commit("More docs", {"docs/x.md": "y\n"}, author="ann")
    history = mined(repository, tmp_path)
    assert (row(history, other)["exp"], row(history, other)["sexp"]) == (1, 1)
    assert (row(history, back)["exp"], row(history, back)["sexp"]) == (2, 1)


def test_renames_are_followed(repository, tmp_path):
    body = "".join(f"line {n}\n" for n in range(20))
    first = repository.commit("Begin", {"old.py": body}, author="ann")
    (repository.root / "old.py").rename(repository.root / "new.py")
    repository.commit("Rename", author="bob")
    fix = repository.commit("Fix line 3", {"new.py": body.replace("line 3\n", "line three\n")}, author="cid")
    history = mined(repository, tmp_path)
    assert row(history, first)["bug"] == 1
    seen = row(history, fix)
    assert (seen["ndev"], seen["nuc"], seen["lt"]) == (3, 3, 20)
    assert history.counts["without_text"] == 1  # the rename alone


def test_a_new_file_under_the_name_of_one_that_moved_has_no_past(repository, tmp_path):
    body = "".join(f"line {n}\n" for n in range(20))
    repository.commit("Begin", {"a.py": body}, author="ann")
    (repository.root / "a.py").rename(repository.root / "b.py")
    repository.commit("Rename", author="ann")
    new = repository.commit("Another a", {"a.py": "other\n"}, author="bob")
    old = repository.commit("Change b", {"b.py": body + "more\n"}, author="bob")
    history = mined(repository, tmp_path)
    assert (row(history, new)["ndev"], row(history, new)["nuc"]) == (1, 1)
    assert (row(history, old)["ndev"], row(history, old)["nuc"]) == (2, 3)


def test_merges_are_left_out_and_what_they_wrote_is_measured(repository, tmp_path):
    repository.commit("Begin", {"a.py": "1\n2\n3\n"})
    repository.git("checkout", "--quiet", "-b", "side")
    side = repository.commit("Side", {"b.py": "b\n"})
    repository.git("checkout", "--quiet", "main")
    repository.commit("Main", {"a.py": "1\n2\n3\n4\n"})
    repository.git("merge", "--no-commit", "--no-ff", "side")
    merge = repository.commit("Merge side, fix things", {"a.py": "1\n2\n3\n4\nevil\nlines\n"})
    after = repository.commit("Fix evil", {"a.py": "1\n2\n3\n4\n"})
    history = mined(repository, tmp_path)
    assert merge not in set(history.table["commit"])
    assert side in set(history.table["commit"])
    assert row(history, after)["lt"] == 6
    assert (history.counts["merges"], history.counts["blamed_elsewhere"]) == (1, 1)


def test_lines_of_a_content_that_a_merge_made_and_a_revert_made_again(repository, tmp_path):
    repository.commit("Begin", {"a.py": "1\n2\n3\n"})
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("Side", {"b.py": "b\n"})
    repository.git("checkout", "--quiet", "main")
    repository.commit("Main", {"c.py": "c\n"})
    repository.git("merge", "--no-commit", "--no-ff", "side")
    made = "1\n2\n3\n4\n5\n"
    repository.commit("Merge", {"a.py": made})
    changed = repository.commit("Change", {"a.py": made + "6\n"})
    repository.commit("Revert", {"a.py": made})
    assert row(mined(repository, tmp_path), changed)["lt"] == 5


def test_binary_files_submodules_and_empty_commits_change_no_text(repository, tmp_path):
    first = repository.commit("Begin", {"a.py": "1\n"})
    repository.commit("Binary alone", {"x.bin": b"\0\1\2" * 50})
    repository.commit("Nothing at all")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{first},module")
    repository.git("commit", "--quiet", "--message", "Submodule alone")
    repository.git("update-index", "--cacheinfo", f"160000,{repository.git('rev-parse', 'HEAD')},module")
    repository.git("commit", "--quiet", "--message", "Fix the submodule")
    (repository.root / "x.bin").write_bytes(b"\0\2\1" * 50)
    (repository.root / "a.py").write_bytes(b"2\n")
    repository.git("add", "a.py", "x.bin")
    repository.git("commit", "--quiet", "--message", "Fix a and the binary")
    history = mined(repository, tmp_path)
    assert history.counts["without_text"] == 4
    assert len(history.table) == 2
    last = history.table.iloc[-1]
    assert (last["nf"], last["la"], last["ld"]) == (1, 1, 1)
    assert row(history, first)["bug"] == 1


def test_names_and_content_that_are_no_utf8(repository, tmp_path):
    name = os.fsdecode(b"caf\xe9 \t.py")
    first = repository.commit("Begin", {name: b"caf\xe9 = 1\nb\n", "sp ace.py": "x\n"})
    repository.commit("Fix caf\u00e9", {name: b"caf\xe9 = 2\nb\n"})
    history = mined(repository, tmp_path)
    assert row(history, first)["bug"] == 1
    assert history.table["lt"].tolist() == [0, 2]


def test_a_file_that_becomes_a_link(repository, tmp_path):
    first = repository.commit("Begin", {"a.py": "1\n2\n", "b.py": "b\n"})
    (repository.root / "a.py").unlink()
    (repository.root / "a.py").symlink_to("b.py")
    repository.commit("Fix: a is b", {"b.py": "bb\n"})
    assert row(mined(repository, tmp_path), first)["bug"] == 1


def test_a_fix_at_the_root_and_a_detached_head(repository, tmp_path):
    first = repository.commit("Fix of what came before", {"a.py": "1\n"})
    repository.commit("More", {"a.py": "2\n"})
    repository.git("checkout", "--quiet", "--detach", first)
    history = mined(repository, tmp_path)
    assert history.table["commit"].tolist() == [first]
    assert history.table["bug"].tolist() == [0]


def test_the_window_bounds_the_rows_and_nothing_else(repository, tmp_path):
    for number in range(6):
        repository.commit("Fix" if number % 2 else "Change", {"a.py": f"{number}\n"})
    whole = mined(repository, tmp_path).table
    part = mined(repository, tmp_path, since=START + 2 * DAY, until=START + 5 * DAY)
    expected = whole[(whole["date"] >= START + 2 * DAY) & (whole["date"] < START + 5 * DAY)].reset_index(drop=True)
    assert part.table.equals(expected)
    assert part.counts["outside"] == 3
    assert part.counts["blamed_elsewhere"] == 0


def test_a_branch_is_mined_by_name(repository, tmp_path):
    repository.commit("Begin", {"a.py": "1\n"})
    repository.git("checkout", "--quiet", "-b", "side")
    side = repository.commit("Side", {"b.py": "b\n"})
    repository.git("checkout", "--quiet", "main")
    assert side not in set(mined(repository, tmp_path).table["commit"])
    assert side in set(mined(repository, tmp_path, branch="side").table["commit"])


def test_a_stopped_run_goes_on_and_a_damaged_piece_is_made_anew(repository, tmp_path, monkeypatch):
    for number in range(8):
        repository.commit("Fix" if number % 2 else "Change", {"a.py": f"{number}\n", f"{number}.py": "x\n"})
    monkeypatch.setattr("autodev_lab.mining.history._FIXES_A_PIECE", 1)
    whole = mined(repository, tmp_path, kept=tmp_path / "elsewhere").table
    asked: list[str] = []

    def interrupted(root, commit, parent):
        from autodev_lab.mining.szz import introducers

        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(commit)
        return introducers(root, commit, parent)

    monkeypatch.setattr("autodev_lab.mining.history.introducers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mined(repository, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr("autodev_lab.mining.history._FIXES_A_PIECE", 1)
    pieces = sorted((tmp_path / "kept").glob("blames-*.json"))
    assert 0 < len(pieces) < 4
    pieces[0].write_bytes(b"{")
    monkeypatch.setattr("autodev_lab.mining.history.read_file_changes", None)  # these are all known
    assert mined(repository, tmp_path).table.equals(whole)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_make_no_difference(repository, tmp_path, workers, monkeypatch):
    monkeypatch.setattr("autodev_lab.mining.history._DIFFS_A_PIECE", 2)
    monkeypatch.setattr("autodev_lab.mining.history._FIXES_A_PIECE", 1)
    for number in range(6):
        repository.commit("Fix" if number % 2 else "Change", {"a.py": f"{number}\nsame\n"})
    table = mined(repository, tmp_path, workers=workers).table
    assert table["bug"].tolist() == [1, 0, 1, 0, 1, 0]
    assert table["nuc"].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_repository_is_left_as_it_was(repository, tmp_path):
    repository.commit("Begin", {"a.py": "1\n"})
    repository.commit("Fix", {"a.py": "2\n"})
    repository.write("a.py", "being edited\n")
    before = {path: path.stat().st_mtime_ns for path in repository.root.rglob("*")}
    mined(repository, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in repository.root.rglob("*")} == before


def test_nobody_is_named(repository, tmp_path):
    repository.commit("Begin", {"a.py": "1\n"}, author="zoe")
    history = mined(repository, tmp_path)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "kept").iterdir())
    assert "zoe" not in history.table.to_csv() and b"zoe" not in kept


def test_what_is_refused(repository, tmp_path):
    with pytest.raises(LabError, match="no commits yet"):
        mined(repository, tmp_path)
    repository.commit("Begin", {"a.py": "1\n"})
    repository.commit("More", {"a.py": "2\n"})
    with pytest.raises(LabError, match="has no commit 'nowhere'"):
        mined(repository, tmp_path, branch="nowhere")
    with pytest.raises(LabError, match="has no commit '--output=x'"):
        mined(repository, tmp_path, branch="--output=x")
    with pytest.raises(LabError, match="no change of text in this window, of 2 commits"):
        mined(repository, tmp_path, since=START + 50 * DAY)
    with pytest.raises(LabError, match="no regular expression"):
        mined(repository, tmp_path, pattern="(")
    with pytest.raises(LabError, match="at least 1"):
        mined(repository, tmp_path, workers=0)
    (tmp_path / "plain").mkdir()
    with pytest.raises(LabError, match="no git repository"):
        mine(tmp_path / "plain", project="p", kept=tmp_path / "k", watch=Watching())
    with pytest.raises(LabError, match="does not exist"):
        mine(tmp_path / "none", project="p", kept=tmp_path / "k", watch=Watching())
    repository.git("clone", "--quiet", "--depth", "1", f"file://{repository.root}", str(tmp_path / "shallow"))
    with pytest.raises(LabError, match=r"shallow clone.*git -C \S+ fetch --unshallow"):
        mine(tmp_path / "shallow", project="p", kept=tmp_path / "k", watch=Watching())
    repository.git("config", "remote.origin.promisor", "true")
    with pytest.raises(LabError, match="partial clone"):
        mined(repository, tmp_path)


def test_the_settings_of_a_repository_change_no_label(repository, tmp_path):
    first = repository.commit("Begin", {"a.py": "1\n", ".gitattributes": "*.py diff=odd\n"})
    repository.commit("Fix", {"a.py": "2\n"})
    run = tmp_path / "run"
    for key, value in (
        ("blame.ignoreRevsFile", str(tmp_path / "missing")),
        ("diff.odd.textconv", f"touch {run}; cat"),
        ("diff.odd.command", f"touch {run}"),
        ("diff.external", f"touch {run}"),
        ("log.showSignature", "true"),
        ("diff.noprefix", "true"),
        ("color.ui", "always"),
    ):
        repository.git("config", key, value)
    assert row(mined(repository, tmp_path), first)["bug"] == 1
    assert not run.exists()


def test_without_git(repository, tmp_path, monkeypatch):
    repository.commit("Begin", {"a.py": "1\n"})
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="git is not installed"):
        mined(repository, tmp_path)
