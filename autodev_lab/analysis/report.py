"""The claims report: what runs say of every registered claim, as Markdown, as one HTML page, and as plain data."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import mistune  # comes with nbconvert, which declares it
from matplotlib.figure import Figure

from autodev_lab.analysis.changed import changed_parameters
from autodev_lab.analysis.claim_figures import claim_figure, gate_figures
from autodev_lab.analysis.claims import Claim, Judged, PositionClaim, ShareClaim, StudyClaim
from autodev_lab.analysis.dossier import Dossier
from autodev_lab.analysis.exhibits import Exhibit, exhibit_figures, make_exhibit
from autodev_lab.analysis.figures import render
from autodev_lab.analysis.margins import what_would_change
from autodev_lab.analysis.markdown import flat, table, text
from autodev_lab.analysis.study_exhibit import NO_NOISE, StudyExhibit, make_study_exhibit, study_exhibit_figures
from autodev_lab.analysis.wording import percent
from autodev_lab.errors import LabError

__all__ = ["Finding", "Report", "make_report"]

NOT_JUDGED = "not judged yet"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .9rem; }
th, td { border: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { background: #f3f3f3; }
img { max-width: 100%; height: auto; }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
code { background: #f3f3f3; padding: 0 .2rem; }
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one run says of one claim.

    Parameters
    ----------
    dossier
        The run.
    judged
        The claim judged on it.
    change
        What would change the verdict, one sentence.
    figure
        Name of the figure without its suffix; empty when there is none.
    more
        Names of figures that show more of it: of a gate, how much is wrong by coverage, and whether confidence is true.
    """

    dossier: Dossier
    judged: Judged
    change: str
    figure: str
    more: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """Confirmatory or exploratory."""
        return "confirmatory" if self.judged.confirmatory else "exploratory"

    def as_json(self) -> dict[str, object]:
        """Plain data: the verdict as `run --json` has it, with what the report adds."""
        dossier = self.dossier
        return {
            **self.judged.as_json(),
            "run_id": dossier.run.id,
            "environment": dossier.environment,
            "configuration_hash": dossier.configuration_hash,
            "altered": list(dossier.altered),
            "exploratory_because": list(dossier.why_exploratory(self.judged)),
            "what_would_change": self.change,
            "figure": f"figures/{self.figure}.png" if self.figure else None,
            "more_figures": [f"figures/{name}.png" for name in self.more],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Every registered claim with what the given runs say of it.

    Parameters
    ----------
    claims
        Registered claims, in order.
    dossiers
        The runs.
    findings
        What runs say, in the order of claims, then of runs.
    exhibits
        What each run showed beside the claims, with the names of its figures.
    figures
        PNG images by name.
    """

    claims: tuple[Claim, ...]
    dossiers: tuple[Dossier, ...]
    findings: tuple[Finding, ...]
    exhibits: tuple[tuple[Exhibit | StudyExhibit, tuple[str, ...]], ...]
    figures: Mapping[str, bytes] = field(hash=False)

    def of(self, claim: Claim) -> tuple[Finding, ...]:
        """What runs say of a claim; empty when none is about it."""
        return tuple(one for one in self.findings if one.judged.claim.id == claim.id)

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "claims": [
                {
                    "id": claim.id,
                    "statement": flat(claim.statement),
                    "verdict": found[0].judged.ruling.value if (found := self.of(claim)) else NOT_JUDGED,
                    "findings": [one.as_json() for one in found],
                }
                for claim in self.claims
            ],
            "runs": [
                {
                    "run_id": one.run.id,
                    "changed": changed_parameters(one.run.spec),
                    "version": one.run.provenance.get("version"),
                    "git_commit": one.run.provenance.get("git_commit"),
                    "configuration_hash": one.configuration_hash,
                    "altered": list(one.altered),
                    **exhibit.as_json(),
                    "figures": [f"figures/{name}.png" for name in names],
                    "attrition": [
                        {"package": _label(package), "reason": reason, "tasks": tasks}
                        for (package, reason), tasks in one.attrition.items()
                    ],
                }
                for one, (exhibit, names) in zip(self.dossiers, self.exhibits, strict=True)
            ],
        }

    def markdown(self) -> str:
        """The report as Markdown; figures are files in `figures/` beside it."""
        return self._markdown(lambda name: f"figures/{name}.png")

    def html(self) -> str:
        """The same report as one HTML page with its figures in it."""
        images = {name: base64.b64encode(data).decode("ascii") for name, data in self.figures.items()}
        words = self._markdown(lambda name: f"data:image/png;base64,{images[name]}")
        body = str(mistune.create_markdown(plugins=["table"])(words))
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>Claims</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
        )

    def _markdown(self, link: Callable[[str], str]) -> str:
        parts = [
            "# Claims",
            "Every registered claim with what runs say of it, judged anew on the outcomes in the run directories. A "
            "verdict names its environment and never travels to another one.",
            table(
                ("claim", "verdict", "status", "estimate", "interval", "threshold", "n", "packages", "run"),
                [row for claim in self.claims for row in self._overview(claim)],
            ),
        ]
        for claim in self.claims:
            parts += [f"## {text(claim.id)}", f"**{text(flat(claim.statement))}**"]
            found = self.of(claim)
            if not found:
                parts.append(f"{NOT_JUDGED.capitalize()}: none of the runs is about it.")
            for one in found:
                parts += _finding(one, link)
        parts.append("## Runs")
        for dossier, (exhibit, names) in zip(self.dossiers, self.exhibits, strict=True):
            parts += _run(dossier)
            parts += exhibit.markdown()
            parts += [f"![run {text(dossier.run.id)}]({link(name)})" for name in names]
            parts += _attrition(dossier)
        return "\n\n".join(parts) + "\n"

    def _overview(self, claim: Claim) -> list[tuple[str, ...]]:
        found = self.of(claim)
        if not found:
            return [(claim.id, NOT_JUDGED, "", "", "", _percent(claim, claim.threshold), "", "", "")]
        rows: list[tuple[str, ...]] = []
        for one in found:
            effect = one.judged.effect
            rows.append(
                (
                    claim.id,
                    one.judged.ruling.value,
                    one.status,
                    _percent(claim, effect.estimate),
                    _interval(one.judged),
                    _percent(claim, claim.threshold),
                    str(effect.n),
                    str(effect.clusters),
                    one.dossier.run.id,
                )
            )
        return rows


def make_report(claims: Sequence[Claim], dossiers: Sequence[Dossier]) -> Report:
    """Put together what runs say of claims, and draw the figures.

    Parameters
    ----------
    claims
        Registered claims; each appears, judged or not.
    dossiers
        Runs, opened with the same claims.

    Raises
    ------
    LabError
        If two runs have one id, for a reader could not tell them apart.
    """
    ids = [dossier.run.id for dossier in dossiers]
    for run_id in ids:
        if ids.count(run_id) > 1:
            raise LabError(f"two of the runs are called {run_id}; rename one of the directories, or leave one out")
    findings: list[Finding] = []
    figures: dict[str, bytes] = {}
    for claim in claims:
        for dossier in dossiers:
            for judged in dossier.judged:
                if judged.claim.id != claim.id:
                    continue
                drawn = claim_figure(judged, dossier.run.outcomes, budget=0 if dossier.study else dossier.budget)
                name = ""
                if drawn is not None:
                    name = _file_name(f"{claim.id}-{dossier.run.id}", taken=figures)
                    figures[name] = render(drawn, "png")
                change = what_would_change(judged, dossier.run.outcomes, level=dossier.level)
                more: list[str] = []
                if isinstance(claim, ShareClaim) and not claim.of_a_study and drawn is not None:
                    for kind, figure in gate_figures(dossier.run.outcomes, claim.treatment).items():
                        more.append(_file_name(f"{claim.id}-{kind}-{dossier.run.id}", taken=figures))
                        figures[more[-1]] = render(figure, "png")
                findings.append(Finding(dossier, judged, change, name, tuple(more)))
    exhibits: list[tuple[Exhibit | StudyExhibit, tuple[str, ...]]] = []
    for dossier in dossiers:
        exhibit, drawings = _exhibit(dossier)
        names: list[str] = []
        for kind, figure in drawings.items():
            names.append(_file_name(f"{kind}-{dossier.run.id}", taken=figures))
            figures[names[-1]] = render(figure, "png")
        exhibits.append((exhibit, tuple(names)))
    return Report(tuple(claims), tuple(dossiers), tuple(findings), tuple(exhibits), figures)


def _exhibit(dossier: Dossier) -> tuple[Exhibit | StudyExhibit, dict[str, Figure]]:
    """What a run showed, with figures by name; the two kinds of experiment have nothing of this in common."""
    if dossier.study:
        shown = make_study_exhibit(dossier)
        return shown, study_exhibit_figures(shown)
    exhibit = make_exhibit(dossier)
    return exhibit, exhibit_figures(dossier, exhibit)


def _file_name(words: str, *, taken: Collection[str]) -> str:
    """Words as a name that is safe in a link and not taken yet."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", words)
    while name in taken:
        name += "-2"
    return name


def _finding(one: Finding, link: Callable[[str], str]) -> list[str]:
    judged, claim, dossier = one.judged, one.judged.claim, one.dossier
    effect, why = judged.effect, dossier.why_exploratory(judged)
    status = one.status + (f": {'; '.join(why)}" if why else "")
    rows = [
        ("verdict", judged.ruling.value),
        ("status", status),
        ("endpoint", f"{claim.endpoint}: {_compared(claim)}"),
        ("threshold", _percent(claim, claim.threshold)),
        ("environment", "none: a study" if dossier.study else dossier.environment),
        ("estimate", _percent(claim, effect.estimate)),
        (f"{100 * dossier.level:.1f} % interval", _interval(judged) + (f" ({effect.why})" if effect.why else "")),
        (
            "n",
            f"{effect.n} {_counted(claim)} in {effect.clusters} {claim.cluster}{'' if effect.clusters == 1 else 's'}",
        ),
        ("p, Holm p", f"{_p(judged.p)}, {_p(judged.p_holm)}" + (f" ({judged.method})" if judged.method else "")),
        (
            "noise floor",
            NO_NOISE if claim.of_a_study else _percent(claim, judged.noise_floor, signed=False),
        ),
    ]
    if judged.coverage is not None:
        rows.append(
            (
                "coverage",
                f"{percent(judged.coverage.value, signed=False)} of the {_items(claim)} were deployed without a human",
            )
        )
    rows.append(("what would change it", one.change))
    parts = [table(("run", text(dossier.run.id)), rows)]
    if dossier.altered:
        parts.insert(0, f"**Run {text(dossier.run.id)} was altered since it was run: {'; '.join(dossier.altered)}.**")
    parts += [
        f"![{text(claim.id)}, run {text(dossier.run.id)}]({link(name)})" for name in (one.figure, *one.more) if name
    ]
    return parts


def _run(dossier: Dossier) -> list[str]:
    provenance = dossier.run.provenance
    changes = ", ".join(f"{name} = {value}" for name, value in changed_parameters(dossier.run.spec).items())
    facts = [
        ("configuration", dossier.configuration_hash or "not readable"),
        ("profile, seed", f"{dossier.run.spec.get('profile')}, {dossier.run.spec.get('seed')}"),
        *((("asked for otherwise", changes),) if changes else ()),
        ("cells", f"{dossier.cells - dossier.missing} of {dossier.cells}"),
        ("finished runs of the experiment beside it", str(dossier.run.summary.get("runs_before", "not known"))),
        *((name, _word(provenance[key])) for name, key in _PROVENANCE.items() if provenance.get(key) is not None),
    ]
    altered = "; ".join(dossier.altered)
    facts.append(("seals", f"altered since it was run: {altered}" if altered else "as it was run"))
    return [f"### {text(dossier.run.id)}", table(("fact", "value"), facts)]


def _attrition(dossier: Dossier) -> list[str]:
    if not dossier.attrition:
        return ["This run has no attrition table."]
    reasons = list(dict.fromkeys(reason for _, reason in dossier.attrition))
    packages = list(dict.fromkeys(package for package, _ in dossier.attrition))
    rows = [
        (_label(package), *(str(dossier.attrition.get((package, reason), 0)) for reason in reasons))
        for package in packages
    ]
    totals = (sum(dossier.attrition.get((package, reason), 0) for package in packages) for reason in reasons)
    rows.append(("all", *(str(total) for total in totals)))
    return ["What was looked for:" if dossier.study else "Attrition, in tasks:", table(("package", *reasons), rows)]


_PROVENANCE: Mapping[str, str] = {
    "version": "version",
    "commit": "git_commit",
    "uncommitted changes": "git_dirty",
    "code": "code_hash",
    "Python": "python",
    "isolation": "sandbox",
}
"""What the report says of where a run comes from: label, and key of `provenance.json`. The platform, which may name a
machine, is left out."""


def _compared(claim: Claim) -> str:
    """What the estimate of a claim is of."""
    if isinstance(claim, ShareClaim):
        return f"share right of what {claim.treatment} deployed without a human"
    place = f" at task {claim.at} ± {claim.window}" if isinstance(claim, PositionClaim) else ""
    return f"{claim.treatment} against {claim.baseline}{place}, relative"


def _counted(claim: Claim) -> str:
    """What n of a claim counts."""
    if isinstance(claim, StudyClaim):
        return "paired items"
    return _items(claim) if isinstance(claim, ShareClaim) else "paired tasks"


def _items(claim: Claim) -> str:
    return "changes" if claim.of_a_study else "tasks"


def _label(package: str) -> str:
    """A package's name; of a package that was given as a path, the last part."""
    return PurePath(package).name


def _word(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _packages(count: int) -> str:
    return f"{count} package{'' if count == 1 else 's'}"


def _interval(judged: Judged) -> str:
    effect = judged.effect
    return f"[{_percent(judged.claim, effect.low)}, {_percent(judged.claim, effect.high)}]"


def _percent(claim: Claim, value: float, *, signed: bool = True) -> str:
    return percent(value, signed=signed and not isinstance(claim, ShareClaim))


def _p(value: float) -> str:
    return "not tested" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
