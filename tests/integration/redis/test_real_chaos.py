"""Faults on real processes: a durable ledger keeps every promise, one that forgets is found, and a log that lies."""

from __future__ import annotations

import json
from dataclasses import replace

from typer.testing import CliRunner

from autodev_lab.chaos import real_campaign
from autodev_lab.chaos.journal import Entry
from autodev_lab.chaos.real_campaign import run_real_campaign
from autodev_lab.chaos.redis_history import check_journals
from autodev_lab.chaos.rules import Rule
from autodev_lab.cli.main import app
from autodev_lab.records import Plan, Stage, StageResult, Task, TaskKind, TaskState


def test_a_durable_ledger_keeps_every_promise_while_processes_die(redis_binary, tmp_path):
    arguments = ["chaos", "--redis", "own", "--cycles", "6", "--seed", "7", "--out", str(tmp_path), "--json"]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert (found["cycles"], found["schedules"], found["violations"], found["counterexample"]) == (6, None, 0, None)
    assert (found["lost"], found["effects_twice"]) == (0, 0)
    assert found["done"] == found["tasks"] >= 12
    assert found["kills"] + found["stops"] + found["cuts"] >= 6
    assert found["restarts"] >= 1


def test_a_redis_that_forgets_when_it_is_killed_is_found(redis_binary, tmp_path, monkeypatch):
    # an agent that starts anew finds keys without a schema, and rightly refuses to work: nothing will end
    monkeypatch.setattr(real_campaign, "_CALM_SECONDS", 1.0)
    campaign = run_real_campaign(3, seed=3, persistence=("--appendonly", "no"), out=tmp_path)
    assert campaign.strikes["restarts"] >= 1
    assert campaign.lost >= 1
    assert campaign.broke
    assert json.loads(campaign.counterexample.read_text())["violations"]


NOTES = [
    {"command": "submit", "task": "t", "agent": "s", "at": "1", "after": "[]"},
    {"command": "claim", "task": "t", "agent": "a", "fence": "1", "stage": "fetched", "at": "2", "expires": "9"},
    {"command": "complete", "task": "t", "agent": "a", "fence": "1", "stage": "planned", "at": "3"},
]
TASK = Task("t", "p", TaskKind.SYNTHETIC, "t")
STATES = {
    "t": TaskState(TASK, Stage.PLANNED, fence=1, history=(StageResult(Stage.PLANNED, "a", 3.0, Plan("t", (), 0.0, 1)),))
}
JOURNALS = [
    Entry("s", "submit", "t", 0, "fetched", "sent"),
    Entry("s", "submit", "t", 0, "fetched", "done"),
    Entry("a", "complete", "t", 1, "planned", "sent"),
    Entry("a", "complete", "t", 1, "planned", "done"),
]


def broken(journals=JOURNALS, notes=NOTES, states=STATES):
    return [violation.rule for violation in check_journals(journals, notes, states)]


def test_journals_are_held_against_the_log():
    assert broken() == []
    assert broken(journals=JOURNALS[:3]) == []  # killed before it heard
    assert broken(notes=NOTES[:2]) == [Rule.NO_LOST_TASK]  # confirmed, and forgotten
    assert broken(notes=[*NOTES, NOTES[2]]) == [Rule.EFFECT_ONCE]
    assert broken(journals=JOURNALS[:2]) == [Rule.EFFECT_ONCE]  # done, and nobody asked
    assert broken(journals=[*JOURNALS, replace(JOURNALS[3], agent_id="b")]) == [Rule.EFFECT_ONCE]
    assert broken(states={}) == [Rule.NO_LOST_TASK]


def test_as_many_answers_may_be_carried_out_as_were_sent():
    """A task that is escalated again is answered again; a no may lead to two stages, which its sender cannot know."""

    def answered(stage):
        return {"command": "answer", "task": "t", "agent": "human", "stage": stage, "at": "4"}

    def told(stage, heard):
        return Entry("h", "answer", "t", 0, stage, heard)

    yes = [told("cleared", "sent"), told("cleared", "done")]
    no = [told("declined", "sent"), told("declined", "done")]
    notes = [*NOTES, answered("cleared"), answered("cleared"), answered("withdrawn")]
    assert broken(journals=[*JOURNALS, *yes, *yes, *no], notes=notes) == []
    assert broken(journals=[*JOURNALS, *yes, yes[0], *no], notes=notes) == []  # killed before it heard
    assert broken(journals=[*JOURNALS, *yes, *no], notes=notes) == [Rule.EFFECT_ONCE]  # one of two was not asked for
    assert broken(journals=[*JOURNALS, *yes, *yes, yes[1], *no], notes=notes) == [Rule.EFFECT_ONCE]
    assert broken(journals=[*JOURNALS, *yes, *yes, *no], notes=notes[:-1]) == [Rule.NO_LOST_TASK]
