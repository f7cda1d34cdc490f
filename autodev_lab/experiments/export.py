"""Packs a finished run into a replication archive: same run, same bytes, and no secret or path of this machine."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from autodev_lab.analysis.claims import Claim
from autodev_lab.analysis.seals import read_object
from autodev_lab.errors import LabError
from autodev_lab.experiments.directory import RunDirectory
from autodev_lab.experiments.private import refuse_private
from autodev_lab.experiments.report import registered_claims
from autodev_lab.experiments.seals import all_alterations
from autodev_lab.files import write_atomic
from autodev_lab.resources import resource

__all__ = ["export_run"]

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip archive can hold; every member has it."""

_README = """# Run {run_id}

A run of the experiment `{experiment}` (profile {profile}, seed {seed}) with all that is needed to check and repeat it.
It was made by autodev-lab {version} (commit {commit}, code {code}) under Python {python}.

    pip install "autodev-lab=={version}"
    unzip {run_id}.zip
    autodev-lab report {run_id}    # judges the claims anew and checks the seals
    autodev-lab rerun {run_id}     # runs the same plan with the same seed and compares the outcomes byte by byte

| file | what it is |
|---|---|
| `spec.json`, `provenance.json` | what was asked for, and what it ran on |
| `tasks.jsonl`, `attrition.csv` | the tasks, and what was built and left out |
| `cells/` | every (arm, replicate): rows, traces, and the seal written after them |
| `outcomes.parquet` | all rows; the columns are in the lab's data dictionary |
| `retrievals.parquet` | what agents asked their memories, and what came back |
| `rollouts.parquet` | how rollouts went, where arms differ in them |
| `summary.json`, `summary.txt`, `figures/` | what came out |
| `claims.yaml` | the registered claims as the run was judged by |
"""


def export_run(run: RunDirectory, target: Path) -> Path:
    """Write a run's replication archive.

    Parameters
    ----------
    run
        A finished run; it is only read.
    target
        The zip file, which must not exist.

    Returns
    -------
    Path
        The archive.

    Raises
    ------
    LabError
        If the run is not finished or was altered, the claims say something else than it was judged by, a secret or a
        path of this machine is left in a file, or the archive exists.
    """
    if target.exists():
        raise LabError(f"{target} exists; choose another name, or remove it first")
    summary = read_object(run.summary)
    if summary.get("complete") is not True or not run.outcomes.is_file():
        raise LabError(f"run {run.id} is not finished; go on with it with `autodev-lab run --resume {run.id}`")
    altered = all_alterations(run.path)
    if altered:
        raise LabError(
            f"run {run.id} was altered since it was run ({'; '.join(altered)}); export one that is as it was"
        )
    _same_claims(run, summary)
    members = dict(_members(run, summary))
    refuse_private(run, members)
    write_atomic(target, _zipped(members, run.id))
    return target


def _members(run: RunDirectory, summary: Mapping[str, object]) -> Iterator[tuple[str, bytes]]:
    """Files of the archive, scrubbed where it is known that they hold paths."""
    provenance = dict(read_object(run.provenance))
    argv = provenance.get("argv")
    provenance["argv"] = [_without_path(str(word)) for word in argv] if isinstance(argv, list) else []
    readme = _README.format(
        run_id=run.id,
        experiment=summary.get("experiment"),
        profile=summary.get("profile"),
        seed=summary.get("seed"),
        version=provenance.get("version"),
        commit=provenance.get("git_commit"),
        code=provenance.get("code_hash"),
        python=provenance.get("python"),
    )
    yield "README.md", readme.encode()
    yield "provenance.json", _json(provenance)
    yield "summary.json", _json({**summary, "artifacts": _relative(run, summary.get("artifacts"))})
    text = run.path / "summary.txt"
    if text.is_file():
        yield "summary.txt", text.read_text(encoding="utf-8").replace(str(run.path), run.id).encode()
    yield "claims.yaml", resource("experiments/claims.yaml").read_bytes()
    for path in (run.spec, run.tasks, run.attrition, run.outcomes, run.retrievals, run.rollouts):
        if path.is_file():
            yield path.name, path.read_bytes()
    for folder in (run.cells, run.figures):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            # a killed run may leave a hidden file that was being written
            if path.is_file() and not path.name.startswith("."):
                yield f"{folder.name}/{path.name}", path.read_bytes()


def _relative(run: RunDirectory, artifacts: object) -> dict[str, str]:
    """Where things lie, seen from the run's directory; what lies elsewhere is left out."""
    found = artifacts if isinstance(artifacts, Mapping) else {}
    paths = {str(name): PurePath(str(path)) for name, path in found.items()}
    inside = {name: path.relative_to(run.path) for name, path in paths.items() if path.is_relative_to(run.path)}
    kept = (run.cells.name, run.figures.name)
    return {name: path.as_posix() for name, path in inside.items() if len(path.parts) < 2 or path.parts[0] in kept}


def _without_path(word: str) -> str:
    """A word of a command line; of an absolute path the last part alone.

    Examples
    --------
    >>> _without_path("--out=/somewhere/else/run"), _without_path("-p"), _without_path("tasks=~/mine.jsonl")
    ('--out=run', '-p', 'tasks=mine.jsonl')
    """
    name, separator, value = word.rpartition("=")
    return f"{name}{separator}{PurePath(value).name}" if value.startswith(("/", "~")) else word


def _same_claims(run: RunDirectory, summary: Mapping[str, object]) -> None:
    """Refuse when the claims file no longer says what the run was judged by."""
    claims: dict[str, Claim] = {claim.id: claim for claim in registered_claims()}
    entries = summary.get("claims")
    for entry in entries if isinstance(entries, list) else ():
        claim = claims.get(str(entry.get("id")))
        if claim is None or any(
            entry.get(name) != value
            for name, value in (
                ("statement", claim.statement),
                ("threshold", claim.threshold),
                ("endpoint", claim.endpoint),
                ("treatment", claim.treatment),
                ("baseline", claim.baseline or None),
            )
        ):
            raise LabError(
                f"claim {entry.get('id')} is not what run {run.id} was judged by; judge it anew with "
                f"`autodev-lab run --resume {run.id}`"
            )


def _zipped(members: Mapping[str, bytes], folder: str) -> bytes:
    """A zip archive with sorted members of one time and one mode."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(f"{folder}/{name}", _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # Unix, whatever this machine is
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, members[name])
    return sink.getvalue()


def _json(data: Mapping[str, object]) -> bytes:
    return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()
