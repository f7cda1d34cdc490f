"""Collect pytest-testmon's database once, then ask it for each of some changes which tests it would run again."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

__all__ = ["main"]


def main() -> int:
    """Do what standard input asks for; the answer goes to what was standard output."""
    request = json.loads(sys.stdin.buffer.read())
    descriptor = os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    root = Path(os.environ["TMPDIR"]).resolve() / "tree"
    shutil.copytree(request["root"], root)
    os.chdir(root)
    sys.path[:0] = [str(root / request["import_root"]), *request["import_path"]]
    # testmon looks at the options of pytest's cache, which may write here: this is a copy
    arguments = ["-q", "-p", "no:faulthandler", "-o", "addopts=", "--rootdir", str(root)]
    arguments += ["--continue-on-collection-errors", "-p", "testmon.pytest_testmon", "--testmon"]
    if pytest.main([*arguments, *request["paths"]]) == pytest.ExitCode.USAGE_ERROR:
        pytest.main([*arguments, "-c", os.devnull, *request["paths"]])
    core = importlib.import_module("testmon.testmon_core")
    answers = []
    for files in request["changes"]:
        before = {path: Path(path).read_bytes() for path in files}
        for path, text in files.items():
            Path(path).write_bytes(text.encode("utf-8", "surrogatepass"))
        data = core.TestmonData.for_local_run(str(root))
        data.determine_stable()
        answers.append(sorted((set(data.all_tests) - set(data.stable_test_names)) | set(data.failing_tests)))
        data.db.con.close()
        for path, content in before.items():
            Path(path).write_bytes(content)
    data = core.TestmonData.for_local_run(str(root))
    answer = json.dumps({"known": sorted(data.all_tests), "selected": answers}).encode("ascii")
    while answer:
        answer = answer[os.write(descriptor, answer) :]
    return 0
