"""Schedules: all faults happen, whole ledgers keep every promise, knocked-out ones are found, shrunk and replayed."""

from __future__ import annotations

import functools
import gc
import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from autodev_lab.chaos.batch import quiet_agents, run_batch
from autodev_lab.chaos.campaign import run_campaign, shrunk
from autodev_lab.chaos.knockouts import IdentityLedger
from autodev_lab.chaos.rules import Rule
from autodev_lab.chaos.schedule import Mechanism, draw_schedule, read_schedule, write_schedule
from autodev_lab.chaos.timeline import timeline
from autodev_lab.chaos.world import run_schedule
from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.kernel.faults import MessageDelay, Partition, Pause
from autodev_lab.ledger import InMemoryLedger

KINDS = {
    "crash",
    "long pause",
    "short pause",
    "replacement",
    "restart",
    "lost commands",
    "lost answers",
    "missed messages",
    "message loss",
    "message repeat",
    "message delay",
    "skewed clock",
}


@pytest.fixture(scope="module", autouse=True)
def quiet():
    with quiet_agents():
        yield


@functools.cache
def first_broken(mechanism, most=1000):
    """The first schedule of seed 1 in which the knock-out breaks a promise, not just another refusal."""
    for start in range(0, most, 50):
        tally = run_batch(1, range(start, start + 50), mechanism)
        if set(tally.rules) - {Rule.TRANSITION}:
            return tally.counterexample()
    raise AssertionError(f"{mechanism} is not found within {most} schedules")


class EagerLedger(InMemoryLedger):
    """A ledger that forgets what a task waits for."""

    async def submit(self, task, after=()):
        return await super().submit(task)


def test_a_ledger_that_lets_no_task_wait_is_found():
    rules = (
        {violation.rule for violation in run_schedule(draw_schedule(1, index), EagerLedger).violations}
        for index in range(30)
    )
    assert any(Rule.DEPENDENCIES in broken for broken in rules)


def test_whole_ledgers_keep_every_promise_while_all_faults_happen():
    tally = run_batch(1, range(150))
    assert (tally.schedules, tally.violations, tally.first) == (150, 0, {})
    assert set(tally.injected) == KINDS


@pytest.mark.parametrize("mechanism", [None, Mechanism.ATOMIC])
def test_a_batch_leaves_nothing_to_the_cyclic_collector(mechanism):
    run_batch(2, range(1), mechanism)
    gc.collect()
    run_batch(2, range(1, 21), mechanism)
    assert gc.isenabled()
    assert gc.collect() == 0, "batches run without it, and must not grow"


@pytest.mark.parametrize(
    ("mechanism", "rules"),
    [
        (Mechanism.FENCE, {Rule.MUTUAL_EXCLUSION}),
        (Mechanism.ATOMIC, {Rule.EFFECT_ONCE, Rule.STAGE_ORDER}),
        (Mechanism.EXPIRY, {Rule.PROGRESS}),
        (Mechanism.UNIQUE_ID, {Rule.MUTUAL_EXCLUSION}),
        (Mechanism.DEDUP, {Rule.EFFECT_ONCE}),
    ],
)
def test_each_knock_out_is_found_and_its_counterexample_shrinks_and_replays(mechanism, rules, tmp_path):
    schedule = draw_schedule(1, first_broken(mechanism), mechanism)
    small, sentence = shrunk(schedule)
    assert len(small.faults) <= len(schedule.faults)
    assert len(small.faults) <= 3
    path = tmp_path / "small.json"
    write_schedule(path, small, sentence)
    assert read_schedule(path) == small
    run = run_schedule(read_schedule(path))
    assert run.violations[0].rule in rules
    assert run.violations[0].sentence == sentence
    assert any(line.endswith(sentence) for line in timeline(run))
    assert run_schedule(replace(small, disable=None)).violations == ()


def test_a_ledger_that_knows_holders_by_id_is_safe_while_ids_are_unique():
    index = first_broken(Mechanism.UNIQUE_ID)
    assert run_schedule(draw_schedule(1, index), IdentityLedger).violations == ()


def test_the_fence_alone_makes_ids_that_are_used_twice_harmless():
    from autodev_lab.ledger import InMemoryLedger

    index = first_broken(Mechanism.UNIQUE_ID)
    reused = draw_schedule(1, index, Mechanism.UNIQUE_ID)
    assert run_schedule(reused).violations != ()
    assert run_schedule(reused, InMemoryLedger).violations == ()


def test_the_same_schedule_gives_the_same_history():
    one, two = (run_schedule(draw_schedule(3, 14)) for _ in range(2))
    assert one == two
    assert list(timeline(one, everything=True)) == list(timeline(two, everything=True))
    assert run_schedule(replace(draw_schedule(3, 14), faults=())).incidents == ()


def test_one_worker_and_two_give_the_same_tally(tmp_path):
    told = []
    one = run_campaign(110, seed=4, disable=Mechanism.DEDUP, out=tmp_path, progress=told.append)
    two = run_campaign(110, seed=4, disable=Mechanism.DEDUP, workers=2, out=tmp_path)
    assert told == [50, 100, 110]
    assert one.tally == two.tally
    assert (one.broke, one.counterexample) == (two.broke, two.counterexample)


def test_chaos_and_replay_on_the_command_line(tmp_path):
    index = first_broken(Mechanism.DEDUP)
    options = ["--schedules", str(index + 1), "--seed", "1", "--disable", "dedup", "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, ["chaos", *options])
    answer = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (answer["schedules"], answer["violations"], answer["first_violation"]) == (index + 1, 1, index)
    shown = CliRunner().invoke(app, ["replay", answer["counterexample"]])
    assert shown.exit_code == 1
    assert shown.stdout.rstrip().endswith(f"it breaks: effect once: {answer['broke']}")
    again = CliRunner().invoke(app, ["replay", answer["counterexample"]])
    assert again.stdout == shown.stdout
    as_json = json.loads(CliRunner().invoke(app, ["replay", answer["counterexample"], "--json"]).stdout)
    assert as_json["violation"]["sentence"] == answer["broke"]


def test_a_clean_campaign_ends_well_and_writes_nothing(tmp_path):
    done = CliRunner().invoke(app, ["chaos", "--schedules", "3", "--out", str(tmp_path / "none"), "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["counterexample"] is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", [["--schedules", "0"], ["--schedules", "5", "--workers", "0"]])
def test_numbers_out_of_range_are_the_users_mistake(arguments):
    done = CliRunner().invoke(app, ["chaos", *arguments])
    assert done.exit_code == 2
    assert "at least 1" in done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.update(format="other"), "format"),
        (lambda data: data["schedule"].pop("seed"), "seed"),
        (lambda data: data["schedule"]["team"].append(data["schedule"]["team"][0]), "twice"),
        (lambda data: data["schedule"].update(max_tries=0), "max_tries"),
        (lambda data: data["schedule"]["faults"].append({"kind": "earthquake"}), "faults"),
        (
            lambda data: data["schedule"]["faults"].append(
                {"kind": "crash", "host": "nobody", "step": 1, "restart_after": 1.0}
            ),
            "nobody",
        ),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(change, words, tmp_path):
    path = tmp_path / "schedule.json"
    write_schedule(path, draw_schedule(1, 2), "")
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(LabError, match=words):
        read_schedule(path)


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path):
    with pytest.raises(LabError, match="cannot read"):
        read_schedule(tmp_path / "none.json")
    (tmp_path / "text.json").write_text("not json")
    with pytest.raises(LabError, match="not JSON"):
        read_schedule(tmp_path / "text.json")


def test_every_kind_of_fault_survives_the_file(tmp_path):
    kinds = set()
    for index in range(8):
        schedule = draw_schedule(2, index)
        write_schedule(tmp_path / "s.json", schedule, "")
        assert read_schedule(tmp_path / "s.json") == schedule
        kinds |= {type(fault) for fault in schedule.faults}
    assert {MessageDelay, Partition, Pause} <= kinds
