"""The entry point `autodev-lab`: which commands there are."""

from __future__ import annotations

import typer

from autodev_lab.cli import assess as assess_command
from autodev_lab.cli import cache as cache_command
from autodev_lab.cli import chaos as chaos_command
from autodev_lab.cli import config as config_command
from autodev_lab.cli import export as export_command
from autodev_lab.cli import init_r2r as init_r2r_command
from autodev_lab.cli import mine as mine_command
from autodev_lab.cli import patterns as patterns_command
from autodev_lab.cli import power as power_command
from autodev_lab.cli import processes as processes_command
from autodev_lab.cli import release as release_command
from autodev_lab.cli import report as report_command
from autodev_lab.cli import rerun as rerun_command
from autodev_lab.cli import run as run_command
from autodev_lab.cli import show as show_command
from autodev_lab.cli import solve as solve_command
from autodev_lab.cli import tasks as tasks_command
from autodev_lab.cli import ui as ui_command
from autodev_lab.cli.output import told

__all__ = ["app", "run"]

app = typer.Typer(
    name="autodev-lab",
    help="A laboratory for research on autonomous software development.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(told(run_command.run))
app.command("mine")(told(mine_command.mine))
app.command("assess")(told(assess_command.assess))
app.add_typer(tasks_command.app, name="tasks")
app.command("solve")(told(solve_command.solve))
app.command("show")(told(show_command.show))
app.add_typer(patterns_command.app, name="patterns")
app.command("power")(told(power_command.power))
app.command("report")(told(report_command.report))
app.command("rerun")(told(rerun_command.rerun))
app.command("export")(told(export_command.export))
app.command("chaos")(told(chaos_command.chaos))
app.command("replay")(told(chaos_command.replay))
app.command("agent")(told(processes_command.agent))
app.command("shards")(told(processes_command.shards))
app.command("up")(told(processes_command.up))
app.command("status")(told(processes_command.status))
app.command("release")(told(release_command.release))
app.add_typer(cache_command.app, name="cache")
app.add_typer(config_command.app, name="config")
app.command("init-r2r")(told(init_r2r_command.init_r2r))
app.command("ui")(told(ui_command.ui))


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave.", is_eager=True),
) -> None:
    """A laboratory for research on autonomous software development."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"autodev-lab {installed('autodev-lab')}")
        raise typer.Exit


def run() -> None:
    """Run the command line; every command is wrapped by `autodev_lab.cli.output.told`."""
    app()
