"""GitHub's deployments: one a stage of a rollout, with a status that people see beside the commit."""

from __future__ import annotations

from types import TracebackType

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from autodev_lab.errors import LabError

__all__ = ["GitHubDeployments"]

_TIMEOUT_SECONDS = 30.0
_LONGEST_DESCRIPTION = 140


class _Deployment(BaseModel):
    id: int


class GitHubDeployments:
    """Deployments of one repository (REST API version 2022-11-28).

    Parameters
    ----------
    repository
        ``owner/name``.
    token
        May create deployments (permission *Deployments: write*). It is sent to `url` alone, and never shown.
    url
        Of the API; another one for GitHub Enterprise, or for tests.

    Raises
    ------
    LabError
        If the repository's name is not ``owner/name``.
    """

    def __init__(self, repository: str, token: str, *, url: str = "https://api.github.com") -> None:
        if repository.count("/") != 1 or not all(repository.split("/")):
            raise LabError(f"repository is {repository!r}; write owner/name")
        self._repository = repository
        self._client = httpx.Client(
            base_url=url,
            timeout=_TIMEOUT_SECONDS,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {token}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def create(self, ref: str, environment: str, *, production: bool = False, description: str = "") -> int:
        """Create a deployment of a commit, branch or tag to an environment; returns its id.

        Required status checks of the commit are left to the gate: GitHub is told to require none.
        """
        reply = self._post(
            f"/repos/{self._repository}/deployments",
            {
                "ref": ref,
                "environment": environment,
                "auto_merge": False,
                "required_contexts": [],
                "production_environment": production,
                "transient_environment": False,
                "description": description[:_LONGEST_DESCRIPTION],
            },
        )
        try:
            return _Deployment.model_validate(reply.json()).id
        except (ValueError, ValidationError) as error:
            raise LabError(f"GitHub did not make a deployment of {ref} to {environment}: {_said(reply)}") from error

    def find(self, ref: str, environment: str) -> int | None:
        """The id of the newest deployment of a commit, branch or tag to an environment; None if there is none."""
        reply = self._get(
            f"/repos/{self._repository}/deployments", {"ref": ref, "environment": environment, "per_page": "1"}
        )
        try:
            found = TypeAdapter(list[_Deployment]).validate_python(reply.json())
        except (ValueError, ValidationError) as error:
            raise LabError(f"GitHub did not list deployments of {ref} to {environment}: {_said(reply)}") from error
        return found[0].id if found else None

    def set_status(self, deployment: int, state: str, description: str = "") -> None:
        """Say how a deployment is: ``in_progress``, ``success``, ``failure``, ``inactive`` or another of GitHub's."""
        self._post(
            f"/repos/{self._repository}/deployments/{deployment}/statuses",
            {"state": state, "description": description[:_LONGEST_DESCRIPTION], "auto_inactive": False},
        )

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def __enter__(self) -> GitHubDeployments:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, path: str, parameters: dict[str, str]) -> httpx.Response:
        return self._asked(self._client.build_request("GET", path, params=parameters))

    def _post(self, path: str, body: dict[str, object]) -> httpx.Response:
        return self._asked(self._client.build_request("POST", path, json=body))

    def _asked(self, request: httpx.Request) -> httpx.Response:
        try:
            reply = self._client.send(request)
        except httpx.HTTPError as error:
            raise LabError(f"GitHub at {self._client.base_url} cannot be reached ({type(error).__name__})") from error
        if reply.status_code in (401, 403):
            raise LabError(f"GitHub refused ({reply.status_code}); the token must be allowed to write deployments")
        if reply.status_code == 404:
            raise LabError(f"GitHub does not know {self._repository}, or the token may not see it")
        if not reply.is_success:
            raise LabError(f"GitHub answered {reply.status_code} to {request.url.path}: {_said(reply)}")
        return reply


def _said(reply: httpx.Response) -> str:
    try:
        body: object = reply.json()
    except ValueError:
        return "no message"
    message = body.get("message") if isinstance(body, dict) else None
    return str(message)[:200] if message else "no message"
