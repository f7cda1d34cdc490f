"""Rollouts on simulated noisy traffic: errors at any stopping time, delays, and what other ways to judge make of it.

``python benchmarks/rollout.py [--runs N] [--small N] [--seed S] [--json]``: N rollouts (10,000 unless given) of a
change that is no worse, and ``--small`` (1,000) of every regression, by every way; the power of tests of one look at
several sizes, and the smallest size at which the best of them finds 90 %. What the traffic is like is stated in
`autodev_lab.decisions.rollout_study`. Bounds are one-sided, 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict

from autodev_lab.decisions.rollout_study import REGRESSIONS, FixedSample, fixed_sample, judge_rollouts

WAYS = ("sequential", "any failure", "mann-whitney", "mann-whitney, every batch")
SIZES = (40, 60, 80, 100, 140, 200, 300, 400, 600, 800, 1000, 1400, 2000)


def best_size(found: tuple[FixedSample, ...], power: float = 0.9) -> tuple[int, str] | None:
    """Smallest size at which one of the tests has the power, and which one."""
    for one in found:
        powers = {"failures": one.failures, "very slow": one.very_slow, "Mann-Whitney": one.mann_whitney}
        name = max(powers, key=lambda key: powers[key])
        if powers[name] >= power:
            return one.exposures, name
    return None


def main() -> None:
    """Run all studies and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    for name in REGRESSIONS:
        print(name, file=sys.stderr)
        rows: dict[str, object] = {}
        for way in WAYS:
            runs = given.runs if (name, way) == ("none", "sequential") else given.small
            study = asdict(judge_rollouts(name, way=way, runs=runs, seed=given.seed))
            rows[way] = {key: value if math.isfinite(value) else None for key, value in study.items()}
        if name != "none":
            fixed = fixed_sample(name, SIZES, runs=given.small, seed=given.seed)
            rows["one look"] = [asdict(one) for one in fixed]
            rows["best of one look"] = best_size(fixed)
        found[name] = rows
    if given.json:
        print(json.dumps(found, indent=1))
        return
    for name, rows in found.items():
        print(f"\n{name}; the best test of one look finds 90 % at {rows.get('best of one look', 'no size')}")
        for way in WAYS:
            row = rows[way]
            assert isinstance(row, dict)
            print(
                f"  {way}: rolled back {row['rolled_back']:.3f} [{row['rolled_back_low']:.3f}, "
                f"{row['rolled_back_high']:.3f}], promoted {row['promoted']:.3f}, inconclusive "
                f"{row['inconclusive']:.3f}; delay {row['delay']} (90 %: {row['delay_high']}); {row['exposures']:.0f} "
                f"exposures, {row['harmed']:.1f} harmed"
            )


if __name__ == "__main__":
    main()
