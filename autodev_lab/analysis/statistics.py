"""The statistics of the lab by one name each; `docs/statistics.md` explains every method and its error rates."""

from __future__ import annotations

from autodev_lab.analysis.bands import Band, simultaneous_band
from autodev_lab.analysis.cluster_inference import (
    DEFAULT_TEST,
    ClusterTest,
    SignFlips,
    StudentT,
    WildBootstrap,
    fieller_interval,
)
from autodev_lab.analysis.effects import absolute_effect, p_value, relative_effect
from autodev_lab.analysis.equivalence import Equivalence, equivalence
from autodev_lab.analysis.estimates import Effect, Estimate
from autodev_lab.analysis.noise import noise_floor, share_noise_floor
from autodev_lab.analysis.power import Design, Power, packages_needed, power
from autodev_lab.analysis.rulings import Ruling, holm, verdict
from autodev_lab.analysis.shares import cluster_rate, cluster_share, share_p_value

__all__ = [
    "DEFAULT_TEST",
    "Band",
    "ClusterTest",
    "Design",
    "Effect",
    "Equivalence",
    "Estimate",
    "Power",
    "Ruling",
    "SignFlips",
    "StudentT",
    "WildBootstrap",
    "absolute_effect",
    "cluster_rate",
    "cluster_share",
    "equivalence",
    "fieller_interval",
    "holm",
    "noise_floor",
    "p_value",
    "packages_needed",
    "power",
    "relative_effect",
    "share_noise_floor",
    "share_p_value",
    "simultaneous_band",
    "verdict",
]
