"""Tasks whose bug no held-out test notices: what production and the oracle cannot tell of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

from autodev_lab.analysis.frames import originals

__all__ = ["KillingTests", "killing_tests"]


@dataclass(frozen=True, slots=True)
class KillingTests:
    """Counts of tasks, each once, however many arms and replicates had it.

    Parameters
    ----------
    tasks
        Original tasks.
    unknown
        Those whose truth does not say: they were not injected.
    no_exposure_test
        Those without an exposure test that fails on the bug: the rollout is blind there.
    no_oracle_test
        Those without an oracle test that fails on it.
    neither
        Those without either: what is right is judged there by differential inputs alone.
    """

    tasks: int
    unknown: int
    no_exposure_test: int
    no_oracle_test: int
    neither: int

    def as_json(self) -> dict[str, int]:
        """Plain data."""
        return asdict(self)

    def in_words(self) -> str:
        """One sentence."""
        unknown = f"; of {self.unknown} it is not known" if self.unknown else ""
        return (
            f"of {self.tasks} tasks {self.no_exposure_test} have no exposure test that fails on the bug (production is "
            f"blind there), {self.no_oracle_test} no such oracle test, {self.neither} neither{unknown}"
        )


def killing_tests(outcomes: pd.DataFrame) -> KillingTests:
    """Count the tasks of a run by the held-out tests that fail on their bug.

    Examples
    --------
    >>> rows = pd.DataFrame({"package": ["a"] * 3, "task_id": ["1", "1", "2"], "depth": 0})
    >>> killing_tests(rows.assign(exposure_killable=[False, False, True], oracle_killable=True)).no_exposure_test
    1
    """
    tasks = originals(outcomes).drop_duplicates(["package", "task_id"])
    exposure, oracle = tasks["exposure_killable"], tasks["oracle_killable"]
    unexposed, unjudged = exposure.eq(False).fillna(False), oracle.eq(False).fillna(False)
    return KillingTests(
        len(tasks),
        int((exposure.isna() | oracle.isna()).sum()),
        int(unexposed.sum()),
        int(unjudged.sum()),
        int((unexposed & unjudged).sum()),
    )
