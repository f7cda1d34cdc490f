"""Everything a run directory says of the registered claims: verdicts judged anew, seals, attrition, what is missing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autodev_lab.analysis.claims import STUDY, Claim, Judged, judge_all
from autodev_lab.analysis.frames import Run, read_run
from autodev_lab.analysis.seals import alterations, configuration_hash, missing_cells
from autodev_lab.errors import LabError

__all__ = ["Dossier", "newest_finished", "open_dossier"]


Check = Callable[[Path], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Dossier:
    """A run with what it says of the registered claims.

    Parameters
    ----------
    run
        The run, read.
    judged
        Claims that are about arms of the run, judged on its outcomes: its `summary.json` is not believed.
    level
        Coverage of the intervals.
    altered
        What is not as the run left it; empty when all is.
    missing, cells
        Cells that are not in the outcomes, and cells in all.
    attrition
        Tasks by (package, reason), as `attrition.csv` has them.
    """

    run: Run
    judged: tuple[Judged, ...]
    level: float
    altered: tuple[str, ...]
    missing: int
    cells: int
    attrition: Mapping[tuple[str, str], int] = field(hash=False)

    @property
    def configuration_hash(self) -> str:
        """Of what was run."""
        return configuration_hash(self.run.spec)

    @property
    def budget(self) -> int:
        """Candidates a task could use; a study has none."""
        return int(str(_mapping(self.run.spec["parameters"])["budget"]))

    @property
    def study(self) -> str:
        """The study it is a run of; empty when it is about a team."""
        return str(self._experiment.get("study", ""))

    @property
    def environment(self) -> str:
        """The world it ran in; `claims.STUDY` for a study, which has none."""
        return STUDY if self.study else str(_mapping(self.run.spec["parameters"])["environment"])

    @property
    def experiment(self) -> str:
        """Its name."""
        return str(self._experiment["name"])

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that have outcomes, in the experiment's order; twins left out."""
        there = {str(name) for name in self.run.outcomes["arm"].unique()}
        return tuple(arm for arm in _mapping(self._experiment["arms"]) if arm in there)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Those that the experiment names; contrasts of teams are judged in the first."""
        return tuple(_texts(self._experiment["endpoints"]))

    @property
    def contrasts(self) -> tuple[tuple[str, str], ...]:
        """Pairs of arms that the experiment compares."""
        pairs = self._experiment.get("contrasts") or []
        assert isinstance(pairs, list)
        return tuple((first, second) for first, second in map(_texts, pairs))

    @property
    def gates(self) -> bool:
        """Whether the experiment is about gates."""
        return self._experiment.get("gates") is True

    @property
    def _experiment(self) -> Mapping[str, object]:
        return _mapping(self.run.spec["experiment"])

    def why_exploratory(self, judged: Judged) -> tuple[str, ...]:
        """Why a verdict is not confirmatory, one clause a reason; empty when it is."""
        claim, why = judged.claim, []
        if self.altered:
            why.append("the run was altered since it was run")
        if self.missing:
            why.append(f"the run lacks {self.missing} of its {self.cells} cells")
        if judged.confirmatory_lost:
            why.append(judged.confirmatory_lost)
        if not claim.registered:
            why.append("the claim was never registered")
        elif self.environment != claim.environment:
            why.append(f"the claim is about the {claim.environment} environment, not the {self.environment} one")
        elif self.configuration_hash not in claim.registered.values():
            why.append(f"its configuration {self.configuration_hash} is not a registered one")
        return tuple(why)


def open_dossier(path: Path, claims: Sequence[Claim], *, check: Check = alterations) -> Dossier:
    """Read a run directory and judge the claims on it.

    Parameters
    ----------
    path
        The run directory.
    claims
        All registered claims; those of other experiments are passed over.
    check
        What finds that a run directory was altered, in words.

    Raises
    ------
    LabError
        If it is no run directory, has no outcomes, or is of another version.
    """
    run = read_run(path)
    altered = check(path)
    try:
        missing, cells = missing_cells(path)
        experiment, parameters = _mapping(run.spec["experiment"]), _mapping(run.spec["parameters"])
        arms = tuple(_texts(parameters["arms"])) or tuple(_mapping(experiment["arms"]))
        name = str(experiment["name"])
        environment = STUDY if "study" in experiment else str(parameters["environment"])
        _texts(experiment["endpoints"])
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"{path / 'spec.json'} is damaged; name another run, or run the experiment again") from error
    whole = not altered and not missing
    judged = judge_all(
        claims,
        run.outcomes,
        experiment=name,
        environment=environment,
        # half a run, or one that was changed, is no run of the registered configuration
        configuration_hash=configuration_hash(run.spec) if whole else "",
        arms=arms,
    )
    family = sum(claim.experiment == name for claim in claims)
    return Dossier(run, judged, 1 - 0.05 / max(1, family), altered, missing, cells, _attrition(path / "attrition.csv"))


def newest_finished(root: Path) -> tuple[Path, ...]:
    """The newest finished run of every experiment below a folder, by name of the experiment.

    A run is finished when its summary says that all its cells are done; newer is the one whose spec was written later.

    Raises
    ------
    LabError
        If there is none.
    """
    newest: dict[str, tuple[int, Path]] = {}
    for path in sorted(root.glob("*/summary.json")) if root.is_dir() else ():
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
            age = (path.parent / "spec.json").stat().st_mtime_ns
        except (OSError, ValueError):
            continue
        if not isinstance(summary, dict) or summary.get("complete") is not True:
            continue
        name = str(summary.get("experiment"))
        if name not in newest or newest[name][0] <= age:
            newest[name] = (age, path.parent)
    if not newest:
        raise LabError(f"there is no finished run in {root}; start one with `autodev-lab run learning`, or name a run")
    return tuple(newest[name][1] for name in sorted(newest))


def _attrition(path: Path) -> Mapping[tuple[str, str], int]:
    """Tasks by (package, reason); empty when there is no table."""
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {(row["package"], row["reason"]): int(row["tasks"]) for row in csv.DictReader(stream)}
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"{path} is not an attrition table; run the experiment again") from error


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return [str(one) for one in value]
