"""The schema of `platform_config.yaml`: every section and key, what is allowed, and which commands read it.

There are no defaults here: the `platform_config.yaml` that ships with the lab has a value for every key, and a user's
file lies over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr
from pydantic.fields import FieldInfo

from autodev_lab.config.values import (
    Allowed,
    CollectionName,
    Count,
    EscalationRule,
    Secret,
    Share,
    Text,
    empty_is_none,
    http_url,
    no_flag,
    once_each,
    redis_url,
    store_uri,
)
from autodev_lab.rules import EscalationRules

__all__ = [
    "PLACEHOLDER",
    "UNREAD",
    "AgentSettings",
    "Agents",
    "Coordination",
    "DecisionEngine",
    "DeveloperSettings",
    "EscalationSettings",
    "GraphRAG",
    "Integrations",
    "Learning",
    "MemorySettings",
    "PromiseSettings",
    "R2RSettings",
    "Settings",
    "keys_of",
    "section_at",
]

UNREAD = "nothing yet"
"""What is said to read a key that the specification has and no command uses."""

PLACEHOLDER = "owner/repo"
"""The repository that the specification's example names; there is none."""


class Section(BaseModel):
    """Every section: frozen, and without keys that it does not have."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _key(description: str, *commands: str, variable: str = "", optional: bool = False) -> Any:  # as pydantic's Field
    """A key: what it means, the commands that read it, the variable that goes before files, and whether it may lack."""
    about: dict[str, JsonValue] = {"reads": list(commands), "variable": variable, "optional": optional}
    return Field(description=description, json_schema_extra=about)


_PROCESSES = ("up", "agent")
"""Commands whose agents are processes."""


class GraphRAG(Section):
    """How a server makes a graph of texts."""

    enabled: bool = _key("whether R2R extracts entities by a language model")
    extraction_model: Text = _key("model that extracts")
    embedding_model: Text = _key("model that makes vectors; R2R's own configuration in compose.yaml decides")


class R2RSettings(Section):
    """The memory's server."""

    base_url: Annotated[
        str | None,
        AfterValidator(lambda value: value if value is None else http_url(value)),
        Allowed("an http(s) URL without a user, like http://localhost:7272"),
    ] = _key(
        "where R2R listens; agents and studies ask it where `memory.backend` is `r2r`",
        "init-r2r",
        "run",
        "up",
        "agent",
        variable="AUTODEV_R2R_URL",
    )
    api_key: Secret = _key(
        "an API key of R2R's; or give `email` and `password`",
        "init-r2r",
        "run",
        "up",
        "agent",
        variable="AUTODEV_R2R_API_KEY",
        optional=True,
    )
    email: Annotated[
        Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None,
        BeforeValidator(empty_is_none),
        Allowed("an e-mail address"),
    ] = _key(
        "the address of a user of R2R's", "init-r2r", "run", "up", "agent", variable="AUTODEV_R2R_EMAIL", optional=True
    )
    password: Annotated[SecretStr | None, BeforeValidator(empty_is_none), Allowed("a text, best as ${VARIABLE}")] = (
        _key("that user's password", "init-r2r", "run", "up", "agent", variable="AUTODEV_R2R_PASSWORD", optional=True)
    )
    collections: Annotated[
        tuple[CollectionName, ...], AfterValidator(once_each), Allowed("at least one, each once")
    ] = _key("the memory's collections; `init-r2r` makes all four")
    graphrag: GraphRAG


class MemorySettings(Section):
    """What agents remember in."""

    backend: Literal["in_memory", "r2r"] = _key(
        "`r2r`: agents that are processes have R2R as everybody's memory, and studies of memories measure it too; "
        "`in_memory`: each process has its own, and studies measure R2R only where AUTODEV_R2R_URL is set. A team in "
        "virtual time keeps its memory in its process under either",
        "run",
        "up",
        "agent",
    )


class Coordination(Section):
    """How agents that are processes claim tasks."""

    lease_seconds: Annotated[float, BeforeValidator(no_flag), Field(ge=0.1, le=86_400)] = _key(
        "how long a claim lasts without renewal", "up", "agent"
    )
    max_tries: Annotated[Count, Field(ge=1, le=1000)] = _key(
        "failed tries that make a dead letter; one number a ledger", "up", "agent", "shards"
    )
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$"), Allowed("letters, digits, _ . : -")] = _key(
        "begins the names of all keys on Redis", "up", "agent", "status", "shards"
    )


_HowMany = Annotated[Annotated[Count, Field(ge=0, le=256)] | None, Allowed("a whole number from 0 to 256")]


class AgentSettings(Section):
    """One role."""

    count: _HowMany = _key("how many agents of the role; one unless given", "up", optional=True)
    thinking_budget_tokens: Annotated[Count, Field(ge=0, le=1_000_000)] = _key("tokens that a model may think, a task")
    max_complexity: Annotated[float, BeforeValidator(no_flag), Field(ge=0, le=10, allow_inf_nan=False)] = _key(
        "complexity of a task, on the architect's scale from 0 to 10, up to which this agent acts alone"
    )


class DeployerSettings(AgentSettings):
    """The deployer."""

    max_complexity: Annotated[float, BeforeValidator(no_flag), Field(ge=0, le=10, allow_inf_nan=False)] = _key(
        "complexity of a task, on the architect's scale from 0 to 10, above which its change goes to a person as under "
        "the high-priority rule `complexity > ...`; 10 is no limit",
        "run",
        *_PROCESSES,
    )


class DeveloperSettings(AgentSettings):
    """The developers."""

    count: Annotated[Annotated[Count, Field(ge=1, le=256)] | None, Allowed("a whole number from 1 to 256")] = _key(
        "how many developers; one, or what the experiment says, unless given", "run", "up", optional=True
    )
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
        "what goes to a person before everything else, whatever the policy says", "run", "assess", *_PROCESSES
    )
    high_priority: tuple[EscalationRule, ...] = _key(
        "what goes to a person after that, whatever the policy says", "run", "assess", *_PROCESSES
    )

    @property
    def rules(self) -> EscalationRules:
        """The rules."""
        return EscalationRules(self.immediate, self.high_priority)


_Promised = Annotated[float, BeforeValidator(no_flag), Field(gt=0, lt=1, allow_inf_nan=False)]


class PromiseSettings(Section):
    """What a certificate promises of what is deployed without a person."""

    success: _Promised = _key("share that succeeds, at least", "run", "assess", *_PROCESSES)
    assurance: _Promised = _key("confidence with which this is promised", "run", "assess", *_PROCESSES)


_Margin = Annotated[float, BeforeValidator(no_flag), Field(gt=0, lt=1, allow_inf_nan=False)]
_Exposures = Annotated[Count, Field(ge=1, le=10_000_000)]


class StageSettings(Section):
    """What a stage of a rollout has to show, where stages are judged on traffic."""

    margin: _Margin = _key(
        "difference of failure rates that sequential stages rule out before they promote", "run", *_PROCESSES
    )
    minimum: _Exposures = _key("exposures of the change before it may be promoted", "run", *_PROCESSES)
    maximum: _Exposures = _key("exposures after which a sequential stage is inconclusive", "run", *_PROCESSES)


class StagesSettings(Section):
    """The stages of a rollout, in order."""

    canary: StageSettings
    staging: StageSettings
    production: StageSettings


class DecisionEngine(Section):
    """The gate."""

    policy: Literal["published", "learned", "certified"] = _key(
        "the rule that decides on a deployment, in arms that name none", "run", *_PROCESSES
    )
    auto_deploy_threshold: Share = _key(
        "confidence from which the learned policy deploys; the other policies do not read it", "run", *_PROCESSES
    )
    risk_threshold_high: Share = _key(
        "risk below which the published rule deploys with monitoring; the other policies do not read it",
        "run",
        "assess",
        *_PROCESSES,
    )
    risk_threshold_critical: Share = _key(
        "risk from which a change goes to a person, whatever the confidence and under every policy",
        "run",
        "assess",
        *_PROCESSES,
    )
    promise: PromiseSettings
    rollout: Literal["fixed", "at_once", "first_failure", "mann_whitney", "sequential"] = _key(
        "how the stages of a rollout are judged, in experiments whose arms do not differ in it", "run", *_PROCESSES
    )
    stages: StagesSettings
    answer_within_seconds: Annotated[float, BeforeValidator(no_flag), Field(gt=0, le=31_536_000)] = _key(
        "how long an escalation waits; then the change is declined, not deployed", "run", *_PROCESSES
    )
    escalation_rules: EscalationSettings


class Learning(Section):
    """How agents learn."""

    pattern_threshold: Share = _key(
        "quality from which a solution becomes a pattern; the library keeps every pattern, and orders them by rate"
    )
    learning_rate: Annotated[float, BeforeValidator(no_flag), Field(gt=0, le=1)] = _key("step of a learner")
    memory_decay_rate: Annotated[float, BeforeValidator(no_flag), Field(ge=0, lt=1, allow_inf_nan=False)] = _key(
        "share of its weight that evidence on patterns loses with each attempt; 0: nothing fades",
        "run",
        *_PROCESSES,
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
        AfterValidator(lambda value: value if value is None else redis_url(value)),
        Allowed(
            "redis://HOST:PORT/N, rediss:// for TLS, redis+cluster:// or unix:///PATH; several are split by spaces"
        ),
    ] = _key(
        "the ledger's and bus's server; of several, `up` and `shards` put a shard on each, others take the first",
        "up",
        "agent",
        "status",
        "shards",
        variable="AUTODEV_REDIS_URL",
    )


class MlflowSettings(Section):
    """MLflow."""

    tracking_uri: Annotated[
        SecretStr | None,
        BeforeValidator(empty_is_none),
        AfterValidator(lambda value: value if value is None else store_uri(value)),
        Allowed("an http(s) URL, or sqlite:///FILE, or another URI that MLflow reads"),
    ] = _key(
        "the store that runs are mirrored to; the one beside the runs unless given",
        "run",
        "ui",
        variable="MLFLOW_TRACKING_URI",
        optional=True,
    )


class Integrations(Section):
    """Services. A key whose variable is not set is missed only by what uses the service."""

    linear: LinearSettings
    github: GitHubSettings
    codegen: CodegenSettings
    redis: RedisSettings
    mlflow: MlflowSettings


class Settings(Section):
    """All of it."""

    r2r: R2RSettings
    memory: MemorySettings
    coordination: Coordination
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
