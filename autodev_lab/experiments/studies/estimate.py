"""What a study takes, before it is run: an estimate, said so."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from autodev_lab.experiments.progress import duration
from autodev_lab.experiments.studies.catalogue import study_named
from autodev_lab.experiments.studies.design import StudyPlan

__all__ = ["StudyNeed", "estimate_study"]


@dataclass(frozen=True, slots=True)
class StudyNeed:
    """What a study takes; `seconds` and `bytes` are estimates."""

    experiment: str
    study: str
    profile: str
    seed: int
    arms: tuple[str, ...]
    packages: tuple[str, ...]
    cells: int
    rows: int
    seconds: float
    bytes: int
    configuration_hash: str

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {**asdict(self), "estimated": ["rows", "seconds", "bytes"]}

    def in_words(self) -> str:
        """For people."""
        return "\n".join(
            [
                f"{self.experiment}, profile {self.profile}, seed {self.seed}, a study of {self.study}",
                f"cells          {self.cells} ({', '.join(self.arms)})",
                f"rows           {self.rows}",
                f"packages       {', '.join(self.packages)}",
                f"time           about {duration(self.seconds)} on one core (an estimate; cached work is free)",
                f"disk           about {self.bytes / 1e6:.0f} MB (an estimate)",
                f"configuration  {self.configuration_hash}",
            ]
        )


def estimate_study(plan: StudyPlan) -> StudyNeed:
    """Estimate what a study takes.

    Raises
    ------
    LabError
        If a package cannot be read.
    """
    foreseen = study_named(plan.experiment.study).foresee(plan)
    return StudyNeed(
        plan.name,
        plan.experiment.study,
        plan.profile,
        plan.seed,
        plan.arms,
        plan.parameters.packages,
        len(plan.cells()),
        foreseen.rows,
        foreseen.seconds,
        foreseen.bytes,
        plan.configuration_hash,
    )
