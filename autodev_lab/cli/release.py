"""`autodev-lab release`: frees a task whose holder will not come back."""

from __future__ import annotations

from typing import Annotated

import typer

from autodev_lab.cli.processes import JsonOption, PrefixOption, RedisOption

__all__ = ["release"]


def release(
    task: Annotated[str, typer.Argument(help="Id of the task, as `show` and its file of tasks have it.")],
    redis: RedisOption,
    prefix: PrefixOption = "autodev",
    last_try: Annotated[
        bool, typer.Option("--last-try", help="Also where it becomes a dead letter by that, for it was the last try.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Free a task that somebody holds who will not come back, before the lease runs out; it counts as a try."""
    import asyncio

    from autodev_lab.processes.releasing import release_on_redis

    done = asyncio.run(release_on_redis(redis, prefix, task, last_try=last_try))
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(done.as_json())
    else:
        typer.echo(done.in_words())
