"""Fault localisation: lines ranked by how much more failing tests execute them than passing ones.

The formula is Ochiai's, the best of the spectrum-based ones in Abreu, Zoeteweij and van Gemund, "On the accuracy of
spectrum-based fault localization" (TAIC PART 2007).
"""

from __future__ import annotations

import math

from autodev_lab.records import Diagnosis, Suspect

__all__ = ["ochiai", "ochiai_score"]


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
