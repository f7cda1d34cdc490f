"""Tasks from the fixes in a git repository made here with real git: which are taken, and that nothing changes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.execution.probing import require
from autodev_lab.execution.revisions import export, first_parents, head, parse_revision, revision_spec, texts_at
from autodev_lab.execution.sandbox import SandboxReport
from autodev_lab.execution.subjects import obtain
from autodev_lab.execution.trees import apply_edits, read_source, tree_hash
from autodev_lab.streams.git_history import build_from_git
from autodev_lab.streams.historical import HistoricalTruth
from autodev_lab.streams.jsonl import read_tasks

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]

FIRST = "def low(a, b):\n    return a\n\n\ndef mean(values):\n    return sum(values) / len(values)\n"
SECOND = FIRST.replace("    return a\n", "    return a if a < b else b\n")
THIRD = SECOND.replace(
    "    return sum(values) / len(values)\n", "    return sum(values) / len(values) if values else 0\n"
)


def suite(*kinds: str) -> str:
    checks = {
        "low": "assert low({0}, 9) == {0} and low(9, {0}) == {0}",
        "base": "assert low({0}, 9) == {0}",
        "mean": "assert mean([{0}]) == {0}",
        "empty": "assert mean([]) == 0 and mean([{0}]) == {0}",
    }
    bodies = [
        f"def test_{kind}_{index}():\n    {checks[kind].format(index)}\n" for index in range(1, 5) for kind in kinds
    ]
    return "from tiny import low, mean\n\n\n" + "\n\n".join(bodies)


class Repository:
    """A git repository whose commits have fixed dates and names, so that their ids repeat."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("pyproject.toml", '[project]\nname = "tiny"\nversion = "1.0"\n')

    def git(self, *arguments: str) -> str:
        values = {"NAME": "nobody", "EMAIL": "nobody@nowhere", "DATE": "2020-01-01T00:00:00Z"}
        people = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in values.items()}
        fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            env={**os.environ, **people, **fixed},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, message: str, **files: str) -> str:
        for name, text in files.items():
            self.write({"code": "tiny/__init__.py", "tests": "tests/test_tiny.py"}.get(name, name), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture(scope="module")
def report() -> SandboxReport:
    try:
        return require()
    except LabError as error:
        pytest.skip(str(error))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "tiny")
    made.commit("Begin", code=FIRST, tests=suite("base", "mean"))
    return made


def test_fix_commits_become_tasks(repository: Repository, report: SandboxReport, tmp_path: Path) -> None:
    began = repository.git("rev-parse", "HEAD")
    second = repository.commit("Fix low() of the greater one first", code=SECOND, tests=suite("low", "mean"))
    repository.commit("Note a bug in the manual", notes="Known bug.\n")
    repository.commit("Reword", code=SECOND + "\n\n# the end\n", tests=suite("low", "mean") + "# the end\n")
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit("Try", code=THIRD)
    repository.commit("Test", tests=suite("low", "empty"))
    repository.git("checkout", "--quiet", "main")
    before = repository.git("rev-parse", "HEAD")
    repository.git("merge", "--quiet", "--no-ff", "--message", "Merge pull request #12", "topic")
    merge = repository.git("rev-parse", "HEAD")
    repository.write("tiny/__init__.py", "this is being edited\n")  # the work tree is nobody's business
    status = repository.git("status", "--porcelain")

    build = build_from_git(
        repository.root, commits=50, n=10, seed=1, cache=tmp_path / "cache", report=report, offline=True
    )
    truths = [item.truth for item in build.items if isinstance(item.truth, HistoricalTruth)]
    assert [(one.qualname, one.older, one.newer) for one in truths] == [
        ("mean", before, merge),
        ("low", began, second),
    ]
    assert [one.package_spec for one in truths] == [revision_spec(repository.root, one.newer) for one in truths]
    subject = obtain(truths[1].package_spec, cache=tmp_path / "cache", offline=True)
    assert apply_edits(read_source(subject.tree.root / "tiny" / "__init__.py"), truths[1].edits) == FIRST
    told = {name: build.attrition[name] for name in build.attrition if name.startswith(("commits", "steps"))}
    assert told == {
        "commits": 5,
        "commits_without_parent": 1,
        "commits_no_fix": 1,
        "commits_without_code_and_tests": 1,
        "steps": 2,
        "steps_unusable": 0,
        "steps_without_change": 0,
        "steps_older_not_run": 0,
    }
    assert all(one.newer[:7] not in item.task.title + item.task.body + str(item.task.metadata)
               for one, item in zip(truths, build.items, strict=True))  # fmt: skip
    assert repository.git("status", "--porcelain") == status
    assert repository.git("worktree", "list").count("\n") == 0


def test_a_bare_clone_gives_the_same_tasks_from_the_command_line(
    repository: Repository, report: SandboxReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    repository.commit("Fixes #3", code=SECOND, tests=suite("low", "mean"))
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", str(repository.root), str(bare))
    tasks = []
    for place in (repository.root, bare):
        out = tmp_path / f"{place.name}.jsonl"
        arguments = ["tasks", "build", str(place), "--from", "git", "--commits", "9", "--offline", "--out", str(out)]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.stderr
        tasks.append([item.task for item in read_tasks(out)])
    assert tasks[0] == tasks[1]
    assert len(tasks[0]) == 1
    shown = CliRunner().invoke(app, ["tasks", "show", str(out)])
    assert "historical" in shown.stdout and "low" in shown.stdout


def test_renames_binary_files_and_missing_packages_are_counted(
    repository: Repository, report: SandboxReport, tmp_path: Path
) -> None:
    repository.git("mv", "tiny", "small")
    renamed = repository.commit("Fix the name", tests=suite("low", "mean").replace("tiny", "small"))
    (repository.root / "small" / "data.bin").write_bytes(bytes(range(256)))
    (repository.root / "tests" / "data.bin").write_bytes(bytes(range(256)))
    repository.commit("Fix the data")
    repository.git("rm", "--quiet", "-r", "small")
    repository.commit("Bug: move it all away", **{"setup.cfg": "", "tests/test_more.py": "def test_a():\n    pass\n"})
    build = build_from_git(
        repository.root, commits=50, n=10, seed=1, cache=tmp_path / "cache", report=report, offline=True
    )
    assert not build.items
    assert build.attrition["commits_without_code_and_tests"] == 1, "the binary files are no code"
    assert (build.attrition["steps"], build.attrition["steps_unusable"]) == (2, 1)
    by_commit = {one.newer: one for one in build.steps}
    assert by_commit[renamed].unusable == "", "a file under a new name has no older code"
    assert build.attrition["steps_without_change"] == 1
    assert "no Python package" in build.steps[0].unusable


def test_a_shallow_clone_says_so(repository: Repository, report: SandboxReport, tmp_path: Path) -> None:
    repository.commit("Fix low", code=SECOND, tests=suite("low", "mean"))
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.root}", str(shallow))
    build = build_from_git(shallow, commits=5, n=5, seed=1, cache=tmp_path / "cache", report=report, offline=True)
    assert not build.items
    assert build.attrition["commits_without_parent"] == 1


def test_what_cannot_be_read_is_said_in_one_sentence(
    repository: Repository, report: SandboxReport, tmp_path: Path
) -> None:
    with pytest.raises(LabError, match="does not exist"):
        head(tmp_path / "nowhere")
    (tmp_path / "plain").mkdir()
    with pytest.raises(LabError, match="is no git repository"):
        head(tmp_path / "plain")
    subprocess.run(["git", "init", "--quiet", str(tmp_path / "empty")], check=True)
    with pytest.raises(LabError, match="has no commits yet"):
        head(tmp_path / "empty")
    with pytest.raises(LabError, match="names no revision"):
        parse_revision("git:somewhere")
    with pytest.raises(LabError, match="git cannot read"):
        export(repository.root, "0" * 40, tmp_path / "plain")
    with pytest.raises(LabError, match="ask for at least 1"):
        build_from_git(repository.root, commits=0, n=1, seed=1, cache=tmp_path, report=report)


def test_revisions_are_read_as_they_were(repository: Repository, tmp_path: Path) -> None:
    second = repository.commit("Fix low, naïvely\n\nIn two paragraphs.", code=SECOND, **{"a b.py": "x = 1\n"})
    newest, oldest = first_parents(repository.root, 9)
    assert (newest.commit, newest.parent, newest.parents) == (second, oldest.commit, 1)
    assert newest.message == "Fix low, naïvely\n\nIn two paragraphs."
    assert newest.touched == ("a b.py", "tiny/__init__.py")
    assert (oldest.parent, oldest.parents) == ("", 0)
    assert texts_at(repository.root, oldest.commit, ("tiny/__init__.py", "a b.py")) == {"tiny/__init__.py": FIRST}
    places = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        places.append(export(repository.root, second, tmp_path / name))
    assert tree_hash(places[0]) == tree_hash(places[1])
    assert (places[0] / "tiny" / "__init__.py").read_text() == SECOND
