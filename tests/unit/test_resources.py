"""Shipped folders, the cache and the runs are found in the promised order."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodev_lab import resources
from autodev_lab.errors import LabError


def test_checkout_serves_shipped_files() -> None:
    assert resources.resource("data").is_dir()
    assert resources.resource("data/subjects.yaml").is_file()


def test_explicit_path_wins(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("a: 1\n")
    assert resources.resource("data/subjects.yaml", own) == own


def test_missing_explicit_path_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not exist"):
        resources.resource("data/subjects.yaml", tmp_path / "nothing.yaml")


def test_installed_package_serves_when_there_is_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "autodev_lab"
    shipped = package / "_resources" / "data" / "subjects.yaml"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("packages: []\n")
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert resources.resource("data/subjects.yaml") == shipped
    with pytest.raises(LabError, match="reinstall"):
        resources.resource("data/other.yaml")


@pytest.mark.parametrize("relative", ["", "secrets/key", "data/../../etc/passwd"])
def test_only_shipped_folders(relative: str) -> None:
    with pytest.raises(LabError, match="does not ship"):
        resources.resource(relative)


def test_cache_directory_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert resources.cache_directory() == tmp_path / "own"
    monkeypatch.delenv("AUTODEV_CACHE")
    assert resources.cache_directory() == tmp_path / "xdg" / "autodev_lab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert resources.cache_directory().name == "autodev_lab"


def test_runs_directory_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTODEV_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert resources.runs_directory() == tmp_path / "runs"
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "elsewhere"))
    assert resources.runs_directory() == tmp_path / "elsewhere"
