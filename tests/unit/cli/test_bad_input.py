"""Every mistake is one sentence that names it and what would be right, exit code 2, and no word on standard output."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autodev_lab.cli.main import app
from autodev_lab.resources import resource

SIMULATED = ["-p", "environment=simulated", "-p", "packages=ant"]
SHIPPED = "data/tasks/pocketkit.jsonl"

BAD: dict[str, tuple[list[str], list[str]]] = {
    "unknown experiment": (["run", "lerning"], ["'lerning'", "choose one of coordination, learning"]),
    "missing experiment file": (["run", "mine.yaml"], ["mine.yaml does not exist", "learning"]),
    "experiment file that is no YAML": (["run", "broken.yaml"], ["broken.yaml is not readable YAML", "correct"]),
    "experiment file without arms": (["run", "empty.yaml"], ["empty.yaml is not an experiment", "correct"]),
    "no experiment": (["run"], ["name an experiment"]),
    "no experiment, dry": (["run", "--dry-run"], ["name an experiment"]),
    "unknown profile": (["run", "learning", "--profile", "huge"], ["'huge'", "smoke, quick, full"]),
    "unknown profile, dry": (["run", "learning", "--profile", "huge", "--dry-run"], ["'huge'", "smoke, quick, full"]),
    "-p without a value": (["run", "learning", "-p", "budget"], ["key=value", "'budget'", "-p budget=10"]),
    "-p without a key": (["run", "learning", "-p", "=10"], ["key=value", "'=10'"]),
    "-p of an unknown key": (["run", "learning", "-p", "colour=red"], ["'colour'", "budget", "twins"]),
    "-p of a wrong type": (["run", "learning", "-p", "budget=many"], ["budget is 'many'", "integer"]),
    "-p of an empty value": (["run", "learning", "-p", "budget="], ["budget is ''", "integer"]),
    "-p out of range": (["run", "learning", "-p", "human_accuracy=1.5"], ["human_accuracy is '1.5'", "less than"]),
    "-p of no number": (["run", "learning", "-p", "arrival_seconds=nan"], ["arrival_seconds is 'nan'", "finite"]),
    "-p of an unknown world": (["run", "learning", "-p", "environment=moon"], ["environment is 'moon'", "simulated"]),
    "-p of an unknown policy": (["run", "learning", "-p", "policy=yes"], ["policy is 'yes'"]),
    "-p that contradict": (
        ["run", "learning", "-p", "pool_per_package=2", "-p", "tasks_per_package=3"],
        ["pool_per_package is 2, less than tasks_per_package 3"],
    ),
    "a package twice": (["run", "learning", "-p", "packages=funcy,funcy"], ["named twice"]),
    "unknown arm": (["run", "learning", "-p", "arms=solo"], ["no arm 'solo'", "single, team_isolated"]),
    "an arm twice": (["run", "learning", "-p", "arms=single,single"], ["named twice"]),
    "negative seed": (["run", "learning", "--seed", "-1"], ["seed is -1", "from 0"]),
    "enormous seed": (["run", "learning", "--seed", str(2**63)], [f"seed is {2**63}", "to 2**63 - 1"]),
    "resume nothing": (["run", "--resume", "nowhere"], ["'nowhere'", "run directory or its id"]),
    "resume with a dry run": (["run", "--resume", "last", "--dry-run"], ["leave -p, --out and --dry-run out"]),
    "resume into a folder": (["run", "--resume", "last", "--out", "x"], ["leave -p, --out and --dry-run out"]),
    "resume a damaged run": (["run", "--resume", "damaged"], ["spec.json is damaged", "start the run anew"]),
    "folder in use": (["run", "learning", *SIMULATED, "--out", "occupied"], ["not empty", "--out"]),
    "show, no run": (["show", "last", "t"], ["no run in", "autodev-lab run"]),
    "show, unknown run": (["show", "nowhere", "t"], ["'nowhere'"]),
    "show, damaged run": (["show", "damaged", "t"], ["spec.json is damaged"]),
    "show, unknown arm": (["show", "given", "t", "--arm", "solo"], ["no arm 'solo'", "uniform, uniform_twin"]),
    "show, unknown task": (["show", "given", "t"], ["no task 't'", "tasks.jsonl", "for example known"]),
    "show, task of another arm": (["show", "given", "known", "--arm", "uniform_twin"], ["no task 'known'", "finished"]),
    "show, unknown replicate": (["show", "given", "known", "--replicate", "7"], ["no task 'known'", "finished"]),
    "tasks show, no file": (["tasks", "show", "none.jsonl"], ["none.jsonl does not exist", "autodev-lab tasks build"]),
    "tasks show, a folder": (["tasks", "show", "occupied"], ["occupied"]),
    "tasks show, no tasks": (["tasks", "show", "bad.jsonl"], ["bad.jsonl"]),
    "tasks build, none": (["tasks", "build", "pocketkit", "--n", "0"], ["--n is 0", "at least 1"]),
    "tasks build, unknown": (["tasks", "build", "no-such-thing", "--offline"], ["no-such-thing", "offline"]),
    "tasks build, no name": (["tasks", "build", "a b"], ["'a b'", "neither a package"]),
    "tasks build, no archive": (["tasks", "build", "./none.tar.gz"], ["none.tar.gz does not exist"]),
    "solve, no file": (["solve", "none.jsonl"], ["none.jsonl"]),
    "solve, unknown solver": (["solve", SHIPPED, "--solver", "magic"], ["'magic'", "repair"]),
    "solve, budget 0": (["solve", SHIPPED, "--budget", "0"], ["--budget is 0", "at least 1"]),
    "power, unknown experiment": (["power", "lerning", "--effect", "0.1"], ["'lerning'", "learning"]),
    "power, no effect": (["power", "learning", "--effect", "nan"], ["--effect is nan", "0.05"]),
    "power, effect below -1": (["power", "learning", "--effect", "-2"], ["--effect is -2.0", "above -1"]),
    "power, too great an effect": (["power", "learning", "--effect", "3"], ["--effect 3.0", "more than every task"]),
    "power, one package": (["power", "learning", "--effect", "0.1", "--packages", "1"], ["--packages is 1", "least 2"]),
    "power, no tasks": (["power", "learning", "--effect", "0.1", "--tasks", "0"], ["--tasks is 0", "at least 1"]),
    "power, baseline 1": (["power", "learning", "--effect", "0", "--baseline", "1"], ["--baseline is 1.0", "between"]),
    "power, pairing 1": (["power", "learning", "--effect", "0", "--pairing", "1"], ["--pairing is 1.0", "0.99"]),
    "power, too many": (["power", "learning", "--effect", "0", "--tasks", "100000"], ["too many to simulate"]),
    "power, unknown claim": (
        ["power", "learning", "--effect", "0", "--claim", "x"],
        ["'x'", "collective"],
    ),
    "power, no run": (["power", "learning", "--effect", "0", "--run", "nowhere"], ["'nowhere'"]),
    "power, few simulations": (["power", "learning", "--effect", "0", "--simulations", "5"], ["--simulations is 5"]),
    "solve, unknown order": (["solve", SHIPPED, "--order", "random"], ["'random'", "uniform"]),
}
"""What is typed, and what the sentence says among other things."""

USAGE: dict[str, list[str]] = {
    "unknown command": ["rnu"],
    "unknown option": ["run", "learning", "--fast"],
    "seed that is no number": ["run", "learning", "--seed", "x"],
    "negative workers": ["run", "learning", "--workers", "-1"],
    "unknown sandbox": ["run", "learning", "--sandbox", "none"],
    "two experiments": ["run", "learning", "safety"],
    "show without a task": ["show", "last"],
    "negative replicate": ["show", "last", "t", "--replicate", "-1"],
    "tasks without a command": ["tasks", "bulid"],
    "port of no use": ["ui", "--port", "0"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with things that a user may get wrong."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bad.jsonl").write_text('{"half": \n', encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("name: [unclosed\n", encoding="utf-8")
    (tmp_path / "empty.yaml").write_text("name: empty\n", encoding="utf-8")
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "thesis.tex").write_text("x", encoding="utf-8")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "spec.json").write_text("{", encoding="utf-8")
    (tmp_path / "given").mkdir()
    give_a_run(tmp_path / "given")
    return tmp_path


def give_a_run(path: Path) -> None:
    """A run of which one cell is finished."""
    from autodev_lab.experiments.design import load_experiment, make_plan

    plan = make_plan(load_experiment("learning"), profile="smoke", overrides={"arms": "uniform"})
    (path / "spec.json").write_text(json.dumps(plan.as_json()), encoding="utf-8")
    (path / "cells").mkdir()
    (path / "cells" / "uniform-r000.json").write_text("{}", encoding="utf-8")
    trace = json.dumps({"task": {"id": "known"}}) + "\n"
    (path / "cells" / "uniform-r000.trace.gz").write_bytes(gzip.compress(trace.encode()))


def files(folder: Path) -> dict[str, int]:
    """What lies in a folder; locks of the cache are nobody's concern."""
    found = (path for path in folder.rglob("*") if path.is_file() and "cache" not in path.parts)
    return {str(path): path.stat().st_mtime_ns for path in found}


@pytest.mark.parametrize("json_wanted", [False, True], ids=["words", "json"])
@pytest.mark.parametrize("case", sorted(BAD))
def test_one_sentence_and_nothing_else(case: str, json_wanted: bool, folder: Path) -> None:
    arguments, says = BAD[case]
    before = files(folder)
    bare = ["--no-notebook", "--no-mlflow", "--workers", "1"] if arguments[0] == "run" else []
    typed = [str(resource(word)) if word == SHIPPED else word for word in arguments]
    done = CliRunner().invoke(app, [*typed, *bare, *(["--json"] if json_wanted else [])])
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("autodev-lab: ")
    for word in says:
        assert word in sentence
    assert files(folder) == before


@pytest.mark.parametrize("case", sorted(USAGE))
def test_what_cannot_be_parsed_is_refused_with_the_usage(case: str, folder: Path) -> None:
    before = files(folder)
    done = CliRunner().invoke(app, USAGE[case])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr
    assert files(folder) == before
