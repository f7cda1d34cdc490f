"""`autodev-lab agent`, `up`, `status` and `shards`: agents as processes on Redis, started, watched over, looked at."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from autodev_lab.cli.run import Sandbox
from autodev_lab.cli.settings_from_config import ConfigOption, configuration, with_counts
from autodev_lab.errors import LabError

if TYPE_CHECKING:
    from autodev_lab.experiments.agent_process import AgentOrder

__all__ = ["agent", "shards", "status", "up"]


class World(enum.StrEnum):
    """Where agents work."""

    REPOSITORY = "repository"
    SIMULATED = "simulated"
    SCRIPTED = "scripted"


RedisOption = Annotated[
    str, typer.Option(metavar="URL", envvar="AUTODEV_REDIS_URL", help="redis://, rediss:// or unix://; with password.")
]
ServersOption = Annotated[
    list[str],
    typer.Option(
        "--redis",
        metavar="URL",
        envvar="AUTODEV_REDIS_URL",
        help="As for agent; several times for a shard on each. Agents and status are given the first.",
    ),
]
ShardsOption = Annotated[
    int | None, typer.Option("--shards", min=1, help="Shards of the ledger, dealt out to the servers; one on each.")
]
PrefixOption = Annotated[str, typer.Option(help="Begins the names of all keys.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
WorldOption = Annotated[World, typer.Option(help="repository needs --tasks; simulated and scripted draw their own.")]
TasksOption = Annotated[str, typer.Option(metavar="FILE", help="Tasks of the repository environment.")]
ScriptedOption = Annotated[bool, typer.Option("--scripted", help="The same as --environment scripted.")]
CountOption = Annotated[int, typer.Option(min=1, help="Tasks, where they are drawn.")]
SeedOption = Annotated[int, typer.Option(help="Of agents, and of drawn tasks.")]
BudgetOption = Annotated[int, typer.Option(min=1, help="Candidates a task may use.")]
LeaseOption = Annotated[float, typer.Option(min=0.1, help="Seconds a claim lasts without renewal.")]
TriesOption = Annotated[int, typer.Option(min=1, help="Failed tries that make a dead letter; one number a ledger.")]
PatienceOption = Annotated[float, typer.Option(min=0.0, help="Seconds for which a Redis that is away is waited for.")]
GraceOption = Annotated[float, typer.Option(min=0.0, help="Seconds to finish a step in when told to leave.")]
R2ROption = Annotated[
    str, typer.Option("--r2r", metavar="URL", help="An R2R as everybody's memory; else each process has its own.")
]
SandboxOption = Annotated[Sandbox, typer.Option(help="weak: run even without isolation.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Take packages from the cache alone.")]

_SAME = ("tasks", "count", "seed", "budget", "prefix", "max_tries", "patience", "r2r", "offline")
"""Options that an order calls the same."""


def agent(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="architect, developer, tester, reviewer, deployer, monitor or human.")],
    redis: RedisOption,
    prefix: PrefixOption = "autodev",
    environment: WorldOption = World.REPOSITORY,
    scripted: ScriptedOption = False,
    tasks: TasksOption = "",
    count: CountOption = 20,
    seed: SeedOption = 0,
    budget: BudgetOption = 20,
    lease: LeaseOption = 60.0,
    max_tries: TriesOption = 3,
    patience: PatienceOption = 300.0,
    grace: GraceOption = 30.0,
    r2r: R2ROption = "",
    sandbox: SandboxOption = Sandbox.STRONG,
    offline: OfflineOption = False,
    config: ConfigOption = None,
) -> None:
    """Be one agent until SIGTERM or Ctrl-C: the step under way is finished, or its claim given up."""
    import logging

    from autodev_lab.experiments.agent_process import run_agent
    from autodev_lab.records import Role

    if role not in tuple(Role):
        raise LabError(f"there is no role {role!r}; choose one of {', '.join(Role)}")
    logging.basicConfig(format=f"%(asctime)s {role}: %(message)s", level=logging.INFO)
    order = _order(context, role)
    name = run_agent(order, redis)
    typer.echo(f"{name or role} has left", err=True)


def up(
    context: typer.Context,
    redis: ServersOption,
    agents: Annotated[
        str,
        typer.Option(metavar="ROLE=N,...", callback=with_counts, help="How many of each role; one of those not named."),
    ] = "",
    shards: ShardsOption = None,
    prefix: PrefixOption = "autodev",
    environment: WorldOption = World.REPOSITORY,
    scripted: ScriptedOption = False,
    tasks: TasksOption = "",
    count: CountOption = 20,
    seed: SeedOption = 0,
    budget: BudgetOption = 20,
    lease: LeaseOption = 60.0,
    max_tries: TriesOption = 3,
    max_open: Annotated[
        int | None, typer.Option(min=1, help="Submit no more while so many tasks are open; no bound.")
    ] = None,
    submit: Annotated[bool, typer.Option(help="Submit the tasks; else only start agents.")] = True,
    until_done: Annotated[bool, typer.Option("--until-done", help="End when no task is open any more.")] = False,
    patience: PatienceOption = 300.0,
    grace: GraceOption = 30.0,
    r2r: R2ROption = "",
    sandbox: SandboxOption = Sandbox.STRONG,
    offline: OfflineOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start agents, start those anew that die, submit tasks; SIGTERM or Ctrl-C ends all of them gracefully.

    The agents find their work themselves. Killed and started again, it goes on: tasks that are known are not repeated.
    """
    import asyncio

    from autodev_lab.experiments.agent_process import tasks_for
    from autodev_lab.experiments.process_shards import wanted_shards
    from autodev_lab.experiments.process_team import count_agents
    from autodev_lab.experiments.process_watch import watch_team

    counts, wanted = count_agents(agents), wanted_shards(redis, shards)
    order = _order(context, "")
    _check_sandbox(order)
    known = tasks_for(order) if submit else ()
    result = asyncio.run(
        watch_team(order, redis[0], counts, known, shards=wanted, max_open=max_open, until_done=until_done, say=_say)
    )
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(result.as_json())
    else:
        typer.echo(result.in_words())


def status(
    redis: RedisOption, prefix: PrefixOption = "autodev", config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show who is there by heartbeat, and tasks by stage, leases, queues, dead letters and shards; changes nothing."""
    import asyncio

    from autodev_lab.experiments.process_team import read_status

    found = asyncio.run(read_status(redis, prefix))
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(found.as_json())
    else:
        typer.echo(found.in_words())


def shards(
    redis: ServersOption,
    shards: ShardsOption = None,
    prefix: PrefixOption = "autodev",
    max_tries: TriesOption = 3,
    patience: PatienceOption = 300.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let tasks live in so many shards from now on, and move those that belong elsewhere, while agents work.

    A task that somebody holds is moved once it is free. Killed and started again, it goes on.
    """
    import asyncio

    from autodev_lab.experiments.process_shards import change_shards

    changed = asyncio.run(change_shards(redis, shards, prefix, max_tries=max_tries, patience=patience, say=_say))
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(changed.as_json())
    else:
        typer.echo(changed.in_words())


def _order(context: typer.Context, role: str) -> AgentOrder:
    """What the options that `agent` and `up` share, and the configuration, tell an agent."""
    from autodev_lab.experiments.agent_process import AgentOrder
    from autodev_lab.experiments.configuring import governed_team

    given = context.params
    return AgentOrder(
        role,
        World.SCRIPTED.value if given["scripted"] else World(given["environment"]).value,
        lease_seconds=given["lease"],
        poll_seconds=min(5.0, given["lease"]),
        grace_seconds=given["grace"],
        weak_sandbox=Sandbox(given["sandbox"]) is Sandbox.WEAK,
        governed=governed_team(configuration()),
        **{name: given[name] for name in _SAME},
    )


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _check_sandbox(order: AgentOrder) -> None:
    """Refuse here what every agent would refuse."""
    if order.environment == World.REPOSITORY:
        from autodev_lab.execution.probing import require

        require(order.weak_sandbox)
