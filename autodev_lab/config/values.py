"""What a key of `platform_config.yaml` may hold: numbers, shares, secrets, addresses, rules; wrong ones are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, SecretStr
from pydantic_core import PydanticCustomError

from autodev_lab.rules import Rule, RuleError, parse_rule

__all__ = [
    "Allowed",
    "CollectionName",
    "Count",
    "EscalationRule",
    "Secret",
    "Share",
    "Text",
    "empty_is_none",
    "http_url",
    "no_flag",
    "once_each",
    "redis_url",
    "store_uri",
]


@dataclass(frozen=True, slots=True)
class Allowed:
    """In words, what a key takes, where its type does not say it."""

    words: str


def no_flag(value: object) -> object:
    """`yes` is 1 to pydantic; in a configuration it is a mistake."""
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


def http_url(value: str) -> str:
    """An http(s) URL without a user, and without its last slash."""
    parts = _split_url(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("no URL")
    return value.rstrip("/")


def redis_url(value: SecretStr) -> SecretStr:
    """An address of Redis, which may hold a password; or several, split by spaces."""
    schemes = ("redis", "rediss", "redis+cluster", "rediss+cluster")
    for one in value.get_secret_value().split(" "):
        parts = _split_url(one)
        if parts is None or not (
            (parts.scheme in schemes and parts.hostname) or (parts.scheme == "unix" and parts.path.startswith("/"))
        ):
            raise ValueError("no URL")
    return value


def store_uri(value: SecretStr) -> SecretStr:
    """An address of a store; MLflow also takes words and paths, and says itself what it cannot read."""
    if not value.get_secret_value().isprintable():
        raise ValueError("no URI")
    return value


@dataclass(frozen=True, slots=True)
class _Url:
    scheme: str
    hostname: str
    netloc: str
    path: str


def _split_url(value: str) -> _Url | None:
    if any(one.isspace() or not one.isprintable() for one in value):
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port  # a wrong one is found when it is asked for
        return _Url(parts.scheme, parts.hostname or "", parts.netloc, parts.path)
    except ValueError:
        return None


def _header(value: SecretStr) -> SecretStr:
    """What goes into an HTTP header cannot have white space or letters beyond ASCII: a copied line end, most often."""
    if not all("!" <= one <= "~" for one in value.get_secret_value()):
        raise ValueError("not for a header")
    return value


def _rule(value: object) -> object:
    if isinstance(value, Rule):
        return value
    if not isinstance(value, str):
        raise ValueError("no rule")
    try:
        return parse_rule(value)
    except RuleError as error:
        context = {"problem": error.problem, "column": error.column, "pointed": error.pointed(), "text": error.text}
        raise PydanticCustomError("rule", "{problem}", context) from error


def once_each(value: tuple[str, ...]) -> tuple[str, ...]:
    """At least one, each once."""
    if not value:
        raise ValueError("none")
    if len(set(value)) < len(value):
        raise ValueError("twice")
    return value


def empty_is_none(value: object) -> object:
    """An empty text is no text."""
    return None if value == "" else value


Count = Annotated[int, BeforeValidator(no_flag)]
Share = Annotated[float, BeforeValidator(no_flag), Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1), Allowed("a text that is not empty")]
Secret = Annotated[
    SecretStr | None,
    BeforeValidator(empty_is_none),
    AfterValidator(lambda value: value if value is None else _header(value)),
    Allowed("a text without white space, best as ${VARIABLE}"),
]
EscalationRule = Annotated[
    InstanceOf[Rule], BeforeValidator(_rule), Allowed("a rule in quotes, like 'test_failure_rate > 20%'")
]
CollectionName = Literal["codebase", "tasks", "patterns", "decisions"]
