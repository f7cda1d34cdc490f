"""What MLflow is told of a study: endpoints and seconds by arm, a child run an arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autodev_lab.experiments.studies.design import StudyPlan
from autodev_lab.experiments.tracking import Child, Page, Point, as_text

__all__ = ["study_page"]


def study_page(plan: StudyPlan, summary: Mapping[str, object]) -> Page:
    """What is told of a run.

    Parameters
    ----------
    summary
        Its `summary.json`.
    """
    arms = summary["arms"]
    assert isinstance(arms, dict)
    parameters = {name: as_text(value) for name, value in plan.parameters.model_dump(mode="json").items()}
    children: dict[str, Callable[[], Child]] = {}
    metrics: dict[str, float] = {}
    for arm, values in arms.items():
        known = {name: float(value) for name, value in values.items() if value is not None}
        metrics.update({f"{arm}.{name}": value for name, value in known.items()})

        def tell(arm: str = arm, known: Mapping[str, float] = known) -> Child:
            options = {name: as_text(value) for name, value in plan.experiment.arms[arm].options.items()}
            return Child(arm, {"arm": arm, **options}, tuple(Point(name, value) for name, value in known.items()))

        children[arm] = tell
    told = {"experiment": plan.name, "study": plan.experiment.study, "profile": plan.profile, "seed": str(plan.seed)}
    return Page({**told, **parameters}, metrics, children)
