"""Suites that name their tests by chance: over a set, or at random. They lose tests, never a run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from autodev_lab.environments.bench import Bench
from autodev_lab.environments.cache import Json, ResultCache, key_of
from autodev_lab.environments.faulty import Faulty
from autodev_lab.execution.nursery import Nursery
from autodev_lab.execution.plain import run_plain
from autodev_lab.execution.probing import probe
from autodev_lab.execution.sandbox import Isolation, Limits
from autodev_lab.execution.sides import Side, assign_sides
from autodev_lab.execution.subjects import Subject, obtain
from autodev_lab.execution.trees import SourceTree
from autodev_lab.execution.zygote import Zygote
from autodev_lab.records import Candidate, CandidateStatus, Edit, Truth

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(probe().level is not Isolation.STRONG, reason="this machine has no isolation"),
]

STEADY = "def test_{name}():\n    assert double({value}) == {twice}\n\n\n"
AT_RANDOM = """\
@pytest.mark.parametrize("n", [1, 2], ids=[secrets.token_hex(4), "two"])
def test_random_{number}(n):
    assert double(n) == 2 * n


"""
OVER_A_SET = """\
CASES = {(n, f"case {n}", None if n % 5 == 0 else n) for n in range(40)}


@pytest.mark.parametrize("n,text,more", CASES)
def test_set(n, text, more):
    assert double(n) == 2 * n
"""


@dataclass(frozen=True)
class OneFault(Truth):
    edits: tuple[Edit, ...]
    split_seed: int
    covering: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def write(folder: Path, tests: str) -> Path:
    (folder / "doubling").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "doubling" / "__init__.py").write_text("def double(n):\n    return n * 2\n")
    (folder / "pyproject.toml").write_text('[project]\nname = "doubling"\nversion = "1"\n')
    (folder / "tests" / "test_doubling.py").write_text(
        f"import secrets\n\nimport pytest\n\nfrom doubling import double\n\n\n{tests}"
    )
    return folder


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    steady = "".join(STEADY.format(name=n, value=n, twice=2 * n) for n in range(3, 15))
    places = tmp_path_factory.mktemp("doubling")
    random = "".join(AT_RANDOM.format(number=n) for n in range(6))
    return obtain(str(write(places / "source", steady + random)), cache=places / "cache", offline=True)


@pytest.fixture(scope="module")
def truth(subject: Subject) -> OneFault:
    fault = Edit("doubling/__init__.py", 2, 2, "    return n * 3\n")
    wanted = {Side.VISIBLE: "test_random_", Side.ORACLE: "test_random_"}
    for seed in range(50):  # a split in which both kinds of side have a test with a random name
        sides = assign_sides(subject, seed)
        names = [f"tests/test_doubling.py::test_random_{n}" for n in range(6)]
        if {sides.of(name) for name in names} >= set(wanted):
            return OneFault("one", (fault,), seed)
    raise AssertionError("no split puts a random name on both sides")


def test_a_set_is_gone_through_in_one_order_in_every_process(tmp_path: Path) -> None:
    report = probe()
    if not report.fixed_addresses:
        pytest.skip("this machine does not allow programs to be laid out at fixed addresses")
    tree = SourceTree(write(tmp_path / "source", OVER_A_SET), "doubling", "", "doubling", ("tests",))
    seen = set()
    for _ in range(6):
        with Nursery() as nursery, Zygote(tree, report=report, pool=nursery) as zygote:
            seen.add(zygote.tests)
    assert len(seen) == 1
    run = run_plain(tree, tests=next(iter(seen)), report=report)
    assert run.passed and len(run.runs) == 40


def test_tests_named_at_random_are_left_out_with_all_their_cases(
    subject: Subject, truth: OneFault, tmp_path: Path
) -> None:
    with Bench(probe(), Limits()) as bench, closing(ResultCache(tmp_path / "results.sqlite")) as cache:
        faulty = Faulty(subject, truth, bench, cache)
        for side in (Side.VISIBLE, Side.ORACLE):
            healthy = faulty.healthy(side)
            assert healthy and not any("random" in name for name in healthy)
        assert set(faulty.evidence.failing) == set(faulty.healthy(Side.VISIBLE))


def test_evidence_that_names_a_test_nobody_finds_again_leaves_the_word_to_plain_runs(
    subject: Subject, truth: OneFault, tmp_path: Path
) -> None:
    """What another worker kept may name tests by the order of its own sets; see docs/sandbox.md."""
    with (
        Bench(probe(), Limits()) as bench,
        closing(ResultCache(tmp_path / "first.sqlite")) as first,
        closing(ResultCache(tmp_path / "second.sqlite")) as other,
    ):
        known = Faulty(subject, truth, bench, first)
        tests = list(known.evidence.tests)
        gone = tests[0].partition("::")[0] + "::test_set[expected7]"
        kept: dict[str, list[object]] = {
            "tests": [*tests, gone],
            "lost": [],
            "failing": [*known.evidence.failing, gone],
            "messages": [*known.evidence.messages, ""],
            "spectrum": [],
        }
        other.remember(key_of("evidence", known.base), lambda: cast("Json", kept | {"units": {}}))
        faulty = Faulty(subject, truth, bench, other)
        candidate = Candidate((Edit("doubling/__init__.py", 2, 2, "    return n * 2\n"),), "by hand")
        (claim,) = faulty.verdicts([candidate])
        assert claim.status is CandidateStatus.PLAUSIBLE
        assert faulty.confirmed(candidate).status is CandidateStatus.FAILED
