"""Observations of patterns on their way through a memory: from trials and outcomes to flat facts, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from autodev_lab.records import MemoryItem, PatternContext, PatternTrial

__all__ = ["Seen", "facts_of_outcome", "facts_of_trials", "seen_in"]

Facts = Mapping[str, str | float | int | bool]


@dataclass(slots=True)
class Seen:
    """What one item says of one pattern; `tries_in` and `successes_in` are those whose context is known."""

    pattern: str
    tries: float = 0.0
    successes: float = 0.0
    helpful: float = 0.0
    harmful: float = 0.0
    tries_in: dict[PatternContext, float] = field(default_factory=dict)
    successes_in: dict[PatternContext, float] = field(default_factory=dict)


def facts_of_trials(trials: Sequence[PatternTrial]) -> Facts:
    """What an attempt showed, as facts.

    Examples
    --------
    >>> dict(facts_of_trials([PatternTrial("wrap-call", 3, 1)]))
    {'tries:wrap-call': 3, 'successes:wrap-call': 1}
    """
    facts: dict[str, str | float | int | bool] = {}
    for trial in trials:
        facts[f"tries:{trial.pattern}"] = trial.tries
        if trial.successes:
            facts[f"successes:{trial.pattern}"] = trial.successes
        for tally in trial.contexts:
            place = f"{trial.pattern}@{_written(tally.context)}"
            facts[f"tries-in:{place}"] = tally.tries
            if tally.successes:
                facts[f"successes-in:{place}"] = tally.successes
    return facts


def facts_of_outcome(patterns: Sequence[str], success: bool) -> Facts:
    """What production or a person showed of a change made with some patterns, as facts."""
    return {f"{'helpful' if success else 'harmful'}:{pattern}": 1 for pattern in patterns}


def seen_in(item: MemoryItem) -> Iterator[Seen]:
    """What an item says of patterns, each once; facts of other kinds are passed over."""
    found: dict[str, Seen] = {}
    for key, value in item.facts.items():
        kind, _, name = key.partition(":")
        match kind:
            case "tries":
                _of(found, name).tries = float(value)
            case "successes":
                _of(found, name).successes = float(value)
            case "helpful":
                _of(found, name).helpful = float(value)
            case "harmful":
                _of(found, name).harmful = float(value)
            case "tries-in":
                pattern, _, place = name.rpartition("@")
                _of(found, pattern).tries_in[_read(place)] = float(value)
            case "successes-in":
                pattern, _, place = name.rpartition("@")
                _of(found, pattern).successes_in[_read(place)] = float(value)
    yield from found.values()


def _of(found: dict[str, Seen], pattern: str) -> Seen:
    if pattern not in found:
        found[pattern] = Seen(pattern)
    return found[pattern]


def _written(context: PatternContext) -> str:
    # quoted, so that a separator is never part of a word
    return "/".join(quote(word, safe="") for word in (context.statement, context.failure, context.place))


def _read(text: str) -> PatternContext:
    return PatternContext(*(unquote(word) for word in text.split("/")))
