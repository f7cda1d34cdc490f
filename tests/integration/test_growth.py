"""The study of growth: memories that hold ever more around the same functions, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from autodev_lab.errors import LabError
from autodev_lab.experiments import RunResult, run_experiment
from autodev_lab.experiments.studies.growing_corpus import hidden_among
from autodev_lab.resources import resource


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment `memory_growth` in small; vectors are random, which needs no weights but those for a query."""
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    data = yaml.safe_load(resource("experiments/memory_growth.yaml").read_text("utf-8"))
    data["arms"] = {
        "keyword_100": {"description": "", "options": {"mode": "keyword", "items": 100}},
        "keyword_400": {"description": "", "options": {"mode": "keyword", "items": 400}},
        "random_400": {"description": "", "options": {"mode": "hybrid", "items": 400, "vectors": "random"}},
    }
    data["contrasts"] = [["keyword_400", "keyword_100"]]
    data["profiles"] = {"smoke": {"packages": ["click"], "distractors": ["jinja2"], "queries_per_package": 20}}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**data, "name": "mine", "notebook": ""}, sort_keys=False), encoding="utf-8")
    return path


def run(experiment: Path, **overrides: object) -> RunResult:
    return run_experiment(experiment, profile="smoke", overrides=overrides, progress="quiet")


def test_more_items_are_slower_larger_and_no_easier(experiment: Path) -> None:
    done = run(experiment)
    arms = done.summary["arms"]
    assert isinstance(arms, dict)
    small, large, random = (arms[name] for name in ("keyword_100", "keyword_400", "random_400"))
    assert large["mrr10"] <= small["mrr10"], "what is hidden among more is not found more easily"
    assert large["disk_mb"] > small["disk_mb"] > 0
    assert random["disk_mb"] > large["disk_mb"], "vectors take room"
    assert random["memory_mb"] > large["memory_mb"] >= 0, "so does the model"
    assert random["mrr10"] is None and random["p50_ms"] > 0, "random vectors are timed and not judged"
    rows = done.load().outcomes
    assert rows.groupby("arm")["item"].apply(lambda items: tuple(sorted(items))).nunique() == 1
    assert (done.path / "figures" / "growth.png").is_file()
    assert "hidden among" in done.path.joinpath("attrition.csv").read_text("utf-8")


def test_a_larger_memory_holds_all_that_a_smaller_one_does_whatever_else_there_is() -> None:
    wanted, others = hidden_among(["click"], ["jinja2"], most=5, seed=0)
    again, fewer = hidden_among(["click"], [], most=5, seed=0)
    assert wanted == again and len(wanted) == 5
    names = [one.name for one in others]
    assert [name for name in names if name.startswith("click.")] == [one.name for one in fewer]
    assert not {one.name for one in wanted} & set(names)
    assert not {one.sentence for one in wanted} & {one.sentence for one in others if one.sentence}
    assert any(not one.sentence for one in others), "functions without a docstring are hidden among, too"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"queries_per_package": "150"}, "a memory of 100 items does not hold the"),
        ({"distractors": ""}, "name more packages with -p distractors="),
        ({"distractors": "no_such_package_here"}, "there is no package 'no_such_package_here'"),
        ({"packages": ""}, "name packages to look for functions in"),
    ],
)
def test_mistakes_are_one_sentence(experiment: Path, overrides: dict[str, object], says: str) -> None:
    with pytest.raises(LabError) as caught:
        run(experiment, **overrides)
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "fuzzy", "items": 5}, "has mode 'fuzzy'"),
        ({"mode": "keyword", "items": 0}, "has items 0"),
        ({"mode": "keyword"}, "has items None"),
        ({"mode": "hybrid", "items": 5, "vectors": "some"}, "choose one of trained, random"),
        ({"mode": "hybrid", "items": 5, "size": 3}, "has an option 'size'"),
    ],
)
def test_a_wrong_arm_is_one_sentence(experiment: Path, options: dict[str, object], says: str) -> None:
    data = yaml.safe_load(experiment.read_text("utf-8"))
    data["arms"] = {"a": {"description": "", "options": options}}
    experiment.write_text(yaml.safe_dump({**data, "contrasts": []}), encoding="utf-8")
    with pytest.raises(LabError) as caught:
        run(experiment)
    assert says in str(caught.value)
