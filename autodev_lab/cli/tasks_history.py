"""`autodev-lab tasks build --from releases|git`: a file of tasks from the history of one or several packages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from autodev_lab.errors import LabError

if TYPE_CHECKING:
    from autodev_lab.streams.history import HistoryBuild, Progress

__all__ = ["build_from_history"]

_DESCRIPTIONS = (".yaml", ".yml")


def build_from_history(
    package: str, git: bool, window: int, n: int, seed: int, out: Path, weak: bool, offline: bool, as_json: bool
) -> None:
    """Build, write the file, and tell what came of it.

    Parameters
    ----------
    package
        A name, a description of releases, or a folder with a repository.
    git
        Whether it is a repository.
    window
        Releases or commits to look at.
    """
    from autodev_lab.experiments.progress import reporter
    from autodev_lab.streams.jsonl import write_tasks

    watch = reporter()
    builds: dict[str, HistoryBuild] = {}
    try:
        for name, make in _makers(package, git, window, n, seed, weak, offline, watch.say):
            watch.stage(f"building tasks from the history of {name}", n)
            builds[name] = make(lambda kept, wanted, what: watch.update(kept, what))
    finally:
        watch.close()
    items = tuple(item for built in builds.values() for item in built.items)
    if not items:
        why = next((step.unusable for built in builds.values() for step in built.steps if step.unusable), "")
        raise LabError(
            f"no change in the history of {package} is noticed by the newer version's tests"
            f"{f' (for one: {why})' if why else ''}; look further back, or choose another package"
        )
    write_tasks(out, items)
    total: Counter[str] = Counter()
    for built in builds.values():
        total.update(built.attrition)
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(
            {
                "from": "git" if git else "releases",
                "n": len(items),
                "seed": seed,
                "attrition": dict(total),
                "packages": [_told(name, built) for name, built in builds.items()],
                "path": str(out),
            }
        )
        return
    typer.echo(f"{len(items)} tasks from the history of {', '.join(builds)} in {out}")
    for name, built in builds.items():
        typer.echo(f"  {name:<32}{len(built.items):>6}")
    for reason, count in total.items():
        typer.echo(f"  {reason:<32}{count:>6}")


def _makers(
    package: str, git: bool, window: int, n: int, seed: int, weak: bool, offline: bool, say: Callable[[str], None]
) -> list[tuple[str, Callable[[Progress], HistoryBuild]]]:
    """What is to be built, by name, each waiting to be told where its progress goes."""
    from autodev_lab.execution.probing import require
    from autodev_lab.execution.revisions import head
    from autodev_lab.resources import cache_directory, resource
    from autodev_lab.streams.git_history import build_from_git
    from autodev_lab.streams.release_history import (
        PackageReleases,
        build_from_releases,
        newest_releases,
        read_releases,
    )

    report, cache = require(weak), cache_directory()
    if git:
        repository = Path(package).expanduser()
        head(repository)

        def walk(progress: Progress) -> HistoryBuild:
            return build_from_git(
                repository,
                commits=window,
                n=n,
                seed=seed,
                cache=cache,
                report=report,
                offline=offline,
                progress=progress,
                say=say,
            )

        return [(package, walk)]

    def of(history: PackageReleases) -> Callable[[Progress], HistoryBuild]:
        return lambda progress: build_from_releases(
            history, n=n, seed=seed, cache=cache, report=report, offline=offline, progress=progress, say=say
        )

    if package.endswith(_DESCRIPTIONS):
        path = Path(package).expanduser()
        if not path.exists() and package.startswith("data/"):
            path = resource(package)
        return [(history.package, of(history)) for history in read_releases(path)]
    if offline:
        raise LabError(
            f"the releases of {package} cannot be listed offline; name them in a description such as data/history.yaml"
        )
    history = newest_releases(package, window)
    return [(history.package, of(history))]


def _told(name: str, built: HistoryBuild) -> dict[str, object]:
    return {
        "package": name,
        "n": len(built.items),
        "attrition": dict(built.attrition),
        "steps": [
            {"older": step.older, "newer": step.newer, "kept": step.kept, "unusable": step.unusable}
            for step in built.steps
        ],
    }
