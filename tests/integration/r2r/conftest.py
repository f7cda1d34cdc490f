"""A real R2R server for the tests of this folder, and memories on it that nobody else uses."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from autodev_lab.integrations.r2r import R2RClient
from autodev_lab.memory.r2r import R2RMemory, prepare_collections

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package, and this folder has a module of its own

from r2r_stack import R2RStack

SERVERS = pytest.StashKey[ExitStack]()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[R2RStack]:
    """PostgreSQL and R2R; tests that need them are skipped without `AUTODEV_R2R_ENV`."""
    environment = os.environ.get("AUTODEV_R2R_ENV", "")
    if not environment:
        pytest.skip("needs R2R: set AUTODEV_R2R_ENV to what tests/integration/r2r/prepare.py prints")
    if not (Path(environment) / "bin" / "python").exists():
        pytest.fail(f"AUTODEV_R2R_ENV is {environment}, where no environment is")
    # closed by the hook below, after the last test of this folder, and here if it did not come to that
    with ExitStack() as servers:
        request.config.stash[SERVERS] = servers
        yield servers.enter_context(R2RStack(Path(environment)))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop the servers before the tests of other folders: they take memory, and time from what is measured."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        item.config.stash.get(SERVERS, ExitStack()).close()


@pytest.fixture
def client(stack: R2RStack) -> Iterator[R2RClient]:
    """A client that gives up after a minute and a half."""
    one = R2RClient(stack.url, credentials=stack.credentials)
    yield one
    one.close()


@pytest.fixture
def http(stack: R2RStack) -> Iterator[httpx.Client]:
    """R2R without the lab's client between."""
    who = {"username": stack.credentials.email, "password": stack.credentials.password}
    with httpx.Client(base_url=f"{stack.url}/v3", timeout=60) as one:
        token = one.post("/users/login", data=who).json()["results"]["access_token"]["token"]
        one.headers["Authorization"] = f"Bearer {token}"
        yield one


@pytest.fixture
def make(client: R2RClient) -> Callable[[], R2RMemory]:
    """Make an empty memory."""

    def empty() -> R2RMemory:
        prefix = f"{uuid.uuid4().hex}-"
        prepare_collections(client, prefix)
        return R2RMemory(client, prefix=prefix)

    return empty
