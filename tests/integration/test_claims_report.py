"""The claims report over real (simulated) runs: what it says, what makes it doubt a run, and what it refuses."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from autodev_lab.analysis.dossier import open_dossier
from autodev_lab.analysis.findings import findings
from autodev_lab.analysis.frames import read_outcomes
from autodev_lab.analysis.registration import Claim, parse_claim
from autodev_lab.analysis.report import make_report
from autodev_lab.analysis.seals import alterations, configuration_hash
from autodev_lab.cli.main import app
from autodev_lab.errors import LabError
from autodev_lab.experiments import run_experiment
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.rows import parquet_bytes
from autodev_lab.experiments.seals import all_alterations

PACKAGES = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    overrides: dict[str, object] = {
        "environment": "simulated",
        "packages": PACKAGES,
        "tasks_per_package": 15,
        "arms": ("team_isolated", "team_shared", "placebo"),
    }
    out = tmp_path_factory.mktemp("runs") / "reference"
    # with this seed the difference is clear of the noise floor
    return run_experiment("learning", overrides=overrides, seed=3, out=out, workers=1, progress="quiet").path


@pytest.fixture
def run(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run, to be spoilt, in the folder of runs."""
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("AUTODEV_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(reference, tmp_path / "runs" / "a_run"))


def claim(run: Path, **changes: object) -> Claim:
    """A claim about the run's arms that is registered for its configuration."""
    entry: dict[str, object] = {
        "id": "more",
        "statement": "Sharing *helps*.",
        "experiment": "learning",
        "environment": "simulated",
        "treatment": "team_shared",
        "baseline": "placebo",
        "endpoint": "correct_at_K",
        "threshold": -0.9,
        "registered": {"quick": RunDirectory(run).read_plan().configuration_hash},
        **changes,
    }
    if entry.get("kind") == "share":
        del entry["baseline"]
    return parse_claim({**entry, "digest": parse_claim(entry).content_digest})


def report(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["report", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_registered_claim_is_confirmed_with_all_that_a_reader_asks_for(run: Path) -> None:
    claims = (claim(run), claim(run, id="other", experiment="scaling"))
    made = make_report(claims, [open_dossier(run, claims)])
    (found,) = made.findings
    assert (found.judged.ruling.value, found.status) == ("supported", "confirmatory")
    data = found.as_json()
    words = made.markdown()
    assert isinstance(data["estimate"], float)
    for shown in (
        "Sharing \\*helps\\*.",
        f"{100 * data['estimate']:+.1f} %",
        "-90.0 %",
        "| environment | simulated |",
        "120 paired tasks in 8 packages",
        "| verdict | supported |",
        "| status | confirmatory |",
        "| noise floor |",
        "Holm p",
        found.change,
        "a\\_run",
        "Not judged yet: none of the runs is about it.",
        "| ant | 15 |",
        "| all | 120 |",
    ):
        assert shown in words
    assert f"{100 * (found.judged.effect.low + 0.9):.1f} points" in found.change


def test_html_holds_its_figures_and_escapes_what_claims_say(run: Path) -> None:
    claims = (claim(run, statement="<script>alert(1)</script> | at last"),)
    page = make_report(claims, [open_dossier(run, claims)]).html()
    assert "<script" not in page and "&lt;script" in page
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(images) == 3, "the claim's, the arms and the learning curve"
    assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in images)
    assert not re.search(r'(src|href)="(?!data:)', page), "nothing is loaded from elsewhere"
    assert page.count("<table>") == 6


def test_a_run_shows_its_arms_and_contrasts(run: Path) -> None:
    claims = (claim(run),)
    made = make_report(claims, [open_dossier(run, claims)])
    (shown,) = made.as_json()["runs"]  # type: ignore[misc]
    outcomes = read_outcomes(run / "outcomes.parquet")
    firsts = outcomes[~outcomes["twin"] & (outcomes["depth"] == 0)]
    for arm, share in firsts.groupby("arm")["correct"].mean().items():
        assert shown["arms"][arm]["correct_at_K"]["value"] == pytest.approx(share)
    assert set(shown["arms"]) == {"team_isolated", "team_shared", "placebo"}
    (contrast,) = shown["contrasts"]
    right = firsts.groupby("arm")["correct"].sum()
    assert (contrast["treatment"], contrast["baseline"]) == ("team_shared", "placebo")
    assert contrast["estimate"] == pytest.approx(right["team_shared"] / right["placebo"] - 1)
    assert f"| team\\_shared | placebo | correct\\_at\\_K | {100 * contrast['estimate']:+.1f} % |" in made.markdown()


def test_every_kind_of_claim_has_its_figure(run: Path) -> None:
    kinds = (
        claim(run),
        claim(run, id="place", kind="relative_at", at=24, window=20),
        claim(run, id="share", kind="share", threshold=0.5),
    )
    deployed = RunDirectory(run)
    table = pq.read_table(deployed.outcomes)
    names = table.column_names
    auto = table.set_column(names.index("decision"), table.schema.field("decision"), [["AUTO_DEPLOY"] * len(table)])
    yes = auto.set_column(names.index("deployed"), table.schema.field("deployed"), [[True] * len(table)])
    deployed.outcomes.write_bytes(parquet_bytes(yes.replace_schema_metadata(table.schema.metadata)))
    made = make_report(kinds, [open_dossier(run, kinds)])
    assert list(made.figures) == [
        "more-a_run",
        "place-a_run",
        "share-a_run",
        "share-risk_coverage_team_shared-a_run",
        "share-reliability_team_shared-a_run",
        "arms-a_run",
        "learning_curve-a_run",
    ]
    assert made.markdown().count("](figures/") == len(made.figures), "each is shown"
    assert all(image.startswith(b"\x89PNG") for image in made.figures.values())


def test_the_command_writes_the_newest_run_and_names_no_place(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = report("--out", str(out))
    assert "collective_intelligence" in said and "continuous_learning: not judged yet" in said
    data = json.loads(report("a_run", "--out", str(out), "--json"))
    assert [one["run_id"] for one in data["runs"]] == ["a_run"]
    assert {one["id"]: len(one["findings"]) for one in data["claims"]}["collective_intelligence"] == 1
    assert json.loads((out / "claims.json").read_text("utf-8")) == data
    tables = findings(data)
    assert "continuous\\_learning" not in tables and "Run `a_run` (" in tables
    estimate = data["claims"][0]["findings"][0]["estimate"]
    assert f"| {100 * estimate:+.1f} % |" in tables
    assert f"| team\\_shared | {data['runs'][0]['arms']['team_shared']['correct_at_K']['value']:.3f} \\[" in tables
    for path in (out / "claims.md", out / "claims.html", out / "claims.json"):
        text = path.read_text("utf-8")
        assert "not judged yet" in text and str(tmp_path) not in text and str(Path.home()) not in text
    assert (out / data["claims"][0]["findings"][0]["figure"]).is_file()


def test_same_runs_same_bytes(run: Path) -> None:
    claims = (claim(run),)
    first, second = (make_report(claims, [open_dossier(run, claims)]) for _ in range(2))
    assert (first.markdown(), first.html()) == (second.markdown(), second.html())


def spoil_spec(run: Path) -> None:
    spec = run / "spec.json"
    spec.write_text(spec.read_text("utf-8").replace('"budget": 10', '"budget": 11'), encoding="utf-8")


def spoil_outcomes(run: Path) -> None:
    table = pq.read_table(run / "outcomes.parquet")
    solved = table.column_names.index("correct")
    other = table.set_column(solved, table.schema.field("correct"), [[True] * len(table)])
    (run / "outcomes.parquet").write_bytes(parquet_bytes(other))


def spoil_tasks(run: Path) -> None:
    with (run / "tasks.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("\n")


def spoil_cell(run: Path) -> None:
    shutil.copyfile(run / "cells" / "team_shared-r000.parquet", run / "cells" / "team_isolated-r000.parquet")


def lose_provenance(run: Path) -> None:
    (run / "provenance.json").unlink()


def name_another_replicate(run: Path) -> None:
    table = pq.read_table(run / "outcomes.parquet")
    place = table.column_names.index("replicate")
    other = table.set_column(place, table.schema.field("replicate"), [[7] * len(table)])
    (run / "outcomes.parquet").write_bytes(parquet_bytes(other))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (spoil_spec, "spec.json is not the configuration"),
        (spoil_outcomes, "outcomes.parquet is not what the cells say"),
        (spoil_tasks, "tasks.jsonl is not the file"),
        (spoil_cell, "cells/team_isolated-r000.parquet is not what its seal says"),
        (lose_provenance, "provenance.json is missing"),
        (name_another_replicate, "rows of a cell that the run does not have (placebo-r007)"),
    ],
)
def test_an_altered_run_is_said_to_be_and_confirms_nothing(run: Path, spoil, what: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    claims = (claim(run),)
    assert alterations(run) == ()
    assert open_dossier(run, claims).judged[0].confirmatory
    spoil(run)
    dossier = open_dossier(run, claims)
    assert what in "; ".join(dossier.altered)
    assert not any(one.confirmatory for one in dossier.judged)
    words = make_report(claims, [dossier]).markdown()
    assert "was altered since it was run" in words and "| status | exploratory: the run was altered" in words
    assert "altered since it was run" in report("a_run", "--out", str(tmp_path / "out"))


def test_a_spec_and_provenance_changed_alike_do_not_fit_the_cells(run: Path, tmp_path: Path) -> None:
    spec = json.loads((run / "spec.json").read_text("utf-8"))
    spec["seed"] = 99
    spec["configuration_hash"] = configuration_hash(spec)
    provenance = json.loads((run / "provenance.json").read_text("utf-8"))
    provenance["configuration_hash"] = spec["configuration_hash"]
    assert all_alterations(run) == ()
    (run / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    (run / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    assert "is of another configuration" in "".join(all_alterations(run))
    assert "altered since it was run" in report("a_run", "--out", str(tmp_path / "out"))


def test_half_a_run_and_a_changed_claim_are_exploratory(run: Path) -> None:
    registered = claim(run)
    changed = registered.model_copy(update={"threshold": -0.5})
    dossier = open_dossier(run, (changed,))
    assert "digest" in "".join(dossier.why_exploratory(dossier.judged[0]))
    (run / "cells" / "placebo_twin-r000.json").unlink()
    directory = RunDirectory(run)
    directory.write_outcomes(directory.read_plan().cells()[:5])
    dossier = open_dossier(run, (registered,))
    assert dossier.altered == ()
    assert dossier.why_exploratory(dossier.judged[0]) == ("the run lacks 1 of its 6 cells",)
    assert not dossier.judged[0].confirmatory


def test_the_hash_from_the_text_is_the_plans_own(run: Path) -> None:
    assert (
        configuration_hash(json.loads((run / "spec.json").read_text("utf-8")))
        == RunDirectory(run).read_plan().configuration_hash
    )
    assert configuration_hash({"experiment": 3}) == ""


def test_mistakes_are_one_sentence(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = ("--out", str(tmp_path / "out"))
    assert "there is no run 'nowhere'" in report("nowhere", *out, code=2)
    with pytest.raises(LabError, match="called a_run"):
        make_report((), [open_dossier(run, ()), open_dossier(run, ())])
    table = pq.read_table(run / "outcomes.parquet")
    old = table.replace_schema_metadata({"autodev_lab.dictionary": "1"})
    pq.write_table(old, run / "outcomes.parquet")
    assert "is of version 1 of the data dictionary" in report("a_run", *out, code=2)
    (run / "outcomes.parquet").unlink()
    assert "has no outcomes yet" in report("a_run", *out, code=2)
    monkeypatch.setenv("AUTODEV_RUNS", str(tmp_path / "empty"))
    assert "there is no finished run" in report(*out, code=2)
    assert not (tmp_path / "out").exists()
