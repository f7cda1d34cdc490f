"""`autodev-lab assess`: what the gate says of a commit of a real repository, and why."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autodev_lab.cli.settings_from_config import ConfigOption, configuration
from autodev_lab.errors import LabError

if TYPE_CHECKING:
    from autodev_lab.experiments.assessing import Assessment

__all__ = ["assess"]

_REASONS = 5


def assess(
    repository: Annotated[Path, typer.Argument(metavar="REPO", help="The folder of a local clone, with all history.")],
    revision: Annotated[str, typer.Argument(metavar="REV", help="The commit: an id, a branch or a tag.")],
    history: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The table that `mine` wrote; else the history is mined.")
    ] = None,
    follow_up: Annotated[float, typer.Option(metavar="DAYS", help="A failure counts if found in this time.")] = 365.0,
    success: Annotated[float, typer.Option(help="Share of deployed changes that is to be promised.")] = 0.95,
    assurance: Annotated[float, typer.Option(help="Confidence of that promise.")] = 0.95,
    model: Annotated[str, typer.Option(help="Risk model: boosting, logistic, published, project_lines.")] = "boosting",
    fixes: Annotated[
        str | None, typer.Option(metavar="REGEX", help="What the message of a fix matches, when history is mined.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw what moved the risk.")] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit the judge anew; else the one that was kept judges.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Git processes at a time; 0: one a core.")] = 0,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Risk, calibrated confidence, decision and reasons, by one judge and one certificate for all commits to come."""
    from autodev_lab.configured import thresholds_of
    from autodev_lab.decisions import Promise
    from autodev_lab.execution.upkeep import use
    from autodev_lab.experiments.assessing import Standards, assess_commit
    from autodev_lab.experiments.progress import reporter
    from autodev_lab.mining import FIX_PATTERN, read_changes
    from autodev_lab.resources import cache_directory

    if workers < 0:
        raise LabError(f"--workers is {workers}; ask for at least 1, or 0 for one a core")
    if figure is not None and figure.suffix not in (".png", ".svg", ".pdf"):
        raise LabError(f"--figure {figure} ends in {figure.suffix or 'nothing'}; choose .png, .svg or .pdf")
    repository = repository.expanduser()
    table = read_changes(history.expanduser()) if history is not None else None
    place = hashlib.sha256(str(repository.resolve()).encode()).hexdigest()[:16]
    cache = cache_directory()
    use(cache)
    engine = configuration().settings.decision_engine
    watch = reporter()
    try:
        found = assess_commit(
            repository,
            revision,
            kept=cache / "mining" / place,
            watch=watch,
            history=table,
            days=follow_up,
            model=model,
            pattern=fixes if fixes is not None else FIX_PATTERN,
            promise=Promise(success, assurance),
            workers=workers or os.cpu_count() or 1,
            standards=Standards(thresholds_of(engine), engine.escalation_rules.rules),
            table=history.expanduser() if history is not None else None,
            refit=refit,
        )
    finally:
        watch.close()
    if figure is not None:
        _draw(found, figure.expanduser())
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json({**found.as_json(), "figure": str(figure) if figure is not None else None})
        return
    _tell(found)
    if figure is not None:
        typer.echo(f"what moved the risk is drawn in {figure}")


def _tell(found: Assessment) -> None:
    seen = found.decision.assessment
    typer.echo(f"{found.commit[:12]}: {found.decision.action.value}")
    for reason in found.decision.reasons:
        typer.echo(f"  {reason}")
    if found.worth is None:
        typer.echo(f"  {found.fallback}")
        typer.echo(f"risk {seen.risk:.2f} by the formula; confidence {seen.confidence:.2f}, which knows no outcomes")
    else:
        worth, tested = found.worth, found.worth.tested
        typer.echo(
            f"risk {seen.risk:.2f}; calibrated probability {1 - seen.confidence:.2f} that a fix takes away one of its "
            f"lines within {found.days:g} days"
        )
        typer.echo(
            f"learned from {worth.mature} of {worth.before} changes, those at least {found.days:g} days old "
            f"({worth.failures} failed): {worth.trained} for the model, {worth.calibrated} to calibrate it, "
            f"{tested.failures + tested.successes} later ones to test it"
        )
        if tested.failures and tested.successes:
            typer.echo(
                f"on these, AUC {tested.auc:.2f} [{tested.low:.2f}, {tested.high:.2f}] "
                f"({tested.failures} failures; .5 is chance); lines added alone: {worth.by_lines.auc:.2f} "
                f"[{worth.by_lines.low:.2f}, {worth.by_lines.high:.2f}]"
            )
        else:
            typer.echo("these are all of one kind, so that nothing is known of what the model is worth")
    if found.judge is not None:
        typer.echo(found.judge.words)
    if found.unasked:
        typer.echo(f"rules not asked, for a history knows nothing of their facts: {'; '.join(found.unasked)}")
    typer.echo("what moved the risk most:")
    for part in found.moved[:_REASONS]:
        typer.echo(f"  {part.words}")


def _draw(found: Assessment, path: Path) -> None:
    from autodev_lab.experiments.assessing.figure import assessment_figure
    from autodev_lab.files import write_atomic

    stream = io.BytesIO()
    assessment_figure(found).savefig(stream, format=path.suffix[1:], dpi=150)
    write_atomic(path, stream.getvalue())
