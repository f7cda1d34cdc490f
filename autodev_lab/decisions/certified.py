"""The policy that deploys by certificate alone: certified on people's answers, audited on what production shows."""

from __future__ import annotations

import numpy as np

from autodev_lab.decisions.audit import PromiseAudit
from autodev_lab.decisions.betting import STAKES
from autodev_lab.decisions.guarantee import FixedSequences, Promise
from autodev_lab.decisions.labels import LabelQuality
from autodev_lab.decisions.policy import explored_decision
from autodev_lab.errors import LabError
from autodev_lab.records import Action, Decision, Label, LabelSource, RiskAssessment

__all__ = ["CertifiedPolicy"]

_FEWEST = 1e-6
"""Share of failures shown that an audit allows where production shows none: any is one too many."""


class CertifiedPolicy:
    """Deploys a change without a person when its risk is certified to be low enough; all else goes to review.

    *Certificate.* A label shows only with stated errors whether a change was right, so a success y counts as
    ``(y - b) / (a - b)``, with the check's rates a and b of `LabelQuality`: its expectation is 1 for a right change and
    0 for a wrong one. For every threshold on 1 - risk a bettor puts money on the promise being kept; Learn-Then-Test
    does the rest (`autodev_lab.decisions.guarantee`). Bets may be looked at after every label, so looking again costs
    nothing. Labels are settled outcomes: nothing about them is still to come.

    *Audit.* Production's word on what was deployed without a person feeds a `PromiseAudit`. When it withdraws the
    certificate, nothing is deployed without a person any more and certification begins anew on later labels. The i-th
    certificate is issued at the level ``1 - assurance`` over ``i (i + 1)``: all together err with at most
    ``1 - assurance``.

    The promise holds if changes, with the risk that was recorded for them, are exchangeable within a round, and if the
    checks err as stated. A risk model that learns meanwhile breaks the first a little; that is what the audit is for.

    Parameters
    ----------
    promise
        What a certificate promises.
    quality
        Error rates of the checks that label changes.
    explore
        Share of the certified that goes to review anyway, drawn at random and recorded.
    risk_critical
        At or above this risk a change is reviewed whatever is certified.
    audit_level
        Chance of ever withdrawing a certificate that is kept.

    Raises
    ------
    LabError
        If a share is outside [0, 1].

    Examples
    --------
    >>> policy = CertifiedPolicy(quality=LabelQuality(person_accuracy=1.0, production_power=1.0))
    >>> policy.words
    'nothing certified: deploys nothing by itself (0 labels)'
    >>> for number in range(400):
    ...     policy.learn(Label(f"t{number}", "p", {}, 0.01, success=True, source=LabelSource.PERSON))
    >>> decision = policy.decide(RiskAssessment("t", {}, risk=0.01, confidence=0.9), np.random.default_rng(0))
    >>> decision.action.value, policy.threshold is None
    ('AUTO_DEPLOY', False)
    """

    def __init__(
        self,
        promise: Promise | None = None,
        *,
        quality: LabelQuality | None = None,
        explore: float = 0.05,
        risk_critical: float = 0.8,
        audit_level: float = 0.05,
    ) -> None:
        if not 0.0 <= explore <= 1.0 or not 0.0 <= risk_critical <= 1.0:
            raise LabError("explore and risk_critical are shares and must lie between 0 and 1")
        self.promise = promise or Promise()
        self._quality = quality or LabelQuality()
        self._explore = explore
        self._risk_critical = risk_critical
        self._audit_level = audit_level
        self._grid = FixedSequences.over_log_odds(self.promise)
        self._thresholds = np.array(self._grid.thresholds)
        self._round = 1
        self._why_anew = ""
        self._begin()

    @property
    def name(self) -> str:
        """Short name, recorded with every decision."""
        return "certified"

    @property
    def threshold(self) -> float | None:
        """Least 1 - risk that is deployed without a person; None when nothing is."""
        return self._threshold

    @property
    def audit(self) -> PromiseAudit | None:
        """The running audit, or None while nothing is certified."""
        return self._audit

    @property
    def words(self) -> str:
        """What is promised now, as a sentence."""
        threshold = self.threshold
        if threshold is None:
            labels = f"{self._labels} labels"
            since = f"; {self._why_anew}" if self._why_anew else ""
            return f"nothing certified: deploys nothing by itself ({labels}{since})"
        return (
            f"certified for risk up to {1.0 - threshold:.3f} on {self._certified_on} labels: {self.promise.words}, if "
            "changes are exchangeable and checks err as stated"
        )

    def decide(self, assessment: RiskAssessment, rng: np.random.Generator) -> Decision:
        """Compare the risk with what is certified."""
        threshold, action = self.threshold, Action.REQUEST_REVIEW
        if threshold is None:
            reason = self.words
        elif assessment.risk >= self._risk_critical:
            reason = f"risk {assessment.risk:.2f} is critical"
        elif 1.0 - assessment.risk < threshold:
            reason = f"risk {assessment.risk:.3f} is above {1.0 - threshold:.3f}, up to which deployment is certified"
        else:
            action, reason = Action.AUTO_DEPLOY, self.words
        return explored_decision(assessment, self.name, action, reason, explore=self._explore, rng=rng)

    def learn(self, label: Label) -> None:
        """Take note of an outcome: for the audit if it was deployed without a person, and for the certificate."""
        if self._audit is not None and label.source is LabelSource.PRODUCTION:
            self._audit.observe(success=label.success)
            if self._audit.withdrawn:
                self._round += 1
                self._why_anew = self._audit.words
                self._begin()
                return
        if_right, if_wrong = self._quality.rates(label.source)
        told = if_right - if_wrong
        if told <= 0.0 or (self._audit is None and label.source is LabelSource.PRODUCTION):
            return  # a check that tells nothing, or a straggler from before the certificate was withdrawn
        sources = (LabelSource.PERSON,) if self._audit is None else tuple(LabelSource)
        gain = (float(label.success) - if_wrong) / told - self.promise.success
        self._bet(1.0 - label.risk, gain / max(self._worst(source) for source in sources))

    def _begin(self) -> None:
        self._labels = 0
        self._log_capital = np.zeros((len(self._thresholds), len(STAKES)))
        self._highest = np.zeros(len(self._thresholds))
        self._counts = np.zeros(len(self._thresholds), dtype=np.int64)
        self._certified_on = 0
        self._threshold: float | None = None
        self._audit: PromiseAudit | None = None

    def _worst(self, source: LabelSource) -> float:
        """How low a gain can be; fixed before the outcome is known, so that a bet on it is fair."""
        if_right, if_wrong = self._quality.rates(source)
        told = if_right - if_wrong
        return self.promise.success + if_wrong / told if told > 0.0 else 0.0

    def _bet(self, score: float, gain: float) -> None:
        """One bet a threshold that the change reaches; a change below is no bet."""
        inside = score >= self._thresholds
        self._labels += 1
        self._counts += inside
        self._log_capital[inside] += np.log1p(STAKES * gain)
        capital = np.logaddexp.reduce(self._log_capital, axis=1) - np.log(len(STAKES))
        self._highest = np.maximum(self._highest, capital)
        level = (1.0 - self.promise.assurance) / (self._round * (self._round + 1))
        place = self._grid.furthest(np.exp(-self._highest), self._counts, level)
        if place is None:
            return
        if self._threshold is None or self._grid.thresholds[place] < self._threshold:
            self._threshold, self._certified_on = self._grid.thresholds[place], self._labels
        if self._audit is None:
            _, if_wrong = self._quality.rates(LabelSource.PRODUCTION)
            shown = (1.0 - self.promise.success) * (1.0 - if_wrong)
            self._audit = PromiseAudit(failures=max(shown, _FEWEST), level=self._audit_level)
