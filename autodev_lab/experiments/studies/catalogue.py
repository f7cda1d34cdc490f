"""Studies by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autodev_lab.errors import LabError
from autodev_lab.experiments.studies.study import Study

__all__ = ["STUDIES", "study_named"]


def _retrieval() -> Study:
    from autodev_lab.experiments.studies.retrieval import RetrievalStudy

    return RetrievalStudy()


def _credit() -> Study:
    from autodev_lab.experiments.studies.credit import CreditStudy

    return CreditStudy()


def _growth() -> Study:
    from autodev_lab.experiments.studies.growth import GrowthStudy

    return GrowthStudy()


def _impact() -> Study:
    from autodev_lab.experiments.studies.impact import ImpactStudy

    return ImpactStudy()


def _hops() -> Study:
    from autodev_lab.experiments.studies.hops import HopsStudy

    return HopsStudy()


def _evidence() -> Study:
    from autodev_lab.experiments.studies.evidence import EvidenceStudy

    return EvidenceStudy()


def _localisation() -> Study:
    from autodev_lab.experiments.studies.localisation import LocalisationStudy

    return LocalisationStudy()


def _recorded_changes() -> Study:
    from autodev_lab.experiments.studies.recorded_changes import RecordedChangesStudy

    return RecordedChangesStudy()


def _coordination() -> Study:
    from autodev_lab.experiments.studies.coordination import CoordinationStudy

    return CoordinationStudy()


def _scaling() -> Study:
    from autodev_lab.experiments.studies.scaling import ScalingStudy

    return ScalingStudy()


def _processes() -> Study:
    from autodev_lab.experiments.studies.scaling_processes import ProcessesStudy

    return ProcessesStudy()


STUDIES: Mapping[str, Callable[[], Study]] = {
    "retrieval": _retrieval,
    "growth": _growth,
    "credit": _credit,
    "impact": _impact,
    "hops": _hops,
    "localisation": _localisation,
    "evidence": _evidence,
    "recorded_changes": _recorded_changes,
    "coordination": _coordination,
    "scaling": _scaling,
    "processes": _processes,
}
"""What the `study` of an experiment's YAML may say; imported when asked for."""


def study_named(name: str) -> Study:
    """A study.

    Raises
    ------
    LabError
        If there is none of this name.
    """
    if name not in STUDIES:
        raise LabError(f"study is {name!r}; choose one of {', '.join(STUDIES)}")
    return STUDIES[name]()
