"""Gates by name, and parts of the user's own."""

import sys

import pytest

from autodev_lab.decisions import make_gate
from autodev_lab.decisions.catalogue import CALIBRATORS, POLICIES, RISKS
from autodev_lab.errors import LabError
from autodev_lab.platform import TeamSpec

OWN = """
class Bold:
    name = "bold"
    def decide(self, assessment, rng): ...

class Demanding:
    def __init__(self, wish): ...

class Empty: ...

class Broken:
    def __init__(self): raise RuntimeError("no licence")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "parts_of_mine.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield "parts_of_mine"
    sys.modules.pop("parts_of_mine", None)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_has_its_name_and_its_companions(policy):
    gate = make_gate(policy)
    assert gate.policy.name == policy
    usual = (
        ("LearnedRisk", "PlattCalibrator")
        if policy in ("learned", "certified")
        else ("FiveFactorRisk", "BinnedBetaCalibrator")
    )
    assert (type(gate.risk).__name__, type(gate.calibrator).__name__) == usual


def test_parts_can_be_mixed():
    for risk in RISKS:
        for calibrator in CALIBRATORS:
            gate = make_gate("published", risk, calibrator)
            assert gate.policy.name == "published"
    assert type(make_gate("published", "learned").risk).__name__ == "LearnedRisk"


def test_two_gates_share_nothing():
    assert make_gate("learned").risk is not make_gate("learned").risk


def test_a_part_of_ones_own_is_named_by_module_and_class(own):
    assert make_gate(f"{own}:Bold").policy.name == "bold"
    assert TeamSpec(policy=f"{own}:Bold").gate().policy.name == "bold"


@pytest.mark.parametrize(
    ("part", "name", "says"),
    [
        ("policy", "bold", "policy is 'bold'; choose one of published, learned"),
        ("risk", "none", "risk is 'none'; choose one of published, learned"),
        ("calibrator", "spline", "calibrator is 'spline'; choose one of binned, platt, isotonic, beta"),
        ("policy", "parts_of_mine:Shy", "cannot be imported"),
        ("policy", "no_such_module:Bold", "cannot be imported"),
        ("policy", ":", "cannot be imported"),
        ("policy", "parts_of_mine:", "cannot be imported"),
        ("policy", "parts_of_mine:Demanding", "cannot be made without arguments"),
        ("risk", "parts_of_mine:Broken", "no licence"),
        ("risk", "parts_of_mine:Empty", "has no assess and no learn"),
        ("calibrator", "parts_of_mine:Bold", "has no confidence and no learn"),
    ],
)
def test_a_wrong_name_is_one_sentence(own, part, name, says):
    with pytest.raises(LabError) as caught:
        TeamSpec(**{part: name})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_gate_reads_people_as_the_spec_says():
    gate = TeamSpec(policy="learned", human_accuracy=0.7).gate()
    assert gate.risk._quality.person_accuracy == gate.calibrator._quality.person_accuracy == 0.7
