"""Contrasts: two arms compared as a claim compares them, with nothing promised and nothing to confirm."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from autodev_lab.analysis.claims import Judged, judge
from autodev_lab.analysis.frames import arm_rows, originals
from autodev_lab.analysis.registration import Claim

__all__ = ["contrast_effects"]


def contrast_effects(
    outcomes: pd.DataFrame,
    pairs: Iterable[tuple[str, str]],
    *,
    endpoint: str,
    experiment: str,
    environment: str,
) -> tuple[Judged, ...]:
    """Relative effect of the first arm of each pair against the second, judged against "no effect" (threshold 0).

    Intervals are of 95 % each: they are not adjusted for the number of pairs, and no pair is part of the family of
    registered claims. Always exploratory.

    Parameters
    ----------
    outcomes
        All outcomes of a run, twins included.
    pairs
        (treatment, baseline); pairs with an arm that has no outcomes are left out.
    endpoint
        Name of an endpoint, see `autodev_lab.analysis.metrics.ENDPOINTS`.
    """
    known = {arm for arm in outcomes["arm"].unique() if not originals(arm_rows(outcomes, str(arm))).empty}
    return tuple(
        judge(
            Claim(
                id=f"{treatment}_against_{baseline}",
                statement=f"{treatment} against {baseline}",
                experiment=experiment,
                environment=environment,
                treatment=treatment,
                baseline=baseline,
                endpoint=endpoint,
                threshold=0.0,
                registered={},
            ),
            outcomes,
            confirmatory=False,
        )
        for treatment, baseline in pairs
        if {treatment, baseline} <= known
    )
