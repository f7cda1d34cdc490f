"""What a run of a study showed beside its claims: endpoints by arm, arms compared, groups of packages, and times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from matplotlib.figure import Figure

from autodev_lab.analysis.dossier import Dossier
from autodev_lab.analysis.estimates import Effect, Estimate
from autodev_lab.analysis.markdown import table
from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.analysis.study_figures import endpoints_figure
from autodev_lab.analysis.study_results import (
    Contrast,
    GroupGain,
    group_gains,
    groups_of,
    study_contrasts,
    study_metrics,
)
from autodev_lab.analysis.wording import ends, percent
from autodev_lab.errors import LabError

__all__ = ["NO_NOISE", "StudyExhibit", "make_study_exhibit", "study_exhibit_figures"]

NO_NOISE = "none: nothing in a study depends on an agent's seed, so run again it gives the same"
"""What stands where other runs have a noise floor, which is measured on twins."""

Metrics = Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True, slots=True)
class StudyExhibit:
    """What a run of a study showed beside its claims; exploratory, all of it.

    Parameters
    ----------
    study
        Its name.
    endpoints
        Those of the study.
    asked
        Names of those that the experiment asks for.
    arms
        Estimates by arm and endpoint; intervals of 95 % over packages.
    groups
        The same for each group of packages that is reported apart; empty without groups.
    contrasts
        Pairs of arms that the experiment compares.
    gains
        How these pairs differ in the groups, and between them.
    times
        What the run's own summary says of times and sizes, by arm and name; they depend on the machine.
    """

    study: str
    endpoints: tuple[Endpoint, ...]
    asked: tuple[str, ...]
    arms: Metrics = field(hash=False)
    groups: Mapping[str, Metrics] = field(hash=False)
    contrasts: tuple[Contrast, ...]
    gains: tuple[GroupGain, ...]
    times: Mapping[str, Mapping[str, float]] = field(hash=False)

    def as_json(self) -> dict[str, object]:
        """Plain data; what is not defined or not bounded is null."""
        return {
            "study": self.study,
            "arms": _plain(self.arms),
            "groups": {name: _plain(metrics) for name, metrics in self.groups.items()},
            "contrasts": [one.as_json() for one in self.contrasts],
            "group_gains": [one.as_json() for one in self.gains],
            "times": {arm: dict(values) for arm, values in self.times.items()},
        }

    def markdown(self) -> list[str]:
        """Paragraphs and tables."""
        parts = ["Arms (means over what was looked for, with intervals of 95 % over packages):", self._table(self.arms)]
        for name, metrics in self.groups.items():
            parts += [f"The same in the group of packages *{name}*:", self._table(metrics)]
        if self.contrasts:
            parts += [
                "Contrasts (exploratory; relative difference on the same items, intervals of 95 % each, not adjusted "
                f"for their number). Noise floor: {NO_NOISE}.",
                table(
                    ("arm", "against", "endpoint", "difference", "95 % interval", "n", "packages"),
                    [(one.treatment, one.baseline, one.endpoint, *_relative(one.effect)) for one in self.contrasts],
                ),
            ]
        if self.gains:
            first, second = (name for name, _ in self.gains[0].groups)
            parts += [
                f"Differences of arms in the groups *{first}* and *{second}*, and the first less the second (absolute, "
                "intervals of 95 % over packages):",
                table(
                    ("arm", "against", "endpoint", first, second, "difference of the two"),
                    [
                        (
                            one.treatment,
                            one.baseline,
                            one.endpoint,
                            *(_absolute(effect) for _, effect in one.groups),
                            _absolute(one.difference),
                        )
                        for one in self.gains
                    ],
                ),
            ]
        if self.times:
            names = list(dict.fromkeys(name for values in self.times.values() for name in values))
            parts += [
                "Times and sizes, as the run's own summary has them (milliseconds a search, seconds, megabytes; of one "
                "machine, and not part of the outcomes):",
                table(
                    ("arm", *names),
                    [
                        (arm, *(f"{values[name]:.3g}" if name in values else "" for name in names))
                        for arm, values in self.times.items()
                    ],
                ),
            ]
        return parts

    def _table(self, metrics: Metrics) -> str:
        shown = [one for one in self.endpoints if any(estimates[one.name].n for estimates in metrics.values())]
        rows = [
            (
                arm,
                *(_estimate(estimates[one.name]) for one in shown),
                str(max((estimates[one.name].n for one in shown), default=0)),
            )
            for arm, estimates in metrics.items()
        ]
        return table(("arm", *(one.name for one in shown), "n"), rows)


def make_study_exhibit(dossier: Dossier) -> StudyExhibit:
    """Sum up a study's arms, contrasts and groups from its outcomes.

    Raises
    ------
    LabError
        If this lab does not have the study.
    """
    outcomes = dossier.run.outcomes
    if dossier.study not in STUDY_ENDPOINTS:
        raise LabError(
            f"run {dossier.run.id} is of a study {dossier.study!r}, which this lab does not have; leave it out, or "
            "take the lab that its provenance.json names"
        )
    endpoints = tuple(one for one in STUDY_ENDPOINTS[dossier.study].values() if one.column in outcomes)
    named = [one for one in endpoints if one.name in dossier.endpoints]
    groups = groups_of(outcomes) or ()
    return StudyExhibit(
        dossier.study,
        endpoints,
        tuple(one.name for one in named),
        study_metrics(endpoints, outcomes, dossier.arms),
        {name: study_metrics(endpoints, outcomes[outcomes["group"] == name], dossier.arms) for name in groups},
        study_contrasts(outcomes, dossier.contrasts, named),
        group_gains(outcomes, dossier.contrasts, named),
        _times(dossier, {one.name for one in endpoints}),
    )


def study_exhibit_figures(exhibit: StudyExhibit) -> dict[str, Figure]:
    """What the experiment asks for first, and what has its unit, by arm: of all packages and of each group."""
    asked = [one for one in exhibit.endpoints if one.name in exhibit.asked]
    alike = [one for one in asked if one.unit == asked[0].unit]
    drawn: dict[str, Figure] = {}
    for name, metrics in (("arms", exhibit.arms), *((f"arms-{name}", one) for name, one in exhibit.groups.items())):
        shown = [one for one in alike if any(estimates[one.name].n for estimates in metrics.values())]
        if shown:
            drawn[name] = endpoints_figure(metrics, shown)
    return drawn


def _times(dossier: Dossier, endpoints: set[str]) -> dict[str, dict[str, float]]:
    """Numbers that a summary has beside the endpoints and their intervals."""
    arms = dossier.run.summary.get("arms")
    found: dict[str, dict[str, float]] = {}
    for arm, values in arms.items() if isinstance(arms, dict) else ():
        if arm in dossier.arms and isinstance(values, dict):
            found[arm] = {
                name: float(value)
                for name, value in values.items()
                if isinstance(value, int | float)
                and not any(name == one or name.startswith((f"{one}_",)) for one in endpoints)
            }
    return {arm: values for arm, values in found.items() if values}


def _plain(metrics: Metrics) -> dict[str, object]:
    return {
        arm: {
            name: {"value": _finite(one.value), "ci": [_finite(one.low), _finite(one.high)], "n": one.n}
            for name, one in estimates.items()
            if one.n
        }
        for arm, estimates in metrics.items()
    }


def _estimate(one: Estimate) -> str:
    if not one.n:
        return ""
    return f"{one.value:.3f}" + (f" [{one.low:.3f}, {one.high:.3f}]" if math.isfinite(one.low) else "")


def _relative(effect: Effect) -> tuple[str, ...]:
    return (percent(effect.estimate), ends(effect.low, effect.high), str(effect.n), str(effect.clusters))


def _absolute(effect: Effect) -> str:
    return f"{effect.estimate:+.3f} {ends(effect.low, effect.high, '{:+.3f}'.format)}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
