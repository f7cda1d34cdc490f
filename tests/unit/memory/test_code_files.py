"""Which files are found below a folder, and what they are called when they are imported."""

import pytest

from autodev_lab.errors import LabError
from autodev_lab.memory.code_files import find_source_files


def made(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return root


def modules(*folders):
    return {file.path: file.module for file in find_source_files(folders)}


def test_a_package_beside_its_tests(tmp_path):
    made(tmp_path, "pkg/__init__.py", "pkg/a.py", "tests/test_a.py", "setup.py")
    assert modules(tmp_path) == {
        "pkg/__init__.py": "pkg",
        "pkg/a.py": "pkg.a",
        "tests/test_a.py": "tests.test_a",
        "setup.py": "setup",
    }


def test_a_src_layout(tmp_path):
    made(tmp_path, "src/pkg/__init__.py", "src/pkg/deep/b.py", "tests/test_a.py", "pyproject.toml")
    assert modules(tmp_path) == {
        "src/pkg/__init__.py": "pkg",
        "src/pkg/deep/b.py": "pkg.deep.b",
        "tests/test_a.py": "tests.test_a",
    }


def test_src_can_be_a_package_itself(tmp_path):
    made(tmp_path, "src/__init__.py", "src/a.py")
    assert modules(tmp_path)["src/a.py"] == "src.a"


def test_a_namespace_package_has_no_init(tmp_path):
    made(tmp_path, "cloud/storage/__init__.py", "cloud/queue/q.py")
    assert set(modules(tmp_path).values()) == {"cloud.storage", "cloud.queue.q"}


def test_the_folder_may_be_a_package_or_lie_in_one(tmp_path):
    made(tmp_path, "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/a.py")
    assert modules(tmp_path / "pkg")["sub/a.py"] == "pkg.sub.a"
    assert modules(tmp_path / "pkg" / "sub") == {"__init__.py": "pkg.sub", "a.py": "pkg.sub.a"}


def test_projects_in_one_repository_may_use_the_same_names(tmp_path):
    made(tmp_path, "one/pyproject.toml", "one/tests/conftest.py", "two/setup.py", "two/tests/conftest.py")
    found = modules(tmp_path)
    assert found["one/tests/conftest.py"] == "tests.conftest"
    assert found["two/tests/conftest.py"] == "tests.conftest@two"


def test_what_cannot_be_imported_by_a_dotted_name_starts_anew(tmp_path):
    made(tmp_path, "my-scripts/run.py", "other-scripts/run.py")
    assert modules(tmp_path) == {"my-scripts/run.py": "run", "other-scripts/run.py": "run@other-scripts"}


def test_what_is_not_the_projects_own_is_left_out(tmp_path):
    made(tmp_path, "a.py", ".git/b.py", "__pycache__/c.py", "env/pyvenv.cfg", "env/lib/d.py", "site-packages/e.py")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    assert modules(tmp_path) == {"a.py": "a"}


def test_several_folders_are_told_apart(tmp_path):
    made(tmp_path, "x/pkg/__init__.py", "y/tool.py")
    assert modules(tmp_path / "x", tmp_path / "y") == {"x/pkg/__init__.py": "pkg", "y/tool.py": "tool"}


def test_wrong_folders_are_said_in_one_sentence(tmp_path):
    with pytest.raises(LabError, match="no folder to read"):
        find_source_files([])
    with pytest.raises(LabError, match="there is no folder"):
        find_source_files([tmp_path / "nowhere"])
    made(tmp_path, "a/pkg/x.py", "b/pkg/y.py")
    with pytest.raises(LabError, match="different names"):
        find_source_files([tmp_path / "a" / "pkg", tmp_path / "b" / "pkg"])
