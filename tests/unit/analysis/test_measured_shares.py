"""Two arms compared in a share of time: intervals as narrow as the packages allow, and right as often as they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autodev_lab.analysis.cluster_inference import DEFAULT_TEST
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.analysis.study_results import compare_arms

IDLE = STUDY_ENDPOINTS["coordination"]["idle_loaded"]
PACKAGES, STREAMS, RATIO = 8, 3, 1.02


def totals(count, noise, seed=1):
    """Idle shares of two arms, summed over the streams of a package: shape (count, packages) each.

    Packages differ in how idle they leave a team, streams of a package in how their tasks fall; the arms work off the
    same streams, so that only `noise` sets them apart.
    """
    rng = np.random.default_rng(seed)
    package = rng.uniform(0.25, 0.4, (count, PACKAGES, 1))
    baseline = package * rng.normal(1.0, 0.1, (count, PACKAGES, STREAMS))
    shifts = noise(rng, (count, PACKAGES, 1)) * noise(rng, (count, PACKAGES, STREAMS))
    return (RATIO * baseline * shifts).sum(axis=2), baseline.sum(axis=2)


def normal(rng, shape):
    return rng.normal(1.0, 0.03, shape)


def skewed(rng, shape):
    return rng.lognormal(-0.02, 0.2, shape)


def uneven(rng, shape):
    """Packages of which one in four differs ten times as much between the arms."""
    spread = np.where(rng.random((*shape[:-1], 1)) < 0.25, 0.1, 0.01)
    return 1.0 + spread * rng.normal(0.0, 1.0, shape)


@pytest.mark.parametrize(("noise", "least"), [(normal, 0.94), (skewed, 0.92), (uneven, 0.94)])
def test_intervals_of_95_percent_hold_the_truth(noise, least):
    ours, theirs = totals(20_000, noise)
    # an interval holds the true ratio exactly where the test it inverts does not reject it
    greater, less = DEFAULT_TEST.tails(ours - RATIO * theirs)
    held = (greater > 0.025) & (less > 0.025)
    assert least < held.mean() < 0.97


def outcomes(noise, scale=1.0):
    ours, theirs = (scale * values[0] / STREAMS for values in totals(1, noise))
    return pd.DataFrame(
        [
            {"arm": arm, "package": f"p{package}", "item": f"{stream}", "idle_loaded": value}
            for arm, values in (("ours", ours), ("theirs", theirs))
            for package, value in enumerate(values)
            for stream in range(STREAMS)
        ]
    )


def test_the_interval_is_that_of_the_packages_not_of_counts():
    found = compare_arms(outcomes(normal), "ours", "theirs", IDLE).effect
    assert found.low < found.estimate < found.high
    assert found.high - found.low < 0.1
    smaller = compare_arms(outcomes(normal, scale=0.1), "ours", "theirs", IDLE).effect
    assert (smaller.low, smaller.high) == pytest.approx((found.low, found.high))


def test_arms_that_differ_are_told_apart():
    ours, theirs = totals(2_000, normal, seed=2)
    greater, _ = DEFAULT_TEST.tails(1.05 * ours / RATIO - theirs)
    assert (greater <= 0.025).mean() > 0.8
