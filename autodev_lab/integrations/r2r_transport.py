"""How the lab talks to an R2R server: credentials, retries, and one plain sentence when it does not work.

Nothing here ever puts a secret into a message: not the credentials, and not what R2R repeats of its own keys when the
service that makes its vectors refuses them.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import httpx
from pydantic import BaseModel, JsonValue, ValidationError

from autodev_lab.errors import LabError

__all__ = ["Answer", "Credentials", "OutcomeUnknown", "Patience", "R2RError", "R2RRefused", "R2RTransport"]

_COME_BACK = frozenset({429, 502, 503, 504})
_TRIES_OF_A_FAULT = 4
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LONGEST_REASON = 300
_KEYS = re.compile(r"\b(?:sk|pk)-[\w*-]+|\beyJ[\w.-]{10,}")


class R2RError(LabError):
    """R2R cannot be reached, is no R2R, or does not do what it was asked for."""


class R2RRefused(R2RError):
    """R2R answered, and the answer is no.

    Parameters
    ----------
    status
        HTTP status of the answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class OutcomeUnknown(R2RError):
    """A request that must not be repeated blindly was sent, and no good answer came."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the client is to R2R: an API key, an e-mail address with its password, or nobody.

    Examples
    --------
    >>> Credentials(email="lab@example.com", password="secret")
    Credentials(email='lab@example.com')
    """

    api_key: str = field(default="", repr=False)
    email: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> Credentials:
        """Read ``AUTODEV_R2R_API_KEY``, or ``AUTODEV_R2R_EMAIL`` and ``AUTODEV_R2R_PASSWORD``."""
        names = ("AUTODEV_R2R_API_KEY", "AUTODEV_R2R_EMAIL", "AUTODEV_R2R_PASSWORD")
        return cls(*(os.environ.get(name, "") for name in names))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on when R2R does not answer.

    Parameters
    ----------
    seconds
        How long from the first failure to the last try; a server needs about half a minute to start.
    first_pause, longest_pause
        Seconds between tries; each pause is twice the one before.
    answer_seconds
        How long to wait for one answer.
    """

    seconds: float = 90.0
    first_pause: float = 0.2
    longest_pause: float = 5.0
    answer_seconds: float = 120.0

    def pauses(self) -> Iterator[float]:
        """Pauses between tries, until the time is over.

        Examples
        --------
        >>> list(Patience(seconds=0.0).pauses())
        []
        """
        end = time.monotonic() + self.seconds  # a generator starts when it is first asked: at the first failure
        pause = self.first_pause
        while time.monotonic() + pause <= end:
            yield pause
            pause = min(2.0 * pause, self.longest_pause)


class Answer(BaseModel, frozen=True):
    """What R2R says: the results, and of a list how many there are beyond this page."""

    results: JsonValue
    total_entries: int = 0


class _Token(BaseModel):
    token: str


class _Login(BaseModel):
    access_token: _Token


class R2RTransport:
    """Sends requests until they are answered, or patience is over. Many threads may use one.

    Parameters
    ----------
    url
        Where R2R listens, for example ``http://localhost:7272``.
    credentials
        Who asks.
    patience
        How long to go on when R2R does not answer.

    Raises
    ------
    LabError
        If the URL is none, or has credentials in it.
    """

    def __init__(self, url: str, credentials: Credentials, patience: Patience) -> None:
        self.url = _checked(url)
        self._credentials = credentials
        self._patience = patience
        self._token = ""
        self._login_lock = threading.Lock()
        timeout = httpx.Timeout(patience.answer_seconds, connect=min(5.0, patience.answer_seconds))
        self._http = httpx.Client(base_url=f"{self.url}/v3", timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: JsonValue = None,
        form: Mapping[str, str] | None = None,
        repeatable: bool = True,
        hurry: bool = False,
        known: bool = True,
    ) -> Answer:
        """Send one request and return the answer.

        Parameters
        ----------
        query, body, form
            Parameters of the query, a JSON body, fields of a multipart form.
        repeatable
            Whether sending it twice does no harm.
        hurry
            Give up at the first failure.
        known
            Whether to say who asks.

        Raises
        ------
        R2RRefused
            If R2R says no.
        OutcomeUnknown
            If a request that is not repeatable was sent and no good answer came.
        R2RError
            If R2R did not answer, or not as R2R does.
        """
        files = None if form is None else {name: (None, value) for name, value in form.items()}
        pauses = iter(()) if hurry else self._patience.pauses()
        faults, renewed = 0, False
        while True:
            headers = self._who(hurry) if known else None
            try:
                response = self._http.request(method, path, params=query, json=body, files=files, headers=headers)
            except httpx.TransportError as error:
                if not repeatable and not isinstance(error, _NOT_SENT):
                    raise OutcomeUnknown(f"R2R at {self.url} broke off before it answered") from error
                complaint: R2RError = R2RError(self._silence(error))
            else:
                if response.status_code < 400:
                    return self._understood(response)
                if response.status_code == 401 and self._token and not renewed:
                    self._token, renewed = "", True  # a token ends with time, or with the server's secret
                    continue
                status = _status(response)
                complaint = R2RRefused(self._refusal(response), status)
                if status >= 500 and not repeatable:
                    raise OutcomeUnknown(str(complaint))
                faults += status == 500
                if not _may_pass(status, faults):
                    raise complaint
            pause = next(pauses, None)
            if pause is None:
                raise complaint
            time.sleep(pause)

    def _who(self, hurry: bool) -> dict[str, str]:
        """Headers that say who asks; a password is changed for a token first."""
        if self._credentials.api_key:
            return {"X-API-Key": self._credentials.api_key}
        if not self._credentials.email:
            return {}
        with self._login_lock:
            if not self._token:
                who = {"username": self._credentials.email, "password": self._credentials.password}
                try:
                    answer = self.ask("POST", "/users/login", form=who, hurry=hurry, known=False)
                    self._token = _Login.model_validate(answer.results).access_token.token
                except R2RRefused as refusal:
                    if refusal.status in (401, 404):  # R2R says 404 of an address that it does not know
                        raise R2RRefused(self._not_taken(), 401) from None
                    raise
                except ValidationError:
                    raise R2RError(self._not_r2r()) from None
            return {"Authorization": f"Bearer {self._token}"}

    def _understood(self, response: httpx.Response) -> Answer:
        try:
            return Answer.model_validate_json(response.content)
        except ValidationError:
            raise R2RError(self._not_r2r()) from None  # the cause would show what was sent

    def _not_r2r(self) -> str:
        return f"the server at {self.url} does not answer as R2R 3 does; give the URL of one, by default port 7272"

    def _not_taken(self) -> str:
        return (
            f"R2R at {self.url} does not take these credentials; set AUTODEV_R2R_API_KEY, or AUTODEV_R2R_EMAIL and "
            "AUTODEV_R2R_PASSWORD"
        )

    def _silence(self, failure: httpx.TransportError) -> str:
        slow = isinstance(failure, httpx.ReadTimeout | httpx.WriteTimeout | httpx.PoolTimeout)
        how = "does not answer" if slow else "cannot be reached"
        return f"R2R at {self.url} {how}; see that it is running and that the URL is right"

    def _refusal(self, response: httpx.Response) -> str:
        if response.status_code == 401:
            return self._not_taken()
        if response.status_code == 404 and _detail(response) == "Not Found":
            return self._not_r2r()
        reason = _KEYS.sub("[key]", " ".join(_detail(response).split()))
        for secret in (self._credentials.api_key, self._credentials.password, self._token):
            reason = reason.replace(secret, "[secret]") if secret else reason
        return f"R2R at {self.url} answers {response.status_code}: {reason[:_LONGEST_REASON]}"


def _checked(url: str) -> str:
    """The URL without a trailing slash; credentials in it would get into logs."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise LabError("the URL of R2R must be like http://localhost:7272")
    if parsed.userinfo:
        raise LabError(
            "the URL of R2R must hold no credentials; set AUTODEV_R2R_API_KEY, or AUTODEV_R2R_EMAIL and "
            "AUTODEV_R2R_PASSWORD"
        )
    return str(parsed).rstrip("/")


def _already_there(response: httpx.Response) -> bool:
    # documents of chunks are refused with 500 where documents of text are with 409
    return response.status_code == 500 and "was already ingested" in _detail(response)


def _status(response: httpx.Response) -> int:
    return 409 if _already_there(response) else response.status_code


def _may_pass(status: int, faults: int) -> bool:
    """Whether the same request may be answered better later: the server is starting, busy, or lost its database."""
    return faults < _TRIES_OF_A_FAULT if status == 500 else status in _COME_BACK


def _detail(response: httpx.Response) -> str:
    """What the answer says is wrong: R2R has two forms of it, and FastAPI a third."""
    try:
        content = response.json()
    except ValueError:
        return response.reason_phrase
    if isinstance(content, dict):
        detail = content.get("message") or content.get("detail")
        if isinstance(detail, dict):
            detail = detail.get("message")
        if detail:
            return str(detail)
    return response.reason_phrase
