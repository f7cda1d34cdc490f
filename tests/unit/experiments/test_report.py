"""The summary in words: what it names can be read off it again."""

from __future__ import annotations

from pathlib import Path

from autodev_lab.experiments import run_experiment


def test_every_artifact_is_told_apart_from_its_path(tmp_path: Path) -> None:
    """The name of a claim's figure is longer than the column of names."""
    run = run_experiment(
        "learning",
        profile="quick",
        overrides={
            "environment": "simulated",
            "packages": ("ant", "bee"),
            "tasks_per_package": 3,
            "arms": ("team_shared", "team_isolated"),
        },
        workers=1,
        out=tmp_path / "run",
        progress="quiet",
    )
    artifacts = run.summary["artifacts"]
    assert isinstance(artifacts, dict)
    assert "figure_paired_collective_intelligence" in artifacts
    told = run.words.partition("Where everything lies:\n")[2].splitlines()
    assert [line.split(maxsplit=1) for line in told] == [[name, path] for name, path in artifacts.items()]
