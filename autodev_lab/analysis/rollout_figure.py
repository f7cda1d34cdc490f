"""A figure of rollouts: how often right changes were rolled back and wrong ones escaped, arm by arm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from autodev_lab.analysis.metrics import Endpoint
from autodev_lab.analysis.rollouts import RolloutSummary
from autodev_lab.analysis.study_figures import endpoints_figure

__all__ = ["rollout_figure"]

_DRAWN = tuple(
    Endpoint(name, "", "share of these changes", label, (0.0, 1.0))
    for name, label in (("false_rollbacks", "right changes rolled back"), ("escaped", "wrong changes in production"))
)


def rollout_figure(rollouts: Sequence[RolloutSummary]) -> Figure | None:
    """Both shares of every arm with 95 % intervals over packages; None unless each arm had right and wrong changes.

    Parameters
    ----------
    rollouts
        One an arm, in the order to draw.
    """
    shares = {one.arm: {"false_rollbacks": one.false_rollbacks, "escaped": one.escaped} for one in rollouts}
    known = [math.isfinite(share.value) for pair in shares.values() for share in pair.values()]
    return endpoints_figure(shares, _DRAWN) if shares and all(known) else None
