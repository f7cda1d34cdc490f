"""What certificates deliver on real changes with fix dates: early, mature and corrected labels, side by side.

``python benchmarks/dated.py FOLDER [--horizon DAYS] [--looks N] [--json]``: one CSV a project with the columns
``date`` (of the change), ``buggy``, ``fix_date`` and change measures, as in ApacheJIT with dates (from NeuroJIT).
At each of N times in the middle of the data, pooled over projects, everything is done with what was known by then: a
gradient-boosted model is trained on the first half of the usable changes, a beta calibrator fitted on the next fifth,
and a threshold certified on the rest. It is judged on later changes whose horizon has passed by the end of the data:
share without a failure within the horizon. ``fix`` is left out: in this data it leaks the label.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from autodev_lab.decisions import (
    Certificate,
    DatedOutcomes,
    FittedCalibrator,
    FixedSequences,
    Promise,
    certify,
    certify_mature,
    fit_calibrator,
    fit_delays,
)
from autodev_lab.errors import LabError

MEASURES = ("LA", "LD", "LT", "NF", "ND", "NS", "Entropy", "NDEV", "AGE", "NUC", "EXP", "REXP", "SEXP")
WAYS = ("90 days", "mature", "observed")
DAY = 86_400.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Delivered:
    """One certificate, and what it did with later changes."""

    way: str
    look: int
    certified_on: int
    promised: bool
    coverage: float
    success: float
    deployed: int
    all_success: float


def read(folder: Path) -> tuple[Floats, Floats, Floats]:
    """Measures, days of the changes and days of their failures (NaN without), oldest first."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise LabError(f"{folder} holds no CSV file")
    rows = pd.concat([pd.read_csv(path) for path in files], ignore_index=True)
    missing = [name for name in ("date", "buggy", "fix_date", *MEASURES) if name not in rows]
    if missing:
        raise LabError(f"files in {folder} have no columns {', '.join(missing)}")
    made = pd.to_datetime(rows["date"]).to_numpy(dtype="datetime64[s]").astype(np.float64) / DAY
    fixed = pd.to_datetime(rows["fix_date"])
    days = fixed.to_numpy(dtype="datetime64[s]").astype(np.float64) / DAY
    failed = np.where(fixed.notna() & rows["buggy"].astype(bool), days, np.nan)
    failed = np.where(failed < made, made, failed)
    order = np.argsort(made, kind="stable")
    return rows[list(MEASURES)].to_numpy(dtype=np.float64)[order], made[order], failed[order]


def certified(
    way: str, measures: Floats, known: DatedOutcomes, promise: Promise, seed: int
) -> tuple[Certificate, HistGradientBoostingClassifier, FittedCalibrator, int]:
    """Train, calibrate and certify on what is known; each on changes that the others have not seen."""
    if way == "90 days":
        known = DatedOutcomes(known.committed, known.failed, known.now, horizon=90.0)
    chance = fit_delays(known).observed(known.age) if way == "observed" else np.where(known.mature, 1.0, 0.0)
    usable = np.flatnonzero(chance >= 0.5)
    first, second = int(0.5 * len(usable)), int(0.7 * len(usable))
    train, calibrate, judge = usable[:first], usable[first:second], usable[second:]
    model = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05, min_samples_leaf=50, random_state=seed)
    model.fit(measures[train], known.success[train])
    raw = model.predict_proba(measures[calibrate])[:, 1]
    curve = fit_calibrator("beta", raw, known.success[calibrate])
    sequences = FixedSequences.of(curve.predict(raw))
    confidence = curve.predict(model.predict_proba(measures[judge])[:, 1])
    part = DatedOutcomes(known.committed[judge], known.failed[judge], known.now, known.horizon)
    if way == "observed":
        made = certify(confidence, part.success, promise, observed=chance[judge], sequences=sequences)
    else:
        made = certify_mature(confidence, part, promise, sequences=sequences)
    return made, model, curve, len(judge)


def main() -> None:
    """Look at several times and print what was delivered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--horizon", type=float, default=730.0)
    parser.add_argument("--looks", type=int, default=5)
    parser.add_argument("--promise", type=float, default=0.95)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    measures, made, failed = read(given.folder)
    end = float(np.nanmax(np.append(failed, made)))
    promise = Promise(given.promise)
    found = []
    for look, share in enumerate(np.linspace(0.4, 0.7, given.looks).tolist()):
        now = float(np.quantile(made, share))
        past = made <= now
        known = DatedOutcomes(made[past], failed[past], now, given.horizon)
        later = (made > now) & (made <= end - given.horizon)
        truth = DatedOutcomes(made[later], failed[later], end, given.horizon).success
        for way in WAYS:
            certificate, model, curve, n = certified(way, measures[past], known, promise, look)
            confidence = curve.predict(model.predict_proba(measures[later])[:, 1])
            deployed = certificate.deploys(confidence)
            success = float(truth[deployed].mean()) if deployed.any() else math.nan
            issued, coverage, count = certificate.threshold is not None, float(deployed.mean()), int(deployed.sum())
            found.append(Delivered(way, look, n, issued, coverage, success, count, float(truth.mean())))
    if given.json:
        clean = [{key: None if value != value else value for key, value in asdict(one).items()} for one in found]
        print(json.dumps(clean, indent=1))
        return
    for one in found:
        print(
            f"look {one.look}, {one.way}: certified on {one.certified_on}, deploys {one.coverage:.3f} "
            f"({one.deployed}), success {one.success:.3f}; of all {one.all_success:.3f}"
        )


if __name__ == "__main__":
    main()
