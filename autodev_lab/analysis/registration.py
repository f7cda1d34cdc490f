"""Claims as registered: their kinds, the file they are read from, and the digest that shows a later change.

`python -m autodev_lab.analysis.registration experiments/claims.yaml` prints the digest of every claim, to register it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from autodev_lab.analysis.metrics import ENDPOINTS
from autodev_lab.analysis.study_endpoints import DEPLOYED_SUCCESS, endpoint_of_any_study
from autodev_lab.errors import LabError

__all__ = ["STUDY", "Claim", "PositionClaim", "ShareClaim", "StudyClaim", "parse_claim", "read_claims"]

STUDY = "study"
"""What stands for the environment of a study, which has none: no team, and no world for it."""

_SHARES = ("correct_at_K", "solved_at_K", DEPLOYED_SUCCESS)


class Claim(BaseModel):
    """A statement registered before the run, with all that is needed to judge it.

    This kind, ``relative``, promises that `treatment` achieves at least `threshold` more than `baseline`, relative to
    it (0.3 = 30 % more).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["relative", "relative_at", "share", "study"] = "relative"
    id: str
    statement: str
    experiment: str
    environment: str
    treatment: str
    baseline: str = Field(min_length=1)
    endpoint: str
    threshold: float = Field(allow_inf_nan=False)
    registered: dict[str, str]
    """Configuration hash by profile under which the claim is confirmatory."""
    digest: str = ""
    """`content_digest` at the time of registration."""

    @field_validator("endpoint")
    @classmethod
    def _known_endpoint(cls, value: str) -> str:
        if value not in ENDPOINTS:
            raise ValueError(f"endpoint {value!r} is not one of {', '.join(ENDPOINTS)}")
        return value

    @model_validator(mode="after")
    def _of_its_kind(self) -> Claim:
        if type(self) is not KINDS[self.kind]:
            raise ValueError(f"a claim of kind {self.kind!r} is a {KINDS[self.kind].__name__}")
        return self

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms the claim is about."""
        return (self.treatment, self.baseline)

    @property
    def of_a_study(self) -> bool:
        """Whether it is about a study, which has no team and no twins."""
        return False

    @property
    def cluster(self) -> str:
        """What an interval is over, in a word: outcomes of one are taken to depend on one another."""
        return "package"

    @property
    def content_digest(self) -> str:
        """SHA-256 (16 hexadecimal digits) of what the claim says: all but where it is registered."""
        content = self.model_dump(mode="json", exclude={"registered", "digest"})
        content["statement"] = " ".join(self.statement.split())
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def broken_seal(self) -> str:
        """Why the claim can no longer be confirmed, in words; empty when it stands as it was registered."""
        if not self.registered or self.digest == self.content_digest:
            return ""
        if not self.digest:
            return f"it was registered without a digest of its content ({self.content_digest})"
        return (
            "its text, threshold, endpoint or form was changed after registration "
            f"(digest {self.content_digest}, registered {self.digest})"
        )


class PositionClaim(Claim):
    """The same promise at a position of the stream: means are over the tasks from ``at - window`` to ``at + window``.

    Positions are counted from 1. The order of tasks is drawn anew for every replicate, so a position is not a task.
    """

    kind: Literal["relative", "relative_at", "share", "study"] = "relative_at"
    at: int = Field(ge=1)
    window: int = Field(ge=0)

    @model_validator(mode="after")
    def _window_lies_in_the_stream(self) -> PositionClaim:
        if self.at - self.window < 1:
            raise ValueError(f"window {self.window} reaches before the first task from position {self.at}")
        return self


class ShareClaim(Claim):
    """The promise that of what `treatment` deploys without a human at least the share `threshold` is right.

    In the environment `STUDY` it is about an arm of a study; the endpoint is then one that only those items have which
    the arm deploys.
    """

    kind: Literal["relative", "relative_at", "share", "study"] = "share"
    baseline: Literal[""] = ""
    threshold: float = Field(gt=0, lt=1, allow_inf_nan=False)

    @field_validator("endpoint")
    @classmethod
    def _known_endpoint(cls, value: str) -> str:
        if value not in _SHARES:
            raise ValueError(f"endpoint {value!r} is no share: choose one of {', '.join(_SHARES)}")
        return value

    @model_validator(mode="after")
    def _endpoint_is_of_its_world(self) -> ShareClaim:
        if self.of_a_study != (self.endpoint == DEPLOYED_SUCCESS):
            raise ValueError(
                f"endpoint {self.endpoint!r} is not one of environment {self.environment!r}; {DEPLOYED_SUCCESS} is of "
                f"{STUDY}, the others are of worlds with a team"
            )
        return self

    @property
    def of_a_study(self) -> bool:
        """Whether it is about an arm of a study."""
        return self.environment == STUDY

    @property
    def cluster(self) -> str:
        """Of a study, all that one package has in one week."""
        return "project-week" if self.of_a_study else "package"

    @property
    def arms(self) -> tuple[str, ...]:
        """The one arm the claim is about."""
        return (self.treatment,)


class StudyClaim(Claim):
    """The promise of kind ``relative`` about two arms of a study, over the items that both arms have.

    Arms of a study depend on no agent's seed: run again they give the same, so there is no noise between runs to be
    above.
    """

    kind: Literal["relative", "relative_at", "share", "study"] = "study"
    environment: Literal["study"] = "study"

    @property
    def of_a_study(self) -> bool:
        """It is."""
        return True

    @field_validator("endpoint")
    @classmethod
    def _known_endpoint(cls, value: str) -> str:
        try:
            return endpoint_of_any_study(value).name
        except KeyError:
            raise ValueError(f"endpoint {value!r} is none of a study") from None


KINDS: Mapping[str, type[Claim]] = MappingProxyType(
    {"relative": Claim, "relative_at": PositionClaim, "share": ShareClaim, "study": StudyClaim}
)
"""The class of each kind of claim."""


def parse_claim(entry: Mapping[str, object]) -> Claim:
    """One claim from plain data, of the class its ``kind`` names.

    Raises
    ------
    ValueError
        If the kind is not known or a field is wrong.

    Examples
    --------
    >>> claim = parse_claim({"kind": "share", "id": "safe", "statement": "s", "experiment": "e", "registered": {},
    ...     "environment": "repository", "treatment": "team", "endpoint": "correct_at_K", "threshold": 0.95})
    >>> type(claim).__name__, claim.arms
    ('ShareClaim', ('team',))
    """
    kind = entry.get("kind", "relative")
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    return KINDS[str(kind)].model_validate(entry)


def read_claims(path: Path) -> tuple[Claim, ...]:
    """Read a file of claims.

    Raises
    ------
    LabError
        If the file is not valid.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        claims = tuple(parse_claim(entry) for entry in data["claims"])
    except ValidationError as error:
        raise LabError(f"{path} is not a file of claims ({_first(error)}); correct it") from error
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise LabError(f"{path} is not a file of claims ({str(error).splitlines()[0]}); correct it") from error
    if len({claim.id for claim in claims}) < len(claims):
        raise LabError(f"{path} registers a claim twice; give every claim its own id")
    return claims


def _first(error: ValidationError) -> str:
    """The first problem of a claim, with the field it is in."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


if __name__ == "__main__":
    for registered in read_claims(Path(sys.argv[1])):
        print(f"{registered.id}: {registered.content_digest}")
