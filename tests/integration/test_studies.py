"""Studies: one engine carries them out as it does experiments with a team, and mistakes are one sentence."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from autodev_lab.analysis.dossier import open_dossier
from autodev_lab.analysis.findings import findings
from autodev_lab.analysis.registration import Claim, parse_claim
from autodev_lab.analysis.report import make_report
from autodev_lab.analysis.seals import configuration_hash
from autodev_lab.analysis.study_endpoints import STUDY_ENDPOINTS
from autodev_lab.analysis.study_results import compare_arms, study_metrics
from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.experiments import RunResult, load_run, run_experiment
from autodev_lab.experiments.seals import all_alterations
from autodev_lab.experiments.studies.design import make_study_plan, parse_study
from autodev_lab.resources import resource

PACKAGES = "click,jinja2"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment `memory` on the memory that needs no weights."""
    data = yaml.safe_load(resource("experiments/memory.yaml").read_text("utf-8"))
    data["arms"] = {
        mode: {"description": mode, "options": {"backend": "twin", "mode": mode}}
        for mode in ("keyword", "vector", "graph", "hybrid", "hybrid_graph")
    } | {"r2r_hybrid": data["arms"]["r2r_hybrid"]}
    data["contrasts"] = [pair for pair in data["contrasts"] if set(pair) <= set(data["arms"])]
    data["profiles"] = {"smoke": {"packages": PACKAGES.split(","), "queries_per_package": 12}}
    path = tmp_path_factory.mktemp("experiments") / "twin.yaml"
    path.write_text(yaml.safe_dump({**data, "name": "twin", "notebook": ""}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTODEV_R2R_URL", raising=False)
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))


def run(experiment: Path, out: Path, **overrides: object) -> RunResult:
    return run_experiment(experiment, profile="smoke", overrides=overrides, out=out, progress="quiet")


@pytest.fixture(scope="module")
def reference(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AUTODEV_CACHE", str(tmp_path_factory.mktemp("cache")))
        patched.delenv("AUTODEV_R2R_URL", raising=False)
        return run(experiment, tmp_path_factory.mktemp("runs") / "reference")


def digest(path: Path) -> str:
    return hashlib.sha256((path / "outcomes.parquet").read_bytes()).hexdigest()


def test_what_is_reported_is_what_the_rows_say(reference: RunResult) -> None:
    rows = reference.load().outcomes
    assert len(rows) == 5 * 2 * 12
    assert set(rows["found"]) <= {0.0, 1.0} and rows["reciprocal_rank"].between(0, 1).all()
    assert ((rows["reciprocal_rank"] > 0) == (rows["found"] == 1)).all()
    arms = reference.summary["arms"]
    assert isinstance(arms, dict)
    for arm, group in rows.groupby("arm"):
        told = arms[arm]
        assert told["mrr10"] == pytest.approx(group["reciprocal_rank"].mean())
        assert told["hard_recall10"] == pytest.approx(group["hard_found"].mean())
        assert 0 <= told["mrr10_low"] <= told["mrr10"] <= told["mrr10_high"] <= 1
        assert told["p50_ms"] <= told["p95_ms"] and told["build_s"] > 0
    assert arms["keyword"]["mrr10"] > arms["keyword"]["hard_mrr10"], "a name that is not there helps nobody"
    assert "hybrid against keyword in mrr10" in reference.words
    assert "Left out: r2r_hybrid; no R2R is configured" in reference.words
    assert {"treatment": "hybrid", "baseline": "keyword"}.items() <= reference.summary["speeds"][0].items()  # type: ignore[index]


def test_packages_that_the_embedder_cannot_have_seen_are_reported_apart(experiment: Path, tmp_path: Path) -> None:
    done = run(
        experiment, tmp_path / "run", unseen="jinja2,not_here", arms="keyword,hybrid", packages="click,jinja2,flask"
    )
    rows, groups = done.load().outcomes, done.summary["groups"]
    assert set(rows.loc[rows["group"] == "unseen", "package"]) == {"jinja2"}
    assert isinstance(groups, dict) and groups["others"]["packages"] == ["click", "flask"]
    told = groups["unseen"]["arms"]["hybrid"]["mrr10"]
    here = rows[(rows["package"] == "jinja2") & (rows["arm"] == "hybrid")]
    assert told == pytest.approx(here["reciprocal_rank"].mean())
    gain = done.summary["group_gains"][0]  # type: ignore[index]
    others, unseen = (gain["groups"][name]["estimate"] for name in ("others", "unseen"))
    assert gain["difference"]["estimate"] == pytest.approx(others - unseen)
    assert "Group unseen: jinja2" in done.words
    assert (done.path / "figures" / "arms_unseen.png").is_file()


def registered(made: RunResult, **changes: object) -> Claim:
    entry: dict[str, object] = {
        "kind": "study",
        "id": "twice",
        "statement": "s",
        "experiment": "twin",
        "treatment": "hybrid",
        "baseline": "keyword",
        "endpoint": "mrr10",
        "threshold": 0.25,
        "registered": {"smoke": made.summary["configuration_hash"]},
        **changes,
    }
    return parse_claim({**entry, "digest": parse_claim(entry).content_digest})


def test_a_claim_about_a_study_is_judged_and_reported_with_all_that_the_run_showed(
    reference: RunResult, tmp_path: Path
) -> None:
    claims = (registered(reference, threshold=-5.0),)
    dossier = open_dossier(reference.path, claims, check=all_alterations)
    assert dossier.altered == () and dossier.missing == 0
    (found,) = dossier.judged
    assert found.confirmatory and found.noise_floor == 0.0
    assert found.ruling.value == "undecided" and "2 packages are too few" in found.effect.why
    assert configuration_hash(dossier.run.spec) == reference.summary["configuration_hash"]
    made = make_report(claims, [dossier])
    words = made.markdown()
    for told in (
        "| environment | none: a study |",
        "| noise floor | none: nothing in a study depends on an agent's seed",
        "More packages would",
        "| hybrid | keyword | mrr10 |",
        "| p50_ms |",
        "paired items in 2 packages",
    ):
        assert told in words, told
    assert f"twice-{reference.path.name}" in made.figures and f"arms-{reference.path.name}" in made.figures
    assert "study of retrieval" in findings(made.as_json())
    json.dumps(made.as_json(), allow_nan=False)


def test_a_study_that_was_altered_confirms_nothing(reference: RunResult, tmp_path: Path) -> None:
    path = Path(shutil.copytree(reference.path, tmp_path / "spoilt"))
    shutil.copyfile(path / "cells" / "keyword.parquet", path / "cells" / "hybrid.parquet")
    dossier = open_dossier(path, (registered(reference),), check=all_alterations)
    assert "cells/hybrid.parquet is not what its seal says" in dossier.altered
    assert not dossier.judged[0].confirmatory


def test_claims_of_the_wrong_kind_are_one_sentence(reference: RunResult) -> None:
    team = {"kind": "relative", "environment": "simulated", "endpoint": "solved_at_K"}
    with pytest.raises(LabError, match="claim twice is of kind relative, and twin is a study"):
        open_dossier(reference.path, (registered(reference, **team),))
    with pytest.raises(ValueError, match="'solved_at_K' is none of a study"):
        registered(reference, endpoint="solved_at_K")


def test_the_report_of_the_newest_runs_has_studies(
    reference: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(reference.path, tmp_path / "runs" / "a_study")
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    done = CliRunner().invoke(app, ["report", "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["runs"]
    assert told["study"] == "retrieval" and told["arms"]["hybrid"]["mrr10"]["n"] == 24
    assert "figures/arms-a_study.png" in (tmp_path / "out" / "claims.md").read_text("utf-8")


@pytest.mark.usefixtures("undrawn")
def test_same_seed_same_bytes_and_another_seed_other_functions(
    reference: RunResult, experiment: Path, tmp_path: Path
) -> None:
    assert digest(run(experiment, tmp_path / "again").path) == digest(reference.path)
    other = run_experiment(experiment, profile="smoke", seed=1, out=tmp_path / "other", progress="quiet")
    assert set(other.load().outcomes["item"]) != set(reference.load().outcomes["item"])


@pytest.mark.usefixtures("undrawn")
def test_lost_cells_are_measured_again_and_no_others(experiment: Path, tmp_path: Path) -> None:
    made = run(experiment, tmp_path / "run", arms="keyword,graph")
    before = digest(made.path)
    kept = (made.path / "cells" / "graph.json").stat().st_mtime_ns
    (made.path / "cells" / "keyword.parquet").unlink()
    again = run_experiment(resume=made.path, progress="quiet")
    assert digest(again.path) == before
    assert (made.path / "cells" / "graph.json").stat().st_mtime_ns == kept
    assert load_run(made.path).arms == ("keyword", "graph")


def test_the_parts_of_a_run(reference: RunResult) -> None:
    provenance = json.loads((reference.path / "provenance.json").read_text("utf-8"))
    assert provenance["configuration_hash"] == reference.summary["configuration_hash"]
    assert set(provenance["packages"]) == set(PACKAGES.split(","))
    assert (reference.path / "figures" / "arms.png").read_bytes().startswith(b"\x89PNG")
    columns = set(reference.load().outcomes.columns)
    assert not columns & {"seconds", "p50_ms"}, "no time of the clock is among the outcomes"


def test_metrics_and_contrasts_by_hand() -> None:
    endpoints = STUDY_ENDPOINTS["retrieval"]
    rows = pd.DataFrame(
        {
            "arm": ["a"] * 14 + ["b"] * 14,
            "package": [f"p{place // 2}" for place in range(14)] * 2,
            "item": [f"i{place}" for place in range(14)] * 2,
            "reciprocal_rank": [1.0, 0.5] * 7 + [0.5, 0.25] * 7,
            "found": 1.0,
            "hard_reciprocal_rank": None,
            "hard_found": None,
        }
    )
    metrics = study_metrics(endpoints.values(), rows, ["a", "b"])
    assert (metrics["a"]["mrr10"].value, metrics["b"]["mrr10"].value) == (0.75, 0.375)
    assert metrics["a"]["hard_mrr10"].n == 0
    effect = compare_arms(rows, "a", "b", endpoints["mrr10"]).effect
    assert (effect.estimate, effect.n, effect.clusters) == (pytest.approx(1.0), 14, 7)
    assert effect.low > 0


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"packages": "no_such_package_here"}, "there is no package 'no_such_package_here'"),
        ({"packages": ""}, "name packages to look for functions in"),
        ({"queries_per_package": "-1"}, "queries_per_package is '-1'"),
        ({"budget": "3"}, "'budget' is not a parameter; choose among arms"),
        ({"arms": "hybird"}, "has no arm 'hybird'; choose among keyword, vector"),
        ({"packages": "click,click"}, "named twice"),
        ({"arms": "r2r_hybrid"}, "arm r2r_hybrid cannot run: no R2R is configured; set AUTODEV_R2R_URL"),
    ],
)
def test_mistakes_are_one_sentence(experiment: Path, tmp_path: Path, overrides: dict[str, object], says: str) -> None:
    with pytest.raises(LabError) as caught:
        run(experiment, tmp_path / "run", **overrides)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.glob("run/*")), "nothing is half written"


def arm(**options: object) -> dict[str, object]:
    return {"arms": {"a": {"description": "", "options": options}}, "contrasts": []}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"study": "retreival"}, "study is 'retreival'; choose one of retrieval"),
        (arm(backend="twin", mode="fuzzy"), "has mode 'fuzzy'"),
        (arm(mode="graph"), "has backend None"),
        (arm(backend="twin", mode="graph", depth=3), "has an option 'depth'"),
        ({"arms": {}}, "arms"),
        ({"contrasts": [["hybrid", "none"]]}, "a contrast names arm 'none'"),
    ],
)
def test_a_wrong_file_is_one_sentence(experiment: Path, change: dict[str, object], says: str) -> None:
    data = {**yaml.safe_load(experiment.read_text("utf-8")), **change}
    with pytest.raises(LabError) as caught:
        make_study_plan(parse_study("mine.yaml", data), profile="smoke")
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_commands_about_teams_refuse_a_study(reference: RunResult, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["show", str(reference.path), "t1"])
    assert done.exit_code == 2 and "is a study" in done.output, done.output
