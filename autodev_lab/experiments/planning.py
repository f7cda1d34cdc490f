"""Plans the size of an experiment: the power of its registered test, and the packages it takes, before it is run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from autodev_lab.analysis.claims import Claim
from autodev_lab.analysis.cluster_inference import DEFAULT_TEST
from autodev_lab.analysis.components import LIMITS, estimate_design
from autodev_lab.analysis.frames import Run
from autodev_lab.analysis.metrics import ENDPOINTS
from autodev_lab.analysis.power import Design, Power, packages_needed, power
from autodev_lab.errors import LabError
from autodev_lab.experiments.design import Plan

__all__ = ["PowerPlan", "plan_power"]

WANTED = 0.8
"""Power that an experiment should have (Cohen 1988, *Statistical Power Analysis*, section 2.4)."""

MOST_PACKAGES = 200
"""Packages up to which the planner searches."""

_MOST_OUTCOMES = 200_000
"""Tasks times replicates times packages of one experiment; more would take minutes to simulate."""

_MEANING: Mapping[str, str] = {
    "packages": "packages",
    "tasks": "tasks a package and replicate",
    "replicates": "replicates of the same tasks",
    "baseline": "share the baseline gets right",
    "between": "correlation of two tasks of a package",
    "pairing": "latent correlation of two outcomes of a task",
    "spread": "how much the effect differs between packages",
}


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """What the planner answers, with everything it supposed and where each figure comes from."""

    claim: str
    treatment: str
    baseline: str
    endpoint: str
    design: Design
    sources: Mapping[str, str] = field(hash=False)
    family: int
    method: str
    fewest: int
    power: Power
    needed: int | None

    def as_json(self) -> dict[str, object]:
        """Plain data; a power that is not defined, or a number of packages beyond the search, is null."""
        found = self.power
        return {
            "claim": self.claim,
            "treatment": self.treatment,
            "baseline": self.baseline,
            "endpoint": self.endpoint,
            "effect": found.effect,
            "threshold": found.threshold,
            "level": found.level,
            "family": self.family,
            "method": self.method,
            "fewest_packages": self.fewest,
            "design": asdict(self.design),
            "sources": dict(self.sources),
            "power": None if math.isnan(found.value) else found.value,
            "standard_error": None if math.isnan(found.value) else found.error,
            "supported": found.supported,
            "refuted": found.refuted,
            "undecided": 1 - found.supported - found.refuted,
            "below_noise": found.below_noise,
            "simulations": found.simulations,
            "wanted": WANTED,
            "packages_needed": self.needed,
            "searched_up_to": MOST_PACKAGES,
        }

    def in_words(self) -> str:
        """For people."""
        found = self.power
        lines = [
            f"{self.treatment} against {self.baseline} in {self.endpoint} ({self.claim}), true relative effect "
            f"{100 * found.effect:+.1f} %, threshold {100 * found.threshold:+.1f} %",
            f"{self.method}; interval of {100 * found.level:.3g} % (a family of {self.family})",
            "",
            f"supported {found.supported:.3f}, refuted {found.refuted:.3f}, undecided "
            f"{1 - found.supported - found.refuted:.3f} (below noise {found.below_noise:.3f}), of {found.simulations} "
            "simulated experiments",
        ]
        if math.isnan(found.value):
            lines.append("At the threshold itself any decision is an error: these are error rates, and no power.")
        else:
            lines.append(f"power {found.value:.3f} (standard error {found.error:.3f})")
            lines.append(
                f"packages for a power of {WANTED}: "
                + (f"{self.needed}" if self.needed is not None else f"more than {MOST_PACKAGES}, all else the same")
            )
        if self.design.packages < self.fewest:
            lines.append(f"{self.design.packages} packages can decide nothing: the test needs {self.fewest}.")
        lines += ["", "What this supposes:"]
        for name, value in asdict(self.design).items():
            shown = f"{value}" if isinstance(value, int) else f"{value:.3f}"
            lines.append(f"  {name:<11}{shown:>7}  {_MEANING[name]} ({self.sources[name]})")
        return "\n".join(lines)


def plan_power(
    plan: Plan,
    family: tuple[Claim, ...],
    *,
    effect: float,
    threshold: float = 0.0,
    claim: str | None = None,
    given: Mapping[str, float | int] | None = None,
    run: Run | None = None,
    simulations: int = 2000,
    seed: int = 0,
) -> PowerPlan:
    """Power of a registered relative claim's test in a planned experiment.

    Parameters
    ----------
    plan
        The experiment; its packages, tasks and replicates are the size unless given.
    family
        Claims registered for the experiment; their number sets the level.
    effect
        True relative effect to plan for.
    threshold
        Relative effect to be shown; 0 for any.
    claim
        Id of the claim; the first relative one unless given.
    given
        Fields of `Design` that the user sets.
    run
        A finished run with the claim's arms, to take baseline and variance components from; assumed otherwise.
    simulations
        Experiments to simulate.

    Raises
    ------
    LabError
        If a value is out of its range, or there is no such claim.
    """
    chosen = _choose(family, claim, plan)
    column = ENDPOINTS[chosen.endpoint].column
    size = {"packages": len(plan.parameters.packages), "tasks": plan.parameters.tasks_per_package}
    size["replicates"] = plan.parameters.replicates
    sources = {one.name: "assumed" for one in fields(Design)}
    design = Design()
    if run is not None:
        design = estimate_design(run.arm(chosen.treatment), run.arm(chosen.baseline), column)
        sources = dict.fromkeys(sources, f"from run {run.id}")
    if not size["packages"]:
        del size["packages"]  # those of a task file are not known yet
    design = replace(design, **size)
    sources.update(dict.fromkeys(size, f"profile {plan.profile}"))
    design = _changed(design, given or {})
    sources.update(dict.fromkeys(given or {}, "given"))
    _check(design, effect, threshold, simulations)
    level = 1 - 0.05 / max(1, len(family))
    found = power(design, effect=effect, threshold=threshold, level=level, simulations=simulations, seed=seed)
    needed = packages_needed(
        design,
        effect=effect,
        threshold=threshold,
        level=level,
        wanted=WANTED,
        most=MOST_PACKAGES,
        simulations=min(simulations, 1000),
        seed=seed,
    )
    return PowerPlan(
        chosen.id,
        chosen.treatment,
        chosen.baseline,
        chosen.endpoint,
        design,
        sources,
        len(family),
        DEFAULT_TEST.describe(design.packages),
        DEFAULT_TEST.fewest(level),
        found,
        needed,
    )


def _choose(family: tuple[Claim, ...], wanted: str | None, plan: Plan) -> Claim:
    relative = {one.id: one for one in family if one.kind == "relative"}
    if not relative:
        raise LabError(f"no relative claim is registered for {plan.experiment.name}; there is no test to plan for")
    if wanted is None:
        return next(iter(relative.values()))
    if wanted not in relative:
        raise LabError(f"{plan.experiment.name} has no relative claim {wanted!r}; choose among {', '.join(relative)}")
    return relative[wanted]


def _changed(design: Design, given: Mapping[str, float | int]) -> Design:
    values = {**asdict(design), **given}
    return Design(
        packages=int(values["packages"]),
        tasks=int(values["tasks"]),
        replicates=int(values["replicates"]),
        baseline=float(values["baseline"]),
        between=float(values["between"]),
        pairing=float(values["pairing"]),
        spread=float(values["spread"]),
    )


def _check(design: Design, effect: float, threshold: float, simulations: int) -> None:
    """Refuse what the model cannot hold."""
    for name, value in (("--effect", effect), ("--threshold", threshold)):
        if not (math.isfinite(value) and -1 < value <= 100):
            raise LabError(f"{name} is {value}; it is a relative effect above -1, for example 0.05 for 5 % more")
    for name, least in (("packages", 2), ("tasks", 1), ("replicates", 1)):
        if getattr(design, name) < least:
            raise LabError(f"--{name} is {getattr(design, name)}; it must be at least {least}")
    if not 0 < design.baseline < 1:
        raise LabError(f"--baseline is {design.baseline}; it must lie between 0 and 1")
    for name, most in LIMITS.items():
        if not 0 <= getattr(design, name) <= most:
            raise LabError(f"--{name} is {getattr(design, name)}; it must be from 0 to {most:g}")
    if design.baseline * (1 + effect) >= 1:
        raise LabError(f"--effect {effect} on a baseline of {design.baseline:g} is more than every task; plan for less")
    if not 100 <= simulations <= 100_000:
        raise LabError(f"--simulations is {simulations}; it must be from 100 to 100000")
    outcomes = design.packages * design.tasks * design.replicates
    if outcomes > _MOST_OUTCOMES or design.packages > 1000:
        raise LabError(f"{outcomes} outcomes an experiment are too many to simulate; plan for fewer tasks or packages")
