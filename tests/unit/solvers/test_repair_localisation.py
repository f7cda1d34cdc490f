"""Ochiai's formula and the ranking of lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.records import Diagnosis, LineSpectrum
from autodev_lab.solvers.repair.localisation import ochiai, ochiai_score

SPECTRA = st.lists(
    st.builds(
        LineSpectrum, st.sampled_from(["a.py", "b.py"]), st.integers(1, 50), st.integers(0, 4), st.integers(0, 30)
    ),
    unique_by=lambda one: (one.path, one.line),
    max_size=30,
)


@given(SPECTRA)
def test_suspects_are_ranked_and_bounded(spectrum: list[LineSpectrum]) -> None:
    suspects = ochiai(Diagnosis("t", ("x",), 4, 30, tuple(spectrum)))
    keys = [(-one.suspiciousness, one.path, one.line) for one in suspects]
    assert keys == sorted(keys)
    assert all(0 < one.suspiciousness <= 1 for one in suspects)
    assert len(suspects) == sum(one.failed > 0 for one in spectrum)


@given(SPECTRA)
def test_the_order_of_the_spectrum_does_not_matter(spectrum: list[LineSpectrum]) -> None:
    shuffled = sorted(spectrum, key=lambda one: (one.line, one.path), reverse=True)
    assert ochiai(Diagnosis("t", ("x",), 4, 30, tuple(spectrum))) == ochiai(
        Diagnosis("t", ("x",), 4, 30, tuple(shuffled))
    )


@given(st.integers(1, 9), st.integers(0, 50))
def test_a_line_that_passing_tests_run_too_is_less_suspect(failed: int, passed: int) -> None:
    assert ochiai_score(failed, passed + 1, 9) < ochiai_score(failed, passed, 9)
    assert ochiai_score(failed, passed, 10) < ochiai_score(failed, passed, 9)
