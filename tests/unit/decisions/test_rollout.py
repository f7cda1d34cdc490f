"""Rollouts: errors hold whenever one looks, what ranks miss is caught, stages end as the plan says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from autodev_lab.decisions import RolloutPlan, Ruling, SequentialRollout, StageRule, run_rollout
from autodev_lab.decisions.rollout_study import fixed_sample, judge_rollouts
from autodev_lab.decisions.sequential import NotMuchWorse, Worse
from autodev_lab.errors import LabError
from autodev_lab.records import Stage, Traffic

SHORT = RolloutPlan((StageRule(Stage.CANARY, 0.1, 40, 400), StageRule(Stage.PRODUCTION, 0.05, 40, 800)))


def _ever(test, rate, baseline_rate, *, sizes=(10, 10), batches=60, streams=10_000, seed=0):
    """Share of streams whose capital ever reaches 20."""
    rng = np.random.default_rng(seed)
    ever = np.zeros(streams, dtype=bool)
    n, m = np.full(streams, sizes[0]), np.full(streams, sizes[1])
    for _ in range(batches):
        failed, baseline_failed = rng.binomial(n, rate), rng.binomial(m, baseline_rate)
        ever |= test.observe(failed, n, baseline_failed, m) >= 20.0
    return int(ever.sum())


def _at_most(count, streams, share=0.05):
    return stats.binomtest(count, streams, alternative="less").proportion_ci(0.95).high <= share


@pytest.mark.parametrize(("rate", "sizes"), [(0.02, (10, 10)), (0.02, (4, 36)), (0.3, (10, 10))])
def test_a_change_that_is_no_worse_is_blamed_in_at_most_five_percent_whenever_one_looks(rate, sizes):
    assert _at_most(_ever(Worse(10_000), rate, rate, sizes=sizes), 10_000)


@pytest.mark.parametrize(("baseline", "sizes"), [(0.0, (10, 10)), (0.05, (10, 10)), (0.05, (4, 36)), (0.5, (10, 10))])
def test_a_change_that_is_worse_by_the_margin_is_promoted_in_at_most_five_percent(baseline, sizes):
    test = NotMuchWorse(0.05, 10_000)
    assert _at_most(_ever(test, baseline + 0.05, baseline, sizes=sizes), 10_000)


def test_both_tests_find_what_they_look_for():
    assert _ever(Worse(500), 0.08, 0.02, streams=500) > 490
    assert _ever(NotMuchWorse(0.05, 500), 0.02, 0.02, streams=500) > 490


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    rate=st.floats(0.01, 0.9),
    less=st.just(0.0) | st.floats(1e-6, 1.0),  # scipy's pmf overflows for probabilities of 1e-308
    centre=st.floats(0.01, 0.9),
    margin=st.floats(0.02, 0.3),
)
def test_no_batch_is_a_good_bet_under_the_hypothesis(n, m, rate, less, centre, margin):
    """The expectation of one batch, summed over all its outcomes, is at most 1 whatever was thought of beforehand."""
    k, j = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    sizes = np.full(k.size, n), np.full(k.size, m)

    def expected(test, change_rate, baseline_rate):
        chance = stats.binom.pmf(k, n, change_rate) * stats.binom.pmf(j, m, baseline_rate)
        return float(chance.ravel() @ test.observe(k.ravel(), sizes[0], j.ravel(), sizes[1]))

    assert expected(Worse(k.size, rate=centre), rate * less, rate) <= 1.0 + 1e-9
    worse = min(1.0, rate + margin)
    test = NotMuchWorse(margin, k.size, rate=centre)
    assert expected(test, worse, max(0.0, worse - margin - 1e-12)) <= 1.0 + 1e-9


def test_simulated_rollouts_keep_their_level_and_catch_what_ranks_miss():
    fine = judge_rollouts("none", runs=600)
    assert fine.rolled_back_high <= 0.05
    assert fine.promoted > 0.9
    stuck = judge_rollouts("3 % take 100 times as long", runs=100)
    assert stuck.rolled_back_low > 0.95
    [one] = fixed_sample("3 % take 100 times as long", (300,), runs=200)
    assert one.mann_whitney < 0.3 < 0.9 < one.very_slow
    assert judge_rollouts("none", way="mann-whitney, every batch", runs=60).rolled_back > 0.2


class _Scripted:
    """A target that fails at a rate, and keeps what was done to it."""

    def __init__(self, rate, *, batches=10**6, seconds=None, seed=0):
        self._rng = np.random.default_rng(seed)
        self._rate = rate
        self._left = batches
        self._seconds = seconds
        self.done = []

    def expose(self, stage, exposures):
        if self._left == 0:
            return None
        self._left -= 1
        failed = int(self._rng.binomial(exposures, self._rate))
        if self._seconds is None:
            return Traffic(failed, exposures, 0, exposures)
        mine, theirs = (tuple(self._rng.lognormal(0, 0.3, exposures).tolist()) for _ in range(2))
        mine = tuple(100 * one if self._rng.random() < self._seconds else one for one in mine)
        return Traffic(failed, exposures, 0, exposures, mine, theirs)

    def promote(self, stage):
        self.done.append(("promote", stage))

    def roll_back(self, stage, reason):
        self.done.append(("roll_back", stage))


def test_a_good_change_passes_all_stages_in_order():
    target, seen = _Scripted(0.0), []
    result = run_rollout(target, SHORT, progress=lambda stage, exposures: seen.append((stage, exposures)))
    assert (result.ruling, result.stage) == (Ruling.PROMOTE, Stage.PRODUCTION)
    assert target.done == [("promote", Stage.CANARY), ("promote", Stage.PRODUCTION)]
    assert seen[-1] == (Stage.PRODUCTION, result.exposures)
    assert result.exposures >= 80


def test_a_bad_change_is_rolled_back_at_once():
    target = _Scripted(0.4)
    result = run_rollout(target, SHORT)
    assert result.ruling is Ruling.ROLL_BACK
    assert target.done == [("roll_back", Stage.CANARY)]
    assert result.exposures <= 80
    assert "that the change is worse" in result.words


def test_neither_shown_is_inconclusive_and_goes_no_further():
    plan = RolloutPlan((StageRule(Stage.CANARY, 0.001, 20, 60),))
    target = _Scripted(0.0)
    result = run_rollout(target, plan)
    assert (result.ruling, result.exposures, target.done) == (Ruling.INCONCLUSIVE, 60, [])
    ended = run_rollout(_Scripted(0.0, batches=1), plan)
    assert ended.ruling is Ruling.INCONCLUSIVE
    assert "no traffic is left" in ended.words


def test_a_few_very_slow_exposures_are_caught_in_one_rollout():
    plan = RolloutPlan(timed=True)
    assert run_rollout(_Scripted(0.0, seconds=0.05), plan).ruling is Ruling.ROLL_BACK
    assert run_rollout(_Scripted(0.0, seconds=0.0), plan).ruling is Ruling.PROMOTE
    warm = np.random.default_rng(1).lognormal(0, 0.3, 500).tolist()
    assert run_rollout(_Scripted(0.0, seconds=0.05), plan, baseline_seconds=warm).ruling is Ruling.ROLL_BACK


def test_nothing_is_observed_after_the_end():
    rollout = SequentialRollout(SHORT)
    while rollout.observe(Traffic(20, 20, 0, 20)) is None:
        pass
    assert rollout.over
    with pytest.raises(LabError, match="over"):
        rollout.observe(Traffic(0, 20, 0, 20))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: StageRule(Stage.CANARY, 0.0, 1, 2), "margin of stage canary"),
        (lambda: StageRule(Stage.CANARY, 0.1, 3, 2), "minimum of 3 and a maximum of 2"),
        (lambda: RolloutPlan(()), "at least one stage"),
        (lambda: RolloutPlan(level=0.0), "level"),
        (lambda: RolloutPlan(quantiles=()), "quantiles"),
        (lambda: Worse(rate=0.0), "failure rate"),
        (lambda: NotMuchWorse(1.0), "margin is 1.0"),
        (lambda: SequentialRollout(SHORT).observe(Traffic(3, 2, 0, 2)), "more failures than exposures"),
        (lambda: SequentialRollout(SHORT).observe(Traffic(0, 2, 0, 0)), "of its baseline"),
        (lambda: SequentialRollout(RolloutPlan(timed=True)).observe(Traffic(0, 2, 0, 2)), "needs seconds"),
        (lambda: SequentialRollout(SHORT).observe(Traffic(0, 1, 0, 1, (float("nan"),), (1.0,))), "finite"),
        (lambda: judge_rollouts("odd"), "not in the study"),
    ],
)
def test_mistakes_are_one_sentence(make, says):
    with pytest.raises(LabError, match=says):
        make()
