"""What the documents say was found is what the committed report says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from autodev_lab.analysis.findings import findings, main
from autodev_lab.errors import LabError

ROOT = Path(__file__).parents[3]
NUMBER = re.compile(r"[+-]?\d[\d.,]* %|\d\.\d+")


def section(text: str) -> str:
    """The part of the README that says what was found."""
    return text.split("## What it found\n", 1)[1].split("\n## ", 1)[0]


REPORTS = sorted((ROOT / "reports").rglob("claims.json"))


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.parent.name)
def test_the_findings_page_is_made_from_the_reports(path: Path) -> None:
    page = (ROOT / "docs" / "research-findings.md").read_text("utf-8")
    mark = f"<!-- made from {path.relative_to(ROOT).as_posix()} -->\n"
    made = page.split(mark, 1)[1].split("\n<!-- end -->", 1)[0]
    assert made.strip() == findings(json.loads(path.read_text("utf-8")))


def test_every_number_in_the_readme_is_in_a_report() -> None:
    told = section((ROOT / "README.md").read_text("utf-8"))
    known = {number for path in REPORTS for number in NUMBER.findall(findings(json.loads(path.read_text("utf-8"))))}
    numbers = NUMBER.findall(told)
    assert len(numbers) >= 4
    assert set(numbers) <= known


def test_the_committed_report_names_no_place() -> None:
    for path in (ROOT / "reports").rglob("*"):
        if path.is_file() and path.suffix != ".png":
            assert not re.search(r"/(home|root|Users|tmp)/", path.read_text("utf-8")), path


@pytest.mark.parametrize("data", [{}, {"claims": 3, "runs": []}, {"claims": [], "runs": [{"arms": []}]}])
def test_something_else_is_refused(data: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabError, match=r"that is no claims\.json of a report"):
        findings(data)
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    assert main([str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 2
    assert "name the claims.json" in capsys.readouterr().err
