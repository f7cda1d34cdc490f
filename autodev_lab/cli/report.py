"""`autodev-lab report`: what finished runs say of every registered claim, as Markdown and HTML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Run directories, ids or 'last'; else the newest of each experiment."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the report into.")] = Path("reports"),
    notebooks: Annotated[
        bool, typer.Option("--notebooks", help="Also copy the runs' executed notebooks, without paths of this machine.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Write claims.md, claims.html, claims.json and their figures from run directories alone."""
    from autodev_lab.analysis.dossier import newest_finished, open_dossier
    from autodev_lab.analysis.report import make_report
    from autodev_lab.experiments.directory import RunDirectory, find_run
    from autodev_lab.experiments.report import registered_claims
    from autodev_lab.experiments.seals import all_alterations
    from autodev_lab.experiments.showing import public_notebook
    from autodev_lab.files import write_atomic
    from autodev_lab.resources import runs_directory

    root = runs_directory()
    named = dict.fromkeys(find_run(run, root).path for run in runs or ())
    claims = registered_claims()
    chosen = tuple(named) or newest_finished(root)
    made = make_report(claims, [open_dossier(path, claims, check=all_alterations) for path in chosen])
    shown: dict[str, bytes] = {}
    for path in chosen if notebooks else ():
        name, content = public_notebook(RunDirectory(path))
        shown[name if name not in shown else f"{Path(name).stem}-{path.name}.ipynb"] = content
    folder = out.expanduser()
    for name, image in made.figures.items():
        write_atomic(folder / "figures" / f"{name}.png", image)
    write_atomic(folder / "claims.md", made.markdown())
    write_atomic(folder / "claims.html", made.html())
    write_atomic(folder / "claims.json", json.dumps(made.as_json(), indent=1, allow_nan=False) + "\n")
    for notebook, content in shown.items():
        write_atomic(folder / notebook, content)
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(made.as_json())
        return
    for claim in claims:
        found = made.of(claim)
        words = [f"{one.judged.ruling.value} ({one.status}, run {one.dossier.run.id})" for one in found]
        typer.echo(f"{claim.id}: {'; '.join(words) or 'not judged yet'}")
    for dossier in made.dossiers:
        if dossier.altered:
            typer.echo(f"run {dossier.run.id} was altered since it was run: {'; '.join(dossier.altered)}")
    if shown:
        typer.echo(f"executed notebooks: {', '.join(str(folder / notebook) for notebook in shown)}")
    typer.echo(f"the report is in {folder / 'claims.md'} and {folder / 'claims.html'}")
