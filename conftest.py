"""Settings for the whole test session: notebooks run their smoke profile, and nothing is left in the working folder."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

# Tests do not judge speed, and on a busy machine drawing examples alone may look slow.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")

# There is a process a core already: threads of linear algebra would wait for one another, here and in what tests start.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

_R2R = "tests/integration/r2r/"
"""One R2R is enough for the machine."""


def pytest_configure(config: pytest.Config) -> None:
    """Let tests be interrupted, and point runs at a temporary folder before any notebook kernel inherits it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts its background jobs so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("AUTODEV_PROFILE", "smoke")
    if "AUTODEV_RUNS" not in os.environ:
        os.environ["AUTODEV_RUNS"] = tempfile.mkdtemp(prefix="autodev-lab-runs-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ["AUTODEV_RUNS"], ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """With several processes (`pytest -n`) the tests of a file stay together, and so do all those of R2R."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _R2R if nodeid.startswith(_R2R) else str(super()._split_scope(nodeid))

    return Together(config, log)


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A tracking server of whoever runs the tests is none of the tests' business."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
