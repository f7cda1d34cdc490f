"""The script that prepares R2R's environment: made once, anew when broken off, and one sentence when it cannot be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import prepare
import pytest

from autodev_lab.errors import LabError


def test_every_requirement_is_pinned_and_none_is_an_address():
    lines = [line for line in prepare.REQUIREMENTS.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)
    assert "r2r==3.6.6" in lines


def test_a_complete_environment_is_used_again(tmp_path, monkeypatch):
    called = []

    def pretend(command: list[str], **_: object) -> None:
        called.append(command)
        Path(command[-1]).mkdir(exist_ok=True) if "venv" in command else None

    monkeypatch.setattr(subprocess, "run", pretend)
    made = prepare.prepare(tmp_path)
    assert len(called) == 2
    assert prepare.prepare(tmp_path) == made
    assert len(called) == 2
    (made / "complete").unlink()
    (made / "half").touch()
    assert prepare.prepare(tmp_path) == made
    assert not (made / "half").exists()


def test_no_python_that_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "VERSIONS", ((2, 6),))
    with pytest.raises(LabError, match=r"needs Python 3\.11 or 3\.12"):
        prepare.prepare(tmp_path)
    monkeypatch.setattr(prepare, "VERSIONS", (sys.version_info[:2],))
    monkeypatch.setattr(prepare, "REQUIREMENTS", tmp_path / "requirements.txt")
    prepare.REQUIREMENTS.write_text("")
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="cannot be prepared"):
        prepare.prepare(tmp_path / "file")
