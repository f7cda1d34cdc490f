"""`autodev-lab config`: what is wrong with a configuration, what holds, where it is from, which command reads it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from autodev_lab.cli.output import told

if TYPE_CHECKING:
    from autodev_lab.config import Configuration, Problem

__all__ = ["app"]

app = typer.Typer(
    help="Check and show the configuration (platform_config.yaml).",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

File = Annotated[
    str | None,
    typer.Argument(
        metavar="[FILE]",
        help="The configuration; else AUTODEV_CONFIG, else platform_config.yaml in this folder, else the lab's own.",
    ),
]
_HEAD = f"{'key':<47} {'value':<25} {'from':<31} read by"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


def check(
    file: File = None,
    need: Annotated[
        list[str] | None,
        typer.Option(
            help="A service that must be ready: r2r, linear, github, codegen, redis or mlflow; may be repeated."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say everything that is wrong with a configuration; exit status 1 if anything is."""
    from autodev_lab.config import check_config, find_config
    from autodev_lab.errors import LabError

    try:
        path = find_config(file)
        configuration, problems = check_config(path)
        if configuration is not None:
            problems = tuple(one for service in dict.fromkeys(need or ()) for one in configuration.unready(service))
    except LabError as error:
        raise LabError(str(error), exit_code=1) from error
    if as_json:
        from autodev_lab.cli.output import print_json

        data: dict[str, object] = {
            "file": str(path),
            "valid": not problems,
            "problems": [one.as_json() for one in problems],
        }
        if configuration is not None:
            data["notes"] = list(configuration.notes)
            data["services"] = {name: _lacks(configuration, name) for name in _services()}
        print_json(data)
    else:
        _tell(configuration, problems, str(path))
    if problems:
        raise typer.Exit(1)


def show(file: File = None, as_json: Json = False) -> None:
    """Show what holds: every key's value, where it comes from, which command reads it, and what the thresholds do."""
    from autodev_lab.config import load_config
    from autodev_lab.config.schema import keys_of
    from autodev_lab.config.wording import reads_of, shown

    configuration = load_config(file)
    rows = []
    for key, field in keys_of():
        path = ".".join(key)
        value = configuration.value(path)
        unset = configuration.missing.get(path)
        origin = f"{', '.join(unset)} is not set" if unset else str(configuration.origins[path])
        rows.append((path, value, shown(value), origin, reads_of(field), field.description))
    meanings = _meanings(configuration)
    if as_json:
        from autodev_lab.cli.output import print_json

        print_json(
            {
                "file": str(configuration.path),
                "found": configuration.found,
                "settings": {
                    path: {
                        "value": _plain(value, text),
                        "origin": origin,
                        "read_by": list(reads),
                        "description": description,
                    }
                    for path, value, text, origin, reads, description in rows
                },
                "meanings": meanings,
                "notes": list(configuration.notes),
            }
        )
        return
    typer.echo(f"{configuration.path} ({configuration.found})\n\n{_HEAD}")
    for path, value, text, origin, reads, _ in rows:
        listed = isinstance(value, tuple)
        typer.echo(f"{path:<47} {'' if listed else text:<25} {origin:<31} {', '.join(reads) or _unread()}")
        for one in value if isinstance(value, tuple) else ():
            typer.echo(f"  - {one}")
    typer.echo("\nWhat this means:")
    for meaning in meanings:
        typer.echo(f"- {meaning}")
    for note in configuration.notes:
        typer.echo(f"note: {note}")


app.command("check")(told(check))
app.command("show")(told(show))


def _tell(configuration: Configuration | None, problems: tuple[Problem, ...], path: str) -> None:
    """For people: problems on standard error, what is well on standard output."""
    for problem in problems:
        print(f"autodev-lab: {problem}", file=sys.stderr)
        for line in problem.pointed.splitlines():
            print(f"    {line}", file=sys.stderr)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        print(f"autodev-lab: {path}: {count}", file=sys.stderr)
        return
    assert configuration is not None
    typer.echo(f"{path}: no problems")
    for name in _services():
        lacks = _lacks(configuration, name)
        typer.echo(f"{name}: {'; '.join(lacks) if lacks else 'all is set'}")
    for note in configuration.notes:
        typer.echo(f"note: {note}")


def _services() -> tuple[str, ...]:
    from autodev_lab.config import SERVICES

    return tuple(SERVICES)


def _lacks(configuration: Configuration, service: str) -> list[str]:
    return [f"{one.key} {one.message}" for one in configuration.unready(service)]


def _unread() -> str:
    from autodev_lab.config.schema import UNREAD

    return UNREAD


def _plain(value: object, text: str) -> object:
    """A value as JSON has it; rules as texts, secrets as they are shown."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return [str(one) for one in value] if isinstance(value, tuple) else text


def _meanings(configuration: Configuration) -> list[str]:
    """The thresholds as sentences, made of the parts that they set."""
    from autodev_lab.configured import half_life_of, policy_of, rules_of
    from autodev_lab.decisions import CertifiedPolicy, LearnedPolicy, PublishedPolicy

    engine, learning = configuration.settings.decision_engine, configuration.settings.learning
    policy = policy_of(engine)
    auto, high = engine.auto_deploy_threshold, engine.risk_threshold_high
    unread = {
        f"auto_deploy_threshold, {auto:g}, counts under the learned policy alone": LearnedPolicy,
        f"risk_threshold_high, {high:g}, counts under the published policy alone": PublishedPolicy,
        "the promise counts under the certified policy, and in `assess`": CertifiedPolicy,
    }
    lines = []
    if isinstance(policy, PublishedPolicy):
        lines = [
            f"published policy: risk below {policy.risk_low:g} and confidence above {policy.confidence_high:g} deploys "
            "without a watch",
            f"published policy: risk below {policy.risk_high:g} and confidence above {policy.confidence_low:g} deploys "
            "with monitoring (risk_threshold_high)",
        ]
    elif isinstance(policy, CertifiedPolicy):
        lines = [
            f"certified policy: {policy.promise.words} (promise); deploys nothing by itself until that is certified"
        ]
    elif isinstance(policy, LearnedPolicy):
        lines = [
            f"learned policy: confidence of at least {policy.auto_deploy_threshold:g} deploys (auto_deploy_threshold)"
        ]
    lines += [words for words, kind in unread.items() if not isinstance(policy, kind)]
    critical = engine.risk_threshold_critical
    lines.append(f"risk of at least {critical:g} goes to a person at once (risk_threshold_critical)")
    rules = rules_of(configuration.settings)
    for level, held in (("immediate", rules.immediate), ("high_priority", rules.high_priority)):
        lines += [f"{rule} goes to a person whatever the policy says ({level})" for rule in held]
    lines.append(
        f"a person has {engine.answer_within_seconds:g} s to answer; then the change is declined, and nothing is "
        "learned from it"
    )
    half_life = half_life_of(learning.memory_decay_rate)
    fading = (
        "evidence on patterns never fades"
        if half_life is None
        else (f"evidence on patterns counts half after {half_life:.3g} attempts")
    )
    lines.append(f"{fading} (memory_decay_rate)")
    given = "nothing here" if configuration.shipped else "what your file and variables say"
    lines.append(f"`run` takes {given}: what they leave out is as the experiment has it; other commands take all of it")
    return lines
