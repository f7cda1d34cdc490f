"""The catalogue of studies, and what reports know of them."""

from __future__ import annotations

from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.experiments.studies.catalogue import STUDIES, study_named


def test_every_study_has_the_endpoints_that_reports_know_it_by() -> None:
    assert set(STUDIES) == set(STUDY_ENDPOINTS)
    for name in STUDIES:
        assert study_named(name).endpoints is STUDY_ENDPOINTS[name]
