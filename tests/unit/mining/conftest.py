"""Small real git repositories, made in the tests, whose dates and people are fixed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

DAY = 86400
START = 1577836800  # 2020-01-01


class Repository:
    """A git repository whose n-th commit is made on the n-th day of 2020."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.days = 0
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, author: str = "ann", day: int | None = None) -> str:
        moment = f"{START + DAY * (self.days if day is None else day)} +0000"
        people = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in {"NAME": author, "EMAIL": f"{author}@example.org", "DATE": moment}.items()
        }
        done = subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            env=os.environ | people | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode("utf-8", "replace").strip()

    def write(self, path: str | bytes, content: str | bytes) -> None:
        target = Path(os.fsdecode(os.path.join(os.fsencode(self.root), os.fsencode(path))))  # noqa: PTH118
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(
        self, message: str, files: dict[str, str | bytes] | None = None, *, author: str = "ann", day: int | None = None
    ) -> str:
        for path, content in (files or {}).items():
            self.write(path, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message, author=author, day=day)
        self.days += 1
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty repository."""
    return Repository(tmp_path / "tiny")
