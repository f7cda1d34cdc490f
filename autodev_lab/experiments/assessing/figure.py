"""What moved the risk of a commit, as bars."""

from __future__ import annotations

from matplotlib.figure import Figure

from autodev_lab.experiments.assessing.deciding import Assessment

__all__ = ["assessment_figure"]

_RAISES, _LOWERS = "#d55e00", "#0072b2"
_SHOWN = 14


def assessment_figure(assessment: Assessment) -> Figure:
    """The largest contributions to the risk, with the values of the measures and what was learned from."""
    parts = assessment.moved[:_SHOWN][::-1]
    figure = Figure(figsize=(7.5, 1.4 + 0.28 * len(parts)), layout="constrained")
    axes = figure.subplots()
    factors = assessment.decision.assessment.factors
    names = [f"{part.name} = {factors[part.name]:.4g}" if part.name in factors else part.name for part in parts]
    colours = [_RAISES if part.amount > 0 else _LOWERS for part in parts]
    axes.barh(names, [part.amount for part in parts], color=colours)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel(f"contribution to the risk ({parts[0].scale})")
    axes.set_ylabel("feature of the change" if assessment.worth else "factor")
    learned = (
        f"n = {assessment.worth.trained} earlier changes" if assessment.worth else "published formula, not learned"
    )
    seen = assessment.decision.assessment
    axes.set_title(
        f"{assessment.commit[:12]}: {assessment.decision.action.value}, confidence {seen.confidence:.2f} ({learned})",
        fontsize=10,
    )
    axes.grid(axis="x", alpha=0.3)
    return figure
