"""Fault localisation: lines ranked by how much more failing tests execute them than passing ones.

The formula is Ochiai's, the best of the spectrum-based ones in Abreu, Zoeteweij and van Gemund, "On the accuracy of
spectrum-based fault localization" (TAIC PART 2007).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from autodev_lab.records import Diagnosis, Suspect

__all__ = ["ochiai", "ochiai_score", "priority"]

_KINDS: Mapping[str, float] = {"If": 0.7, "Return": 0.4, "Expr": 0.3, "Assign": -0.4, "Raise": -0.9, "Try": -1.5}
"""What a statement's kind adds: decisions and results go wrong more often than what merely leads to them."""


def ochiai_score(failed: int, passed: int, total_failed: int) -> float:
    """Suspiciousness of one line: the cosine between "executes the line" and "fails" over the tests.

    Parameters
    ----------
    failed, passed
        Failing and passing tests that execute the line.
    total_failed
        All failing tests.

    Returns
    -------
    float
        ``failed / sqrt(total_failed * (failed + passed))``, in [0, 1]; 0 when nothing fails.

    Examples
    --------
    >>> ochiai_score(2, 0, 2), ochiai_score(1, 3, 1), ochiai_score(0, 5, 2)
    (1.0, 0.5, 0.0)
    """
    if failed == 0 or total_failed == 0:
        return 0.0
    return min(1.0, failed / math.sqrt(total_failed * (failed + passed)))


def ochiai(diagnosis: Diagnosis) -> tuple[Suspect, ...]:
    """Lines that a failing test executes, most suspicious first; ties in order of path and line.

    Parameters
    ----------
    diagnosis
        Spectrum and number of failing tests; the messages are not read.

    Returns
    -------
    tuple of Suspect
        Only lines of positive suspiciousness.

    Examples
    --------
    >>> from autodev_lab.records import LineSpectrum
    >>> spectrum = (LineSpectrum("m.py", 1, 1, 8), LineSpectrum("m.py", 2, 1, 0), LineSpectrum("m.py", 3, 0, 4))
    >>> [(one.line, round(one.suspiciousness, 2)) for one in ochiai(Diagnosis("t", ("x",), 1, 8, spectrum))]
    [(2, 1.0), (1, 0.33)]
    """
    suspects = (
        Suspect(line.path, line.line, ochiai_score(line.failed, line.passed, diagnosis.total_failed))
        for line in diagnosis.spectrum
        if line.failed > 0
    )
    return tuple(sorted(suspects, key=lambda one: (-one.suspiciousness, one.path, one.line)))


def priority(suspiciousness: float, rank: int, *, kind: str, expressions: int, raised: bool, tested: bool) -> float:
    """How likely a fault is at a statement, as a logarithm up to a constant, from its suspiciousness and other signs.

    Spectra leave many statements equal; signs from the code and from the failure tell them apart (Sohn and Yoo,
    "FLUCCS: using code and change metrics to improve fault localization", ISSTA 2017). The weights are those of a
    multinomial logit over the statements of each task, fitted on injected bugs of development packages and rounded.

    Parameters
    ----------
    suspiciousness
        Of the statement's most suspicious line, in (0, 1].
    rank
        Place in order of suspiciousness, from 0.
    kind
        Name of the statement's syntax node.
    expressions
        Expressions it contains: more of them can be wrong.
    raised
        Whether a failing test's exception was raised here.
    tested
        Whether a failing test's file is named after the statement's module.

    Examples
    --------
    >>> quiet = priority(1.0, 1, kind="Assign", expressions=3, raised=False, tested=False)
    >>> priority(1.0, 1, kind="If", expressions=3, raised=False, tested=False) > quiet
    True
    """
    spectral = 2.8 * math.log(max(suspiciousness, 1e-3)) - 0.4 * math.log(rank + 1)
    return spectral + _KINDS.get(kind, 0.0) + 0.2 * math.log(expressions + 1) + 1.0 * raised + 1.1 * tested
