"""How often a certificate breaks its promise and an audit withdraws a true one, on streams whose truth is known.

``python benchmarks/guarantee.py [--runs N] [--seed S] [--json]``: N streams (2,000 unless given) of independent
changes, of weeks with shared luck, of labels that mature, and N audits. Every count comes with a one-sided 95 % upper
bound.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict

from autodev_lab.decisions.promise_study import study_audit, study_dependence, study_exchangeable, study_maturing


def main() -> None:
    """Run all studies and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    size = {"runs": given.runs, "seed": given.seed}
    promises = {
        "exchangeable": study_exchangeable(**size),
        "exchangeable, all just below the promise": study_exchangeable(flat=True, **size),
        "weeks with shared luck, binomial": study_dependence(blocks=False, **size),
        "weeks with shared luck, blocks": study_dependence(blocks=True, **size),
        "labels of 90 days": study_maturing("immature", **size),
        "mature labels": study_maturing("mature", **size),
        "corrected for censoring": study_maturing("observed", **size),
    }
    audits = {
        "promise just kept": study_audit(**size),
        "true 98 %, then 90 %": study_audit(failing=0.02, later=0.1, at=500, **size),
        "true 98 %, then 85 %": study_audit(failing=0.02, later=0.15, at=500, **size),
        "90 % from the start": study_audit(later=0.1, **size),
    }
    if given.json:
        found = {name: _finite(asdict(one)) for name, one in {**promises, **audits}.items()}
        print(json.dumps(found, indent=1))
        return
    for name, promise in promises.items():
        print(
            f"{name}: certified {promise.certified} of {promise.runs}, broken {promise.broken} (share at most "
            f"{promise.broken_high:.3f}), coverage {promise.coverage:.3f}, success {promise.success:.3f}"
        )
    for name, audit in audits.items():
        print(
            f"audit, {name}: withdrawn {audit.withdrawn} of {audit.runs} (share at most {audit.withdrawn_high:.3f}), "
            f"median delay {audit.delay:.0f} outcomes"
        )


def _finite(found: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


if __name__ == "__main__":
    main()
