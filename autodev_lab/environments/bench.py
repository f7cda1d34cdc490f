"""The workbench behind a repository environment: trees on disk, warm test processes, and their end.

Everything is made when it is first needed and only a few of each are kept, so that a run that is answered from the
cache starts no process and writes no file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from autodev_lab.execution.nursery import Nursery
from autodev_lab.execution.plain import PlainRun, run_plain
from autodev_lab.execution.sandbox import Limits, SandboxReport
from autodev_lab.execution.sides import Side, write_side_tree
from autodev_lab.execution.subjects import Subject
from autodev_lab.execution.trees import SourceTree, apply_to_tree
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Edit

__all__ = ["Bench"]

_TREES = 48
_ZYGOTES = 6


class Bench:
    """Trees and processes of one environment; a context manager.

    Parameters
    ----------
    report
        What this machine can isolate.
    limits
        Of every sandboxed process.
    """

    def __init__(self, report: SandboxReport, limits: Limits) -> None:
        self.report = report
        self.limits = limits
        self._home: Path | None = None
        self._count = 0
        self._nursery: Nursery | None = None
        self._trees: OrderedDict[str, SourceTree] = OrderedDict()
        self._zygotes: OrderedDict[str, Zygote] = OrderedDict()

    @property
    def nursery(self) -> Nursery:
        """The warm interpreter from which rooms are forked."""
        if self._nursery is None:
            self._nursery = Nursery()
        return self._nursery

    def tree(self, subject: Subject, sides: Sequence[Side], seed: int, edits: Sequence[Edit]) -> SourceTree:
        """A private copy of the subject with the tests of some sides and with edits applied; to be read only."""
        key = _tree_key(subject, sides, seed, edits)
        if key not in self._trees:
            self._trees[key] = self._write(subject, sides, seed, edits)
            self._forget_trees()
        self._trees.move_to_end(key)
        return self._trees[key]

    def _write(self, subject: Subject, sides: Sequence[Side], seed: int, edits: Sequence[Edit]) -> SourceTree:
        if self._home is None:
            self._home = Path(tempfile.mkdtemp(prefix="autodev-bench-")).resolve()
        self._count += 1
        place = self._home / f"tree-{self._count}"
        if not edits:
            return write_side_tree(subject, sides, place, seed=seed)
        # splitting tests is most of the work, and faults of one package share it: link all files but the faulty ones
        base = self.tree(subject, sides, seed, ())
        shutil.copytree(base.root, place, symlinks=True, copy_function=os.link)
        for path in dict.fromkeys(edit.path for edit in edits):
            if (base.root / path).exists():
                (place / path).unlink()
                shutil.copy2(base.root / path, place / path)
        apply_to_tree(place, edits)
        return replace(base, root=place)

    def _forget_trees(self) -> None:
        """Remove the trees longest unused; never one whose warm process may still make another room of it."""
        spare = len(self._trees) - _TREES
        newest = next(reversed(self._trees))
        for key in list(self._trees):
            if spare <= 0:
                break
            if key not in self._zygotes and key != newest:
                shutil.rmtree(self._trees.pop(key).root, ignore_errors=True)
                spare -= 1

    def zygote(self, subject: Subject, seed: int, edits: Sequence[Edit]) -> Zygote:
        """The visible side of a faulty tree, collected and warm."""
        key = _tree_key(subject, (Side.VISIBLE,), seed, edits)
        if key not in self._zygotes:
            tree = self.tree(subject, (Side.VISIBLE,), seed, edits)
            self._zygotes[key] = Zygote(tree, report=self.report, limits=self.limits, pool=self.nursery)
            if len(self._zygotes) > _ZYGOTES:
                _, old = self._zygotes.popitem(last=False)
                old.close()
        self._zygotes.move_to_end(key)
        return self._zygotes[key]

    def collect(self, tree: SourceTree) -> tuple[str, ...]:
        """Ids of the tests of a tree."""
        with Zygote(tree, report=self.report, limits=self.limits, pool=self.nursery) as zygote:
            return zygote.tests

    def passing(self, tree: SourceTree) -> tuple[str, ...]:
        """Ids of the tests of a tree that pass in a warm process, with coverage and without; skipped ones do not."""
        with Zygote(tree, report=self.report, limits=self.limits, pool=self.nursery) as zygote:
            plain = [run.test_id for run in zygote.run() if run.outcome == "passed"]
            return tuple(run.test_id for run in zygote.run(plain, coverage=True) if run.outcome == "passed")

    def plain(
        self, tree: SourceTree, tests: Sequence[str], edits: Sequence[Edit] = (), *, coverage: bool = False
    ) -> PlainRun:
        """Plain pytest in a fresh process on files on disk."""
        return run_plain(tree, tests=tests, edits=edits, report=self.report, limits=self.limits, coverage=coverage)

    def close(self) -> None:
        """End all processes and remove all trees."""
        while self._zygotes:
            self._zygotes.popitem()[1].close()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None
        self._trees.clear()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _tree_key(subject: Subject, sides: Sequence[Side], seed: int, edits: Sequence[Edit]) -> str:
    return repr((subject.content_hash, tuple(sides), seed, tuple(edits)))
