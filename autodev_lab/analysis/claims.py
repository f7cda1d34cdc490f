"""Registered claims: read from `experiments/claims.yaml` and judged on a run's outcomes.

A claim is confirmatory only in the environment it was registered for and under the registered configuration hash;
any other run judges it as exploratory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autodev_lab.analysis.frames import TWIN_SUFFIX, arm_rows
from autodev_lab.analysis.metrics import ENDPOINTS, paired_totals, twin_differences
from autodev_lab.analysis.statistics import Effect, Ruling, noise_floor, relative_effect, verdict
from autodev_lab.errors import LabError

__all__ = ["Claim", "Judged", "judge", "judge_all", "read_claims"]


class Claim(BaseModel):
    """A statement registered before the run, with all that is needed to judge it.

    ``threshold`` is the relative effect (0.3 = 30 % more) of `treatment` over `baseline` that the claim promises.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    statement: str
    experiment: str
    environment: str
    treatment: str
    baseline: str
    endpoint: str
    threshold: float = Field(allow_inf_nan=False)
    registered: dict[str, str]
    """Configuration hash by profile under which the claim is confirmatory."""

    @field_validator("endpoint")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ENDPOINTS:
            raise ValueError(f"endpoint {value!r} is not one of {', '.join(ENDPOINTS)}")
        return value


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with what a run says of it; per-package totals are kept for the figures."""

    claim: Claim
    effect: Effect
    noise_floor: float
    ruling: Ruling
    confirmatory: bool
    totals: pd.DataFrame

    def as_json(self) -> dict[str, object]:
        """The object of `--json`; an end that is not bounded, or a value that is not defined, is null."""
        return {
            "id": self.claim.id,
            "statement": self.claim.statement,
            "endpoint": self.claim.endpoint,
            "treatment": self.claim.treatment,
            "baseline": self.claim.baseline,
            "threshold": self.claim.threshold,
            "estimate": _finite(self.effect.estimate),
            "ci": [_finite(self.effect.low), _finite(self.effect.high)],
            "n": self.effect.n,
            "clusters": self.effect.clusters,
            "noise_floor": _finite(self.noise_floor),
            "verdict": self.ruling.value,
            "confirmatory": self.confirmatory,
            "why": self.effect.why,
        }


def read_claims(path: Path) -> tuple[Claim, ...]:
    """Read a file of claims.

    Raises
    ------
    LabError
        If the file is not valid.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        claims = tuple(Claim.model_validate(entry) for entry in data["claims"])
    except (OSError, yaml.YAMLError, ValidationError, KeyError, TypeError) as error:
        raise LabError(f"{path} is not a file of claims ({str(error).splitlines()[0]}); correct it") from error
    if len({claim.id for claim in claims}) < len(claims):
        raise LabError(f"{path} registers a claim twice; give every claim its own id")
    return claims


def judge(claim: Claim, outcomes: pd.DataFrame, *, confirmatory: bool, level: float = 0.95) -> Judged:
    """Judge one claim.

    Parameters
    ----------
    outcomes
        All outcomes of a run, twins included.
    confirmatory
        Whether the run is the registered one.
    level
        Coverage of the interval.
    """
    column = ENDPOINTS[claim.endpoint].column
    treatment, baseline = (arm_rows(outcomes, arm) for arm in (claim.treatment, claim.baseline))
    totals = paired_totals(treatment, baseline, column)
    n = int(totals["n"].sum())
    if n == 0:
        effect = Effect(math.nan, -math.inf, math.inf, 0, 0, "the two arms have no finished task in common")
    else:
        effect = relative_effect(
            totals["treatment"].to_numpy(dtype=np.float64),
            totals["baseline"].to_numpy(dtype=np.float64),
            n=n,
            level=level,
        )
    floor = _floor(outcomes, (claim.treatment, claim.baseline), column)
    ruling = verdict(effect.estimate, (effect.low, effect.high), claim.threshold, floor)
    return Judged(claim, effect, floor, ruling, confirmatory, totals)


def judge_all(
    claims: Sequence[Claim], outcomes: pd.DataFrame, *, experiment: str, environment: str, configuration_hash: str
) -> tuple[Judged, ...]:
    """Judge the claims of an experiment whose two arms have run, with simultaneous (Bonferroni) intervals.

    The family is every claim registered for the experiment, judged or not, so that leaving arms out of a run cannot
    narrow an interval.
    """
    family = [claim for claim in claims if claim.experiment == experiment]
    arms = set(outcomes["arm"].unique())
    level = 1 - 0.05 / max(1, len(family))
    return tuple(
        judge(
            claim,
            outcomes,
            confirmatory=environment == claim.environment and configuration_hash in claim.registered.values(),
            level=level,
        )
        for claim in family
        if {claim.treatment, claim.baseline} <= arms
    )


def _floor(outcomes: pd.DataFrame, arms: Sequence[str], column: str) -> float:
    """Noise floor from the twins of the arms; NaN when one of them has none."""
    frames = [
        twin_differences(arm_rows(outcomes, arm), arm_rows(outcomes, f"{arm}{TWIN_SUFFIX}"), column) for arm in arms
    ]
    if any(frame.empty for frame in frames):
        return math.nan
    # an interrupted run may lack cells of one twin: only what all have is comparable
    shared = frames[0].index
    for frame in frames[1:]:
        shared = shared.intersection(frame.index)
    if shared.empty:
        return math.nan
    aligned = [frame.loc[shared] for frame in frames]
    return noise_floor(
        np.stack([frame["difference"].to_numpy(dtype=np.float64) for frame in aligned]),
        np.array([float(frame["mean"].sum()) for frame in aligned]),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
