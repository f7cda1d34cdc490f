"""What there is to tell of policies on recorded changes: every figure, pooled and by project."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from autodev_lab.analysis.recorded_changes import PolicyFigures, policy_figures
from autodev_lab.experiments.studies.design import StudyPlan
from autodev_lab.experiments.studies.recorded_certificates import FORMS
from autodev_lab.experiments.studies.study import Details

__all__ = ["details_of"]

_OF_FORMS = ("coverage", "deployed", "success", "success_ci", "worst_window", "failures", "random", "smallest_first")
_WORDS = MappingProxyType(
    {
        "changes": "changes",
        "weeks": "project-weeks",
        "mean_of_weeks": "project-weeks, each counted once,",
        "observed": "young changes too, corrected for bugs still to be found,",
    }
)
_TOLD = ("auc", "auc_within", "brier", "ece", "ece_null", "coverage", "success", "coverage_oracle", "worst_window")


def details_of(
    plan: StudyPlan, outcomes: pd.DataFrame, *, promised: float, window_seconds: float, success: str
) -> Details:
    """Figures of every arm.

    Parameters
    ----------
    promised, window_seconds
        See `policy_figures`.
    success
        What it is here, as a sentence.
    """
    arms: dict[str, dict[str, float]] = {}
    policies: dict[str, object] = {}
    words = [success, "How rows were read and which were left out: attrition.csv.", ""]
    for arm in (name for name in plan.arms if name in set(outcomes["arm"])):
        rows = outcomes[outcomes["arm"] == arm]
        pooled = policy_figures(rows[rows["split"] == "pooled"], promised=promised, window_seconds=window_seconds)
        own = {
            str(name): policy_figures(one, promised=promised, window_seconds=window_seconds)
            for name, one in rows[rows["split"] == "own"].groupby("package", sort=True)
        }
        forms = {
            name: certified_by(one, promised=promised, window_seconds=window_seconds)
            for name, one in (("", rows[rows["split"] == "pooled"]), *((name, _of_project(rows, name)) for name in own))
        }
        arms[arm] = {name: float(getattr(pooled, name)) for name in (*_TOLD, "success_low", "success_high")}
        arms[arm]["auc_own"] = _mean([one.auc for one in own.values()])
        policies[arm] = {
            "pooled": {
                **pooled.as_json(),
                "certificates": _certificates(rows[rows["split"] == "pooled"]),
                "certified_by": forms[""],
            },
            "projects": {
                name: {
                    **one.as_json(),
                    "certificates": _certificates(_of_project(rows, name)),
                    "certified_by": forms[name],
                }
                for name, one in own.items()
            },
            "auc_own_mean": _finite(arms[arm]["auc_own"]),
        }
        words.append(_in_words(arm, pooled, arms[arm]["auc_own"], len(own)))
        words += _forms_in_words(forms[""])
    return Details(arms, {"promised": promised, "success": success, "policies": policies}, words)


def certified_by(rows: pd.DataFrame, *, promised: float, window_seconds: float) -> dict[str, dict[str, object]]:
    """What each form of certificate would deploy, and how much of it succeeds; empty for a policy without any."""
    found: dict[str, dict[str, object]] = {}
    for form in (form for form in FORMS if rows[f"by_{form}"].notna().all()):
        told = policy_figures(
            rows.assign(deployed=rows[f"by_{form}"], confidence=math.nan),
            promised=promised,
            window_seconds=window_seconds,
        ).as_json()
        found[form] = {name: told[name] for name in _OF_FORMS}
    return found


def _forms_in_words(forms: Mapping[str, Mapping[str, object]]) -> list[str]:
    told = []
    for form, one in forms.items():
        success = "" if one["success"] is None else f", {100 * float(str(one['success'])):.1f} % of them succeed"
        told.append(f"{_WORDS[form]} {100 * float(str(one['coverage'])):.1f} %{success}")
    return [f"  Deployed by what certifies: {'; '.join(told)}."] if told else []


def _of_project(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    return rows[(rows["split"] == "own") & (rows["package"] == name)]


def _certificates(rows: pd.DataFrame) -> list[dict[str, float | int | None]]:
    """Certificates that decided on these rows, in order: threshold, and what certified it."""
    found: list[dict[str, float | int | None]] = []
    issued = rows.dropna(subset=["certified_on"]).drop_duplicates(["threshold", "certified_on", "certified_successes"])
    for one in issued.sort_values("time", kind="stable").itertuples():
        threshold = float(str(one.threshold))
        found.append(
            {
                "threshold": _finite(threshold),
                "certified_on": int(float(str(one.certified_on))),
                "successes": int(float(str(one.certified_successes))),
            }
        )
    return found


def _in_words(arm: str, one: PolicyFigures, own: float, projects: int) -> str:
    told = f"{arm}: deploys {100 * one.coverage:.1f} % of {one.n} changes alone"
    if one.deployed:
        told += (
            f", of which {100 * one.success:.1f} % succeed [{100 * one.success_low:.1f}, {100 * one.success_high:.1f}] "
            f"(in the worst window {100 * one.worst_window:.1f} %)"
        )
    if math.isfinite(one.auc):
        told += (
            f"; AUC {one.auc:.3f} (within projects {one.auc_within:.3f}; mean of {projects} split by themselves "
            f"{own:.3f}), ECE {one.ece:.3f} (a perfect calibrator's {one.ece_null:.3f}), coverage with hindsight "
            f"{100 * one.coverage_oracle:.1f} %"
        )
    return f"{told}."


def _mean(values: list[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.mean(known)) if known else math.nan


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
