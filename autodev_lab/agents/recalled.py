"""What reviewers and deployers make of past decisions that their memory found; both are optional.

The strengths are house rules and were not fitted to anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from autodev_lab.records import MemoryHit, Review, RiskScore

__all__ = ["FileCaution", "RecalledHistory"]


@dataclass(frozen=True, slots=True)
class FileCaution:
    """A reviewer marks a change down for every failed one on the same files; it sends none back for that.

    Parameters
    ----------
    each
        Points of quality that a failure costs.
    most
        Points that all of them cost at most.
    """

    each: float = 0.5
    most: float = 2.0

    def applied(self, review: Review, past: Sequence[MemoryHit]) -> Review:
        """The review with its quality lowered."""
        cost = min(self.most, self.each * _failures(past))
        return replace(review, quality=max(0.0, review.quality - cost))


@dataclass(frozen=True, slots=True)
class RecalledHistory:
    """A deployer moves a change's risk by the share of similar changes that failed.

    The share has one of each kind added (Laplace's rule of succession), so nothing found moves nothing.

    Parameters
    ----------
    strength
        Twice the most that the risk moves, which it does when all of very many failed, or none of them.

    Examples
    --------
    >>> RecalledHistory().applied(RiskScore(0.3, {}), []).risk
    0.3
    """

    strength: float = 0.2

    def applied(self, score: RiskScore, past: Sequence[MemoryHit]) -> RiskScore:
        """The score with its risk moved; the factors are the model's own and stay as they are."""
        if not past:
            return score
        failures = _failures(past)
        share = (failures + 1) / (len(past) + 2)
        risk = min(1.0, max(0.0, score.risk + self.strength * (share - 0.5)))
        told = f"{failures} of {len(past)} similar changes failed"
        return replace(score, risk=risk, reason=f"{score.reason}; {told}" if score.reason else told)


def _failures(past: Sequence[MemoryHit]) -> int:
    """How many different decisions were on changes that failed."""
    return sum(not success for success in {hit.item.id: hit.item.facts.get("success", True) for hit in past}.values())
