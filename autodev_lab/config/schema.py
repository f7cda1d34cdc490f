"""The schema of `platform_config.yaml`: every section and key, what is allowed, and what reads it.

There are no defaults here: the `platform_config.yaml` that ships with the lab has a value for every key, and a user's
file lies over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from autodev_lab.rules import EscalationRules, Rule, RuleError, parse_rule

__all__ = [
    "PLACEHOLDER",
    "UNREAD",
    "AgentSettings",
    "Agents",
    "Allowed",
    "DecisionEngine",
    "DeveloperSettings",
    "EscalationSettings",
    "GraphRAG",
    "Integrations",
    "Learning",
    "R2RSettings",
    "Settings",
    "keys_of",
    "section_at",
]

UNREAD = "nothing yet"
"""What is said to read a key that the specification has and the lab does not use."""

PLACEHOLDER = "owner/repo"
"""The repository that the specification's example names; there is none."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """In words, what a key takes, where its type does not say it."""

    words: str


class Section(BaseModel):
    """Every section: frozen, and without keys that it does not have."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _no_flag(value: object) -> object:
    """`yes` is 1 to pydantic; in a configuration it is a mistake."""
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


def _http_url(value: str) -> str:
    parts = _split_url(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("no URL")
    return value.rstrip("/")


def _redis_url(value: SecretStr) -> SecretStr:
    parts = _split_url(value.get_secret_value())
    schemes = ("redis", "rediss", "redis+cluster", "rediss+cluster")
    if parts is None or not (
        (parts.scheme in schemes and parts.hostname) or (parts.scheme == "unix" and parts.path.startswith("/"))
    ):
        raise ValueError("no URL")
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


def _once_each(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("none")
    if len(set(value)) < len(value):
        raise ValueError("twice")
    return value


Count = Annotated[int, BeforeValidator(_no_flag)]
Share = Annotated[float, BeforeValidator(_no_flag), Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1), Allowed("a text that is not empty")]
Secret = Annotated[
    SecretStr | None,
    BeforeValidator(lambda value: None if value == "" else value),
    AfterValidator(lambda value: value if value is None else _header(value)),
    Allowed("a text without white space, best as ${VARIABLE}"),
]
EscalationRule = Annotated[
    InstanceOf[Rule], BeforeValidator(_rule), Allowed("a rule in quotes, like 'test_failure_rate > 20%'")
]
CollectionName = Literal["codebase", "tasks", "patterns", "decisions"]


def _key(description: str, reads: str = UNREAD) -> Any:  # as pydantic's own Field
    """A key: what it means, and what reads it."""
    return Field(description=description, json_schema_extra={"reads": reads})


class GraphRAG(Section):
    """How a server makes a graph of texts."""

    enabled: bool = _key("whether R2R extracts entities by a language model")
    extraction_model: Text = _key("model that extracts")
    embedding_model: Text = _key("model that makes vectors; R2R's own configuration in compose.yaml decides")


class R2RSettings(Section):
    """The memory's server."""

    base_url: Annotated[
        str | None,
        AfterValidator(lambda value: value if value is None else _http_url(value)),
        Allowed("an http(s) URL without a user, like http://localhost:7272"),
    ] = _key("where R2R listens; its credentials are in AUTODEV_R2R_API_KEY, or AUTODEV_R2R_EMAIL and _PASSWORD")
    collections: Annotated[
        tuple[CollectionName, ...], AfterValidator(_once_each), Allowed("at least one, each once")
    ] = _key("the memory's collections; `init-r2r` makes all four")
    graphrag: GraphRAG


class AgentSettings(Section):
    """One role."""

    thinking_budget_tokens: Annotated[Count, Field(ge=0, le=1_000_000)] = _key("tokens that a model may think, a task")
    max_complexity: Annotated[float, BeforeValidator(_no_flag), Field(ge=0, le=10, allow_inf_nan=False)] = _key(
        "complexity of a task, on the architect's scale from 0 to 10, up to which this agent acts alone"
    )


class DeployerSettings(AgentSettings):
    """The deployer."""

    max_complexity: Annotated[float, BeforeValidator(_no_flag), Field(ge=0, le=10, allow_inf_nan=False)] = _key(
        "complexity of a task, on the architect's scale from 0 to 10, above which its change goes to a person as under "
        "the high-priority rule `complexity > ...`; 10 is no limit",
        "configured.rules_of",
    )


class DeveloperSettings(AgentSettings):
    """The developers."""

    sandbox_provider: Literal["codegen", "local"] = _key("where a model's code runs")


class Agents(Section):
    """The six roles."""

    architect: AgentSettings
    developer: DeveloperSettings
    tester: AgentSettings
    reviewer: AgentSettings
    deployer: DeployerSettings
    monitor: AgentSettings


class EscalationSettings(Section):
    """Rules by how urgent they are."""

    immediate: tuple[EscalationRule, ...] = _key(
        "what goes to a person before everything else, whatever the policy says", "configured.rules_of"
    )
    high_priority: tuple[EscalationRule, ...] = _key(
        "what goes to a person after that, whatever the policy says", "configured.rules_of"
    )

    @property
    def rules(self) -> EscalationRules:
        """The rules."""
        return EscalationRules(self.immediate, self.high_priority)


class DecisionEngine(Section):
    """The gate."""

    policy: Literal["published", "learned"] = _key("the rule that decides on a deployment", "configured.gate_of")
    auto_deploy_threshold: Share = _key(
        "confidence from which the learned policy deploys; the published rule does not read it", "configured.policy_of"
    )
    risk_threshold_high: Share = _key(
        "risk below which the published rule deploys with monitoring; the learned policy does not read it",
        "configured.policy_of",
    )
    risk_threshold_critical: Share = _key(
        "risk from which a change goes to a person whatever the confidence, under either policy", "configured.policy_of"
    )
    answer_within_seconds: Annotated[float, BeforeValidator(_no_flag), Field(gt=0, le=31_536_000)] = _key(
        "how long an escalation waits; then the change is declined, not deployed", "configured.platform_options"
    )
    escalation_rules: EscalationSettings


class Learning(Section):
    """How agents learn."""

    pattern_threshold: Share = _key(
        "quality from which a solution becomes a pattern; the library keeps every pattern, and orders them by rate"
    )
    learning_rate: Annotated[float, BeforeValidator(_no_flag), Field(gt=0, le=1)] = _key("step of a learner")
    memory_decay_rate: Annotated[float, BeforeValidator(_no_flag), Field(ge=0, lt=1, allow_inf_nan=False)] = _key(
        "share of its weight that evidence on patterns loses with each attempt; 0: nothing fades",
        "configured.patterns_of",
    )
    meta_learning_enabled: bool = _key("whether the learners' own parameters are learned")


class LinearSettings(Section):
    """Linear."""

    api_key: Secret = _key("personal API key")
    webhook_secret: Secret = _key("signs what Linear sends")


class GitHubSettings(Section):
    """GitHub."""

    token: Secret = _key("personal access token")
    repo: Annotated[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$")] | None,
        Allowed("OWNER/NAME of a repository"),
    ] = _key("repository to work in")


class CodegenSettings(Section):
    """Codegen."""

    api_key: Secret = _key("API key")


class RedisSettings(Section):
    """Redis."""

    url: Annotated[
        SecretStr | None,
        AfterValidator(lambda value: value if value is None else _redis_url(value)),
        Allowed("redis://HOST:PORT/N, rediss:// for TLS, redis+cluster:// or unix:///PATH"),
    ] = _key("the ledger's and bus's server")


class Integrations(Section):
    """Services. A key whose variable is not set is missed only by what uses the service."""

    linear: LinearSettings
    github: GitHubSettings
    codegen: CodegenSettings
    redis: RedisSettings


class Settings(Section):
    """All of it."""

    r2r: R2RSettings
    agents: Agents
    decision_engine: DecisionEngine
    learning: Learning
    integrations: Integrations


Key = tuple[str, ...]


def keys_of(section: type[BaseModel] = Settings, prefix: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Every key that is no section, in the schema's order."""
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys_of(inner, (*prefix, name))
        else:
            yield (*prefix, name), field


def section_at(key: Key) -> type[BaseModel] | None:
    """The section of a path, or None if there is none."""
    found: type[BaseModel] = Settings
    for name in key:
        field = found.model_fields.get(name)
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return None
        found = inner
    return found
