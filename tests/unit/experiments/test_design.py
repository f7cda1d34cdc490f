"""The design: overrides, plans, cells and hashes; what is refused, and with which sentence."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodev_lab.analysis.claims import StudyClaim, read_claims
from autodev_lab.analysis.seals import configuration_hash
from autodev_lab.decisions import CertifiedPolicy, Promise
from autodev_lab.errors import LabError
from autodev_lab.experiments.conduct import plan_of
from autodev_lab.experiments.design import (
    Experiment,
    Parameters,
    Plan,
    load_experiment,
    make_plan,
)
from autodev_lab.experiments.resolving import available_experiments, parse_overrides, read_experiment
from autodev_lab.experiments.studies.design import StudyPlan
from autodev_lab.platform import TeamSpec
from autodev_lab.resources import resource

LEARNING = load_experiment("learning")
KEYS = sorted(Parameters.model_fields)


@given(st.dictionaries(st.sampled_from(KEYS), st.text().map(str.strip)))
def test_overrides_survive_the_command_line(values: dict[str, str]) -> None:
    assert parse_overrides(f"{key}={value}" for key, value in values.items()) == values


@given(st.text())
def test_any_text_is_parsed_or_refused_in_one_sentence(text: str) -> None:
    try:
        parsed = parse_overrides([text])
    except LabError as error:
        assert str(error)
    else:
        assert len(parsed) <= 1
        with suppress(LabError):  # not a parameter, or no value of it
            make_plan(LEARNING, profile="quick", overrides=parsed)


@given(st.sampled_from(KEYS), st.text(max_size=20))
def test_any_value_is_taken_or_refused(key: str, value: str) -> None:
    try:
        plan = make_plan(LEARNING, profile="quick", overrides={key: value})
    except LabError as error:
        assert str(error)
    else:
        assert Plan.from_json(plan.as_json()) == plan


@given(
    budget=st.integers(1, 500),
    replicates=st.integers(1, 20),
    twins=st.booleans(),
    arms=st.lists(st.sampled_from(sorted(LEARNING.arms)), unique=True),
    seed=st.integers(0, 2**63 - 1),
)
def test_cells_are_complete_and_unique(budget: int, replicates: int, twins: bool, arms: list[str], seed: int) -> None:
    overrides: dict[str, object] = {"budget": budget, "replicates": replicates, "twins": twins, "arms": tuple(arms)}
    overrides["lesson_packages"] = ("boltons",)
    plan = make_plan(LEARNING, profile="quick", seed=seed, overrides=overrides)
    cells = plan.cells()
    assert len({cell.name for cell in cells}) == len(cells)
    assert len(cells) == len(arms or LEARNING.arms) * replicates * (2 if twins else 1)
    assert sorted(plan.schedule(), key=cells.index) == list(cells)
    assert len({plan.agent_seed(cell) for cell in cells}) == len(cells)
    for cell in cells:
        assert plan.team(cell.arm).budget == budget


@given(st.permutations(["team_shared", "single", "uniform"]), st.permutations(["funcy", "toolz"]))
def test_the_order_of_names_does_not_matter(arms: list[str], packages: list[str]) -> None:
    plan = make_plan(LEARNING, profile="quick", overrides={"arms": tuple(arms), "packages": tuple(packages)})
    same = make_plan(
        LEARNING, profile="quick", overrides={"arms": "single,team_shared,uniform", "packages": "funcy,toolz"}
    )
    assert plan == same
    assert plan.configuration_hash == same.configuration_hash


def test_text_and_typed_values_give_one_configuration() -> None:
    typed = make_plan(
        LEARNING, profile="quick", overrides={"packages": ["funcy", "schema"], "budget": 7, "twins": False}
    )
    text = make_plan(LEARNING, profile="quick", overrides={"packages": "schema, funcy", "budget": "7", "twins": "no"})
    assert typed == text


def test_everything_that_matters_changes_the_hash() -> None:
    base = make_plan(LEARNING, profile="quick")
    changed: list[dict[str, object]] = [
        {"budget": 11},
        {"developers": 5},
        {"twins": False},
        {"replicates": 2},
        {"tasks_per_package": 21},
        {"packages": "funcy"},
        {"arms": "single"},
        {"human_accuracy": 0.8},
        {"human_latency_seconds": 60.0},
        {"human_minutes": 5.0},
        {"production_power": 0.9},
        {"policy": "learned"},
        {"risk": "learned"},
        {"calibrator": "platt"},
    ]
    hashes = {make_plan(LEARNING, profile="quick", overrides=one).configuration_hash for one in changed}
    hashes |= {base.configuration_hash, make_plan(LEARNING, profile="quick", seed=1).configuration_hash}
    assert len(hashes) == len(changed) + 2
    renamed = LEARNING.model_copy(update={"description": "other words"})
    assert make_plan(renamed, profile="quick").configuration_hash == base.configuration_hash


def test_a_profile_spelt_out_is_the_same_configuration() -> None:
    full = make_plan(LEARNING, profile="full")
    spelt = make_plan(LEARNING, profile="quick", overrides={"arms": (), **LEARNING.profiles["full"]})
    assert full.configuration_hash == spelt.configuration_hash


def test_registered_hashes_are_those_of_the_experiments() -> None:
    for claim in read_claims(resource("experiments/claims.yaml")):
        assert not claim.broken_seal, f"{claim.id}: {claim.broken_seal}"
        for profile, registered in claim.registered.items():
            plan = plan_of(claim.experiment, profile=profile)
            assert plan.configuration_hash == registered, (
                f"{claim.id}: register {plan.configuration_hash} for {profile}"
            )
            assert isinstance(plan, StudyPlan if isinstance(claim, StudyClaim) else Plan)
            assert set(claim.arms) <= set(plan.arms)
            assert claim.endpoint in plan.experiment.endpoints
            if isinstance(plan, Plan):
                assert plan.parameters.environment == claim.environment
                assert plan.parameters.twins


def test_every_profile_of_every_experiment_makes_a_plan() -> None:
    assert "learning" in available_experiments()
    for name in available_experiments():
        for profile in read_experiment(name)["profiles"]:  # type: ignore[attr-defined]
            plan = plan_of(name, profile=profile)
            assert plan.as_json()["configuration_hash"] == plan.configuration_hash
            assert not plan.notebook or resource(plan.notebook).is_file()


@pytest.mark.parametrize(
    ("profile", "overrides", "says"),
    [
        ("huge", {}, "choose one of smoke, quick, full"),
        ("quick", {"budget": "0"}, "budget is '0'"),
        ("quick", {"budget": "many"}, "budget is 'many'"),
        ("quick", {"budget": "2.5"}, "budget is '2.5'"),
        ("quick", {"developers": -1}, "developers is -1"),
        ("quick", {"arms": "solo"}, "no arm 'solo'; choose among single"),
        ("quick", {"colour": "red"}, "'colour' is not a parameter; choose among answer_within_seconds, arms"),
        ("quick", {"packages": "toolz,toolz"}, "named twice"),
        ("quick", {"environment": "mars"}, "'repository' or 'simulated'"),
        ("quick", {"policy": "none"}, "choose one of published"),
        ("quick", {"risk": "none"}, "risk is 'none'; choose one of published, learned"),
        ("quick", {"calibrator": "x:y"}, "calibrator is 'x:y', which cannot be imported"),
        ("quick", {"human_latency_seconds": "-1"}, "human_latency_seconds is '-1'"),
        ("quick", {"human_minutes": "inf"}, "human_minutes"),
        ("quick", {"production_power": "2"}, "production_power is '2'"),
        ("quick", {"human_accuracy": "nan"}, "human_accuracy"),
        ("quick", {"arrival_seconds": "inf"}, "arrival_seconds"),
        ("quick", {"promise": "1"}, "promise is '1'"),
        ("quick", {"policy": "certified", "confidence": "nan"}, "confidence"),
        ("quick", {"promise": "0.97"}, "promise is 0.97, and no arm that runs has the policy certified"),
        ("quick", {"pool_per_package": "3"}, "less than tasks_per_package 5"),
        ("quick", {"twins": "maybe"}, "twins is 'maybe'"),
    ],
)
def test_mistakes_name_what_is_allowed(profile: str, overrides: dict[str, object], says: str) -> None:
    with pytest.raises(LabError) as caught:
        make_plan(LEARNING, profile=profile, overrides=overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_promise_is_what_its_gate_promises_and_the_usual_one_leaves_the_hash_as_it_was() -> None:
    asked = {"policy": "certified", "promise": "0.97", "confidence": "0.9"}
    plan = make_plan(LEARNING, profile="quick", overrides=asked)
    policy = plan.team(plan.arms[0]).gate().policy
    assert isinstance(policy, CertifiedPolicy)
    assert policy.promise == Promise(0.97, 0.9)
    assert Plan.from_json(plan.as_json()) == plan
    usual = make_plan(LEARNING, profile="quick", overrides={"promise": 0.95, "confidence": 0.95})
    assert usual.configuration_hash == make_plan(LEARNING, profile="quick").configuration_hash
    assert (
        plan.configuration_hash
        != make_plan(LEARNING, profile="quick", overrides={"policy": "certified"}).configuration_hash
    )
    with pytest.raises(LabError, match="promised success is 0"):
        TeamSpec(policy="certified", promise=0.0)


@pytest.mark.parametrize("pair", ["budget", "=3", "", "budget 3"])
def test_an_override_needs_key_and_value(pair: str) -> None:
    with pytest.raises(LabError, match="key=value"):
        parse_overrides([pair])


def test_unknown_experiments_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="choose one of coordination, learning"):
        load_experiment("learnign")
    with pytest.raises(LabError, match="does not exist"):
        load_experiment(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1,", encoding="utf-8")
    with pytest.raises(LabError, match="not readable YAML"):
        load_experiment(broken)
    broken.write_text("name: x\n", encoding="utf-8")
    with pytest.raises(LabError, match="not an experiment"):
        load_experiment(broken)


def test_seeds_are_bounded() -> None:
    with pytest.raises(LabError, match="seed is -1"):
        make_plan(LEARNING, profile="quick", seed=-1)


def test_streams_do_not_depend_on_arms() -> None:
    plan = make_plan(LEARNING, profile="quick", overrides={"replicates": 3})
    fewer = make_plan(LEARNING, profile="quick", overrides={"replicates": 3, "arms": "single", "budget": 3})
    assert [plan.stream_seed(r) for r in range(3)] == [fewer.stream_seed(r) for r in range(3)]
    assert len({plan.stream_seed(r) for r in range(3)}) == 3


def test_team_size_is_the_parameter_only_where_the_arm_says_so() -> None:
    plan = make_plan(LEARNING, profile="quick", overrides={"developers": 7})
    assert plan.team("single").developers == 1
    assert plan.team("team_shared").developers == 7
    assert isinstance(plan.experiment, Experiment)


def test_a_gate_is_the_parameters_unless_the_arm_names_one() -> None:
    arms = {
        "usual": {"description": "the parameters' gate"},
        "own": {"description": "a gate of its own", "policy": "learned"},
        "mixed": {"description": "another calibrator", "calibrator": "platt"},
        "bare": {"description": "no gate", "policy": "deploy_reviewed", "risk": "learned"},
    }
    experiment = Experiment.model_validate(LEARNING.model_dump() | {"arms": arms, "contrasts": ()})
    plan = make_plan(
        experiment,
        profile="quick",
        overrides={"arms": "", "policy": "random", "risk": "published", "calibrator": "binned", "human_minutes": 3.0},
    )
    gates = {arm: (team.policy, team.risk, team.calibrator) for arm in arms if (team := plan.team(arm))}
    assert gates == {
        "usual": ("random", "published", "binned"),
        "own": ("learned", "", ""),
        "mixed": ("random", "published", "platt"),
        "bare": ("deploy_reviewed", "learned", ""),
    }
    assert {plan.team(arm).human_minutes for arm in arms} == {3.0}
    assert plan.configuration_hash != make_plan(experiment, profile="quick", overrides={"arms": ""}).configuration_hash
    assert Plan.from_json(plan.as_json()) == plan


def test_an_arm_with_an_unknown_gate_is_refused_before_anything_runs() -> None:
    arms = {"lost": {"description": "?", "policy": "somewhere:Else"}}
    experiment = Experiment.model_validate(LEARNING.model_dump() | {"arms": arms, "contrasts": ()})
    with pytest.raises(LabError, match="'somewhere:Else', which cannot be imported"):
        make_plan(experiment, profile="quick", overrides={"arms": ""})


def test_an_option_that_came_later_leaves_arms_that_do_without_it_as_they_were() -> None:
    plan = make_plan(LEARNING, profile="quick")
    written = plan.as_json()["experiment"]
    assert isinstance(written, dict)
    assert all("recall" not in arm for arm in written["arms"].values())
    arms = {**LEARNING.arms, "single": LEARNING.arms["single"].model_copy(update={"recall": "used"})}
    using = make_plan(LEARNING.model_copy(update={"arms": arms}), profile="quick")
    assert using.configuration_hash != plan.configuration_hash
    assert using.team("single").recall == "used"
    for one in (plan, using):
        assert Plan.from_json(one.as_json()) == one
        assert configuration_hash(one.as_json()) == one.configuration_hash
