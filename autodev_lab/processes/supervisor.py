"""Watching over processes: those that die are started anew after a while that grows, and all are ended gracefully."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from autodev_lab.errors import LabError
from autodev_lab.processes.nursery import Child, Nursery

__all__ = ["Backoff", "Death", "Supervisor"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a process that died is started anew.

    Parameters
    ----------
    first_seconds, most_seconds
        After its first death, and at most; it doubles in between.
    steady_seconds
        Who lived so long dies for the first time again.
    most_deaths
        Deaths in a row after which something is wrong that starting anew does not mend.
    """

    first_seconds: float = 0.1
    most_seconds: float = 30.0
    steady_seconds: float = 10.0
    most_deaths: int = 20

    def seconds(self, deaths: int) -> float:
        """The wait after so many deaths in a row.

        Examples
        --------
        >>> [Backoff().seconds(deaths) for deaths in (1, 2, 3, 20)]
        [0.1, 0.2, 0.4, 30.0]
        """
        return float(min(self.most_seconds, self.first_seconds * 2.0 ** (deaths - 1)))


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a process that was not asked to end: exit status, or minus the signal that ended it."""

    name: str
    pid: int
    status: int
    again_in: float


@dataclass(slots=True)
class _Post:
    arguments: Sequence[str]
    child: Child | None = None
    deaths: int = 0
    due: float = 0.0


class Supervisor:
    """Keeps one process running a post.

    It tells nobody what to do: agents find their work themselves, and go on while the supervisor is busy or stopped.

    Parameters
    ----------
    nurse
        Makes a nursery; called again should one be killed.
    posts
        Arguments of the process of each post, by the post's name.
    backoff
        How soon a process is started anew.

    Examples
    --------
    ::

        posts = {"developer 1": ["developer"], "developer 2": ["developer"]}
        with Supervisor(lambda: Nursery("my_package.agent"), posts) as team:
            while not done():
                for death in team.look():
                    print(death)
                time.sleep(0.1)
    """

    def __init__(
        self, nurse: Callable[[], Nursery], posts: Mapping[str, Sequence[str]], backoff: Backoff | None = None
    ) -> None:
        self._nurse = nurse
        self._posts = {name: _Post(tuple(arguments)) for name, arguments in posts.items()}
        self._backoff = backoff or Backoff()
        self._nursery: Nursery | None = None
        self.started = 0

    def __enter__(self) -> Supervisor:
        self.look()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(0.0 if error is not None else 10.0)

    @property
    def running(self) -> dict[str, Child]:
        """The living process of every post that has one."""
        return {name: post.child for name, post in self._posts.items() if post.child is not None and post.child.alive}

    def look(self) -> tuple[Death, ...]:
        """Start what is due; returns who died since the last look.

        Raises
        ------
        LabError
            If a process dies again and again, or none can be started.
        """
        deaths = []
        if self._nursery is not None and not self._nursery.alive:  # its children were killed with it, or leave
            self._nursery.close()
            self._nursery = None
        for name, post in self._posts.items():
            child = post.child
            if child is None:
                continue
            if child.status is not None:
                deaths.append(self._died(name, post, child, child.status))
        now = time.monotonic()
        for post in self._posts.values():
            if post.child is None and post.due <= now:
                if self._nursery is None:
                    self._nursery = self._nurse()
                post.child = self._nursery.start(post.arguments)
                self.started += 1
        return tuple(deaths)

    def stop(self, grace_seconds: float) -> int:
        """Ask all to leave, wait so long, kill the others; returns how many had to be killed."""
        children = [post.child for post in self._posts.values() if post.child is not None and post.child.alive]
        for child in children:
            child.signal(signal.SIGCONT)
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        killed = 0
        for child in children:
            if not child.wait(deadline - time.monotonic()):
                killed += child.signal(signal.SIGKILL)
        for post in self._posts.values():
            post.child = None
        nursery, self._nursery = self._nursery, None
        if nursery is not None:
            nursery.close()
        return killed

    def _died(self, name: str, post: _Post, child: Child, status: int) -> Death:
        now = time.monotonic()
        post.deaths = 1 if now - child.began >= self._backoff.steady_seconds else post.deaths + 1
        if post.deaths >= self._backoff.most_deaths:
            words = "" if self._nursery is None else f": {self._nursery.last_words()}"
            raise LabError(f"{name} died {post.deaths} times in a row, with exit status {status} at last{words}", 1)
        wait = self._backoff.seconds(post.deaths)
        post.child, post.due = None, now + wait
        return Death(name, child.pid, status, wait)
