"""Settings for the whole test session: notebooks run their smoke profile, and nothing is left in the working folder."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let tests be interrupted, and point runs at a temporary folder before any notebook kernel inherits it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts its background jobs so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("AUTODEV_PROFILE", "smoke")
    if "AUTODEV_RUNS" not in os.environ:
        os.environ["AUTODEV_RUNS"] = tempfile.mkdtemp(prefix="autodev-lab-runs-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ["AUTODEV_RUNS"], ignore_errors=True))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes (`pytest -n`) the tests of a file stay together, and so do all those of R2R."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            folder = item.path.parent
            place = folder if folder.name == "r2r" else item.path
            item.add_marker(pytest.mark.xdist_group(str(place.relative_to(config.rootpath))))


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A tracking server of whoever runs the tests is none of the tests' business."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield
