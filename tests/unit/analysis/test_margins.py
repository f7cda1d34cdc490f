"""What would change a verdict: every ruling has its sentence, and the numbers in it are computed."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from autodev_lab.analysis.claims import Judged, judge, parse_claim
from autodev_lab.analysis.dictionary import COLUMNS
from autodev_lab.analysis.estimates import Effect
from autodev_lab.analysis.margins import what_would_change
from autodev_lab.analysis.rulings import Ruling

ENTRY: dict[str, object] = {
    "id": "more",
    "statement": "s",
    "experiment": "e",
    "environment": "simulated",
    "treatment": "a",
    "baseline": "b",
    "endpoint": "correct_at_K",
    "threshold": 0.3,
    "registered": {},
}
RELATIVE = parse_claim(ENTRY)
SHARE = parse_claim({**{key: value for key, value in ENTRY.items() if key != "baseline"}, "kind": "share"})


def outcomes(packages: int, *, better: float, tasks: int = 12, seed: int = 0) -> pd.DataFrame:
    """Two arms with twins; `better` is the chance that the treatment gets right what the baseline does not."""
    rng = np.random.default_rng(seed)
    rows = []
    for package in range(packages):
        base = rng.random(tasks) < 0.4
        for arm, right in (("a", base | (rng.random(tasks) < better)), ("b", base)):
            for twin in (False, True):
                rows += [
                    {"arm": arm, "twin": twin, "package": f"p{package}", "task_id": f"{package}-{task}", "correct": hit}
                    for task, hit in enumerate(right)
                ]
    frame = pd.DataFrame(rows).assign(replicate=0, depth=0, index=0)
    return frame.reindex(columns=[column.name for column in COLUMNS if column.name in frame.columns])


def judged(effect: Effect, ruling: Ruling, *, share: bool = False, floor: float = 0.05) -> Judged:
    return Judged(SHARE if share else RELATIVE, effect, floor, ruling, False, pd.DataFrame())


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            judged(Effect(0.6, 0.42, 0.8, 90, 12), Ruling.SUPPORTED),
            "interval 12.0 points further down",
        ),
        (judged(Effect(0.0, -0.1, 0.1, 90, 12), Ruling.REFUTED), "upper end of the interval 20.0 points further up"),
        (judged(Effect(0.01, -0.1, 0.4, 90, 12), Ruling.BELOW_NOISE), "the estimate is 4.0 points short of the noise"),
        (judged(Effect(0.3, 0.1, 0.5, 90, 12), Ruling.NO_TWINS), "Twins of its arms would"),
        (judged(Effect(math.nan, -math.inf, math.inf, 0, 0, "no task"), Ruling.UNDECIDED), "(no task)"),
        (judged(Effect(0.5, -math.inf, math.inf, 90, 4), Ruling.UNDECIDED), "needs 6 packages, and this run has 4"),
        (judged(Effect(0.3, 0.1, 0.5, 90, 12), Ruling.UNDECIDED), "the estimate lies on the threshold"),
        (
            judged(Effect(0.5, 0.2, 0.6, 90, 4), Ruling.UNDECIDED, share=True),
            "10.0 points short of the threshold and its upper end 30.0 points above it; at this spread and share about "
            "9 packages would decide",
        ),
        (judged(Effect(0.28, 0.2, 0.4, 90, 4), Ruling.BELOW_NOISE, share=True), "distance from the threshold is 3.0"),
    ],
)
def test_every_ruling_has_its_sentence(found: Judged, says: str) -> None:
    sentence = what_would_change(found, outcomes(3, better=0.1), level=0.95)
    assert says in sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_packages_that_would_decide_are_more_than_there_were_and_do_decide() -> None:
    """The number it names, tried: most experiments of that size decide, and most of the present size do not."""
    few = outcomes(8, better=0.27)
    found = replace(judge(RELATIVE, few, confirmatory=False), ruling=Ruling.UNDECIDED)
    assert found.effect.low < 0.3 < found.effect.high
    sentence = what_would_change(found, few, level=0.95)
    number = re.search(r"about (\d+) packages would decide", sentence)
    assert number is not None, sentence
    needed = int(number[1])
    assert needed > 8
    assert f"{100 * (0.3 - found.effect.low):.1f} points short" in sentence

    def decided(packages: int) -> float:
        verdicts = [
            judge(RELATIVE, outcomes(packages, better=0.27, seed=seed), confirmatory=False).ruling
            for seed in range(1, 21)
        ]
        return sum(one in (Ruling.SUPPORTED, Ruling.REFUTED) for one in verdicts) / len(verdicts)

    assert decided(needed) > decided(8)
