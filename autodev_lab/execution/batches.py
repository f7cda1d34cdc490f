"""How the claims of chunks of candidates become one verdict a candidate; whoever is in doubt is tried alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autodev_lab.execution.chunk_log import ChunkLog, End
from autodev_lab.execution.runs import CandidateRun
from autodev_lab.records import Candidate, CandidateStatus

if TYPE_CHECKING:
    from autodev_lab.execution.zygote import Zygote

__all__ = ["Batch", "files_of"]

_LEADING = 3  # tests tried first after a fresh import; collecting them alone is much cheaper than all


class Batch:
    """One call of `Zygote.evaluate`: how the claims of chunks become verdicts."""

    def __init__(self, zygote: Zygote, names: list[str], all_failures: bool, found: dict[str, CandidateRun]) -> None:
        self._zygote = zygote
        self._names = names
        self._all = all_failures
        self._found = found
        self._control = zygote.control(names)

    def _request(self, candidates: Sequence[Candidate], names: Sequence[str] | None = None) -> dict[str, object]:
        return {
            "op": "chunk",
            "candidates": [
                [[edit.path, edit.start_line, edit.end_line, edit.replacement] for edit in one.edits]
                for one in candidates
            ],
            "order": self._zygote.order(self._names if names is None else names),
            "all": self._all,
            "control": self._zygote.order(self._control),
            "cpu_total": self._zygote.limits.cpu_seconds_total,
        }

    def shared(self, candidates: list[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Evaluate candidates in one fork; returns those not reached and those to be tried alone."""
        reply = self._zygote.ask(self._request(candidates))
        if reply is None:
            return [], candidates
        log = ChunkLog.read(reply, self._names)
        if log is None or len(log.ended) > len(candidates) or (log.how == "complete" and not self._controlled(log)):
            return [], candidates
        suspects = []
        for candidate, end in zip(candidates, log.ended, strict=False):
            if end[0] == "import":
                self._imported(candidate)
            elif end[0] == "passed" and log.how != "complete":
                suspects.append(candidate)  # nothing confirmed this claim: its process did not reach the control
            else:
                self._found[candidate.id] = _claim(candidate, end)
        reached = len(log.ended)
        if log.how == "complete":
            return [], candidates[reached:]
        if reached < len(candidates) and log.running:
            self._found[candidates[reached].id] = _broken(candidates[reached], log, self._names)
            reached += 1
        elif reached < len(candidates):
            return [], candidates[reached:] + suspects
        return candidates[reached:], suspects

    def alone(self, candidate: Candidate) -> None:
        """Evaluate one candidate in a fork of its own, with the control after it."""
        reply = self._zygote.ask(self._request([candidate]))
        if reply is None:
            self._found[candidate.id] = CandidateRun(candidate.id, CandidateStatus.CRASHED, 1, tuple(self._names[:1]))
            return
        log = ChunkLog.read(reply, self._names)
        if log is None or len(log.ended) > 1:
            self._found[candidate.id] = CandidateRun(candidate.id, CandidateStatus.FORGED, 0, ())
        elif log.ended and log.ended[0][0] == "import":
            self._imported(candidate)
        elif log.ended and (log.ended[0][0] != "passed" or (log.how == "complete" and self._controlled(log))):
            self._found[candidate.id] = _claim(candidate, log.ended[0])
        elif log.ended:
            self._found[candidate.id] = CandidateRun(candidate.id, CandidateStatus.FORGED, int(log.ended[0][1]), ())
        else:
            self._found[candidate.id] = _broken(candidate, log, self._names)

    def _imported(self, candidate: Candidate) -> None:
        """Evaluate one candidate by a fresh import, its edits in the files of a room of its own."""
        first = self._names[0].partition("::")[0] if self._names else ""
        leading = list(itertools.takewhile(lambda name: name.partition("::")[0] == first, self._names[:_LEADING]))
        result = self._fresh(candidate, leading)
        if len(leading) < len(self._names) and (self._all or result.status is CandidateStatus.PLAUSIBLE):
            result = self._fresh(candidate, self._names)
        self._found[candidate.id] = result

    def _fresh(self, candidate: Candidate, names: list[str]) -> CandidateRun:
        """Import and run some of the tests in a fork of a process that has not imported the package."""
        paths = names if len(names) <= _LEADING else files_of(names)
        request = self._request([candidate], names) | {"op": "fresh"} | self._zygote.collection(paths, None)
        reply = self._zygote.ask_unimported(request)
        log = ChunkLog("crashed", [], False, 1, []) if reply is None else ChunkLog.read(reply, names)
        if log is None or len(log.ended) > 1:
            return CandidateRun(candidate.id, CandidateStatus.FORGED, 0, ())
        if log.ended and (log.how == "complete" or log.ended[0][0] != "passed"):
            return _claim(candidate, log.ended[0])
        return _broken(candidate, log, names)

    def _controlled(self, log: ChunkLog) -> bool:
        return log.control == [self._zygote.known[name].outcome for name in self._control]


_STATUS = {
    "passed": CandidateStatus.PLAUSIBLE,
    "failed": CandidateStatus.FAILED,
    "timeout": CandidateStatus.TIMEOUT,
    "crashed": CandidateStatus.CRASHED,
    "invalid": CandidateStatus.INVALID,
}


def _claim(candidate: Candidate, end: End) -> CandidateRun:
    return CandidateRun(candidate.id, _STATUS[end[0]], end[1], end[2])


def _broken(candidate: Candidate, log: ChunkLog, names: Sequence[str]) -> CandidateRun:
    """A candidate under which the process ended: the test that ran then is the one that failed."""
    how = log.how if log.how in _STATUS and log.how != "complete" else "crashed"
    failing = tuple(names[log.started - 1 : log.started]) if log.started else ()
    return CandidateRun(candidate.id, _STATUS[how], log.started, failing)


def files_of(names: Sequence[str]) -> list[str]:
    """Test files of node ids, in their order."""
    return list(dict.fromkeys(name.partition("::")[0] for name in names))
