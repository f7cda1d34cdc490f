"""Contract suite for calibrators: a probability that starts at a prior and follows what was shown."""

from __future__ import annotations

from collections.abc import Callable

from autodev_lab.protocols import Calibrator
from autodev_lab.records import Label, LabelSource

__all__ = ["check_calibrator"]

_GRID = (0.0, 0.05, 0.2, 0.5, 0.8, 1.0)


def check_calibrator(make: Callable[[], Calibrator]) -> None:
    """Check that a calibrator keeps its promises.

    Parameters
    ----------
    make
        Makes a calibrator that has learned nothing.

    Raises
    ------
    AssertionError
        With a sentence that says which promise is broken.

    Examples
    --------
    >>> from autodev_lab.decisions import BinnedBetaCalibrator
    >>> check_calibrator(BinnedBetaCalibrator)
    """
    calibrator, twin = make(), make()
    prior = _confidences(calibrator)
    assert prior == _confidences(twin), "two new calibrators must say the same"
    for number in range(30):
        label = _label(number, risk=_GRID[number % len(_GRID)], success=number % 3 != 0)
        calibrator.learn(label)
        twin.learn(label)
        assert _confidences(calibrator) == _confidences(twin), (
            "two calibrators that learned the same labels must say the same, however often they were asked"
        )
        _confidences(calibrator)
    for source in LabelSource:
        good, bad = make(), make()
        for number in range(40):
            good.learn(_label(number, risk=0.2, success=True, source=source))
            bad.learn(_label(number, risk=0.2, success=False, source=source))
        middle = make().confidence(0.2)
        assert good.confidence(0.2) > middle, f"successes shown by {source} must raise the confidence"
        assert bad.confidence(0.2) < middle, f"failures shown by {source} must lower the confidence"


def _confidences(calibrator: Calibrator) -> list[float]:
    seen = [calibrator.confidence(risk) for risk in _GRID]
    for risk, confidence in zip(_GRID, seen, strict=True):
        assert 0.0 <= confidence <= 1.0, f"a confidence must lie between 0 and 1, not be {confidence} at risk {risk}"
    assert seen == [calibrator.confidence(risk) for risk in _GRID], "asking twice must give the same confidence"
    return seen


def _label(number: int, *, risk: float, success: bool, source: LabelSource | None = None) -> Label:
    either = LabelSource.PERSON if number % 2 else LabelSource.PRODUCTION
    propensity = 0.05 if number % 5 == 0 else 0.95
    return Label(f"t{number}", "package", {"factor": risk}, risk, success, source or either, propensity)
