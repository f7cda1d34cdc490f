"""`autodev-lab tasks build` and `tasks show`: make a file of tasks from any package, and look into one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autodev_lab.cli.output import told
from autodev_lab.cli.run import Sandbox
from autodev_lab.errors import LabError

__all__ = ["app", "build", "show"]

app = typer.Typer(help="Build task files and look into them.", no_args_is_help=True)


class Source(StrEnum):
    """Where tasks come from."""

    INJECTION = "injection"
    RELEASES = "releases"
    GIT = "git"


def build(
    package: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE",
            help="An installed package with tests, a known name, an sdist or a folder. With --from releases: a name, "
            "or a description (.yaml). With --from git: the folder of a local repository.",
        ),
    ],
    n: Annotated[int, typer.Option("--n", help="Tasks to build of each package.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of the bugs and of the sides of the tests.")] = 0,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write them.")] = Path("tasks.jsonl"),
    source: Annotated[
        Source, typer.Option("--from", help="injection: bugs put in; releases, git: fixes of the past taken back.")
    ] = Source.INJECTION,
    releases: Annotated[int, typer.Option(help="Newest releases to look at, with --from releases.")] = 10,
    commits: Annotated[int, typer.Option(help="Newest commits to look at, with --from git.")] = 500,
    sandbox: Annotated[Sandbox, typer.Option(help="weak: run even without isolation.")] = Sandbox.STRONG,
    offline: Annotated[bool, typer.Option("--offline", help="Take packages from the cache alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Build tasks from a package: bugs put into it, or fixes of its past taken back, that its own tests notice."""
    if n < 1:
        raise LabError(f"--n is {n}; ask for at least 1 task")
    if source is Source.INJECTION:
        _inject(package, n, seed, out, sandbox is Sandbox.WEAK, offline, as_json)
        return
    from autodev_lab.cli.tasks_history import build_from_history

    window = commits if source is Source.GIT else releases
    build_from_history(package, source is Source.GIT, window, n, seed, out, sandbox is Sandbox.WEAK, offline, as_json)


def _inject(package: str, n: int, seed: int, out: Path, weak: bool, offline: bool, as_json: bool) -> None:
    from autodev_lab.execution.probing import require
    from autodev_lab.execution.subjects import obtain
    from autodev_lab.experiments.progress import reporter
    from autodev_lab.resources import cache_directory
    from autodev_lab.streams.bug_injection import build_tasks
    from autodev_lab.streams.jsonl import write_tasks

    report = require(weak)
    watch = reporter()
    try:
        subject = obtain(package, cache=cache_directory(), offline=offline, progress=watch.say)
        watch.stage(f"building tasks from {subject.name} {subject.version}", n)
        built = build_tasks(
            subject, n=n, seed=seed, report=report, progress=lambda kept, wanted, what: watch.update(kept, what)
        )
    finally:
        watch.close()
    if not built.items:
        raise LabError(f"no bug injected into {package} is noticed by its own tests; choose another package")
    write_tasks(out, built.items)
    attrition = {str(reason): int(count) for reason, count in built.attrition.items()}
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(
            {
                "package": subject.name,
                "version": subject.version,
                "n": len(built.items),
                "seed": seed,
                "attrition": attrition,
                "path": str(out),
            }
        )
        return
    typer.echo(f"{len(built.items)} tasks from {subject.name} {subject.version} in {out}")
    for reason, count in attrition.items():
        typer.echo(f"  {reason:<32}{count:>6}")


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of tasks.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """List the tasks of a file, with the fault each one holds."""
    from autodev_lab.streams.jsonl import read_tasks

    items = read_tasks(file)
    rows = [
        {
            "id": item.task.id,
            "package": item.task.package,
            "kind": item.task.kind.value,
            "title": item.task.title,
            "operator": getattr(item.truth, "operator", None),
            "path": getattr(item.truth, "path", None),
            "function": getattr(item.truth, "qualname", None),
        }
        for item in items
    ]
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json({"path": str(file), "n": len(rows), "tasks": rows})
        return
    for row in rows:
        typer.echo(f"{row['id']:<28} {row['operator'] or row['kind']:<26} {row['path'] or ''} {row['function'] or ''}")
    typer.echo(f"{len(rows)} tasks")


app.command("build")(told(build))
app.command("show")(told(show))
