"""Whether a run directory still holds what was run: its files against the hashes and seals written at the time.

What is held against what: `tasks.jsonl` and the configuration against `provenance.json`, every cell against the seal
that was written after it, and `outcomes.parquet` against the cells. This notices a file that was changed later, by
accident or on purpose; it is no signature, and whoever rewrites every file alike is not noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["alterations", "configuration_hash", "missing_cells", "read_object"]


def alterations(run: Path) -> tuple[str, ...]:
    """What in a run directory is not as the run left it, in words; empty when all of it is.

    Parameters
    ----------
    run
        A run directory with outcomes.

    Returns
    -------
    tuple
        One clause a finding, for example ``"tasks.jsonl is not the file that was run"``.
    """
    spec, provenance = read_object(run / "spec.json"), read_object(run / "provenance.json")
    if not provenance:
        return ("provenance.json is missing or damaged",)
    found = []
    computed = configuration_hash(spec)
    if not computed or computed != spec.get("configuration_hash") or computed != provenance.get("configuration_hash"):
        found.append("spec.json is not the configuration that was run")
    if _sha256(run / "tasks.jsonl") != provenance.get("tasks_hash"):
        found.append("tasks.jsonl is not the file that was run")
    return (*found, *_outcomes_altered(run, spec))


def configuration_hash(spec: Mapping[str, object]) -> str:
    """The configuration hash of a `spec.json`, from its text alone, so that a spec of another version can be checked.

    It is `Plan.configuration_hash` for a spec of this version; empty when the object is no spec.
    """
    try:
        experiment, parameters = _mapping(spec["experiment"]), dict(_mapping(spec["parameters"]))
        arms = _mapping(experiment["arms"])
        chosen = _names(parameters.pop("arms")) or tuple(arms)
        content = {
            "experiment": experiment["name"],
            "arms": {
                arm: {key: value for key, value in _mapping(arms[arm]).items() if key != "description"}
                for arm in chosen
            },
            "endpoints": experiment["endpoints"],
            "parameters": parameters,
            "seed": spec["seed"],
            **({"study": experiment["study"]} if "study" in experiment else {}),
        }
    except (KeyError, TypeError):
        return ""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def missing_cells(run: Path) -> tuple[int, int]:
    """Cells that are not in the outcomes of a run, and cells it was to have.

    Raises
    ------
    KeyError, TypeError
        If the spec is damaged.
    """
    named = list(_cells(read_object(run / "spec.json")))
    there = _keys(_read(run / "outcomes.parquet"))
    return sum(cell not in there for cell in named), len(named)


def _outcomes_altered(run: Path, spec: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with the outcomes or the cells they were joined from."""
    try:
        outcomes, named = _read(run / "outcomes.parquet"), list(_cells(spec))
    except (OSError, ValueError, KeyError, TypeError):
        yield "outcomes.parquet cannot be held against spec.json"
        return
    there = _keys(outcomes)
    unknown = there - set(named)
    if unknown:
        yield f"outcomes.parquet has rows of a cell that the run does not have ({min(unknown)})"
    # an interrupted run has outcomes of some cells only
    held = [cell for cell in named if cell in there]
    for cell in held:
        seal = read_object(run / "cells" / f"{cell}.json")
        for suffix, key in ((".parquet", "parquet"), (".trace.gz", "trace")):
            if not seal or _sha256(run / "cells" / f"{cell}{suffix}") != seal.get(key):
                yield f"cells/{cell}{suffix} is not what its seal says"
                return
    try:
        joined = pa.concat_tables([_read(run / "cells" / f"{cell}.parquet") for cell in held])
        same = joined.equals(outcomes)
    except (OSError, ValueError):
        same = False
    if not same:
        yield "outcomes.parquet is not what the cells say"


def _cells(spec: Mapping[str, object]) -> Iterator[str]:
    """Names of a spec's cells in the order in which the outcomes have them; of a study, its arms."""
    experiment, parameters = _mapping(spec["experiment"]), _mapping(spec["parameters"])
    arms = _names(parameters["arms"]) or tuple(_mapping(experiment["arms"]))
    if "study" in experiment:
        yield from arms
        return
    for arm in arms:
        for twin in (False, True) if parameters["twins"] else (False,):
            for replicate in range(int(str(parameters["replicates"]))):
                yield _name(arm, twin, replicate)


def _keys(outcomes: pa.Table) -> set[str]:
    """Names of the cells that have rows."""
    if "replicate" not in outcomes.column_names:
        return set(outcomes.column("arm").unique().to_pylist())
    distinct = outcomes.select(["arm", "twin", "replicate"]).group_by(["arm", "twin", "replicate"]).aggregate([])
    return {_name(row["arm"], row["twin"], row["replicate"]) for row in distinct.to_pylist()}


def _name(arm: str, twin: bool, replicate: int) -> str:
    return f"{arm}{'_twin' if twin else ''}-r{replicate:03d}"


def _read(path: Path) -> pa.Table:
    # reading through an open handle keeps pyarrow from guessing partitions from the path
    with path.open("rb") as stream:
        return pq.read_table(stream)


def _sha256(path: Path) -> str:
    """Of a file; empty when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def read_object(path: Path) -> Mapping[str, object]:
    """A JSON object from a file; empty when the file is missing or holds none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError("not a list")
    return tuple(str(name) for name in value)
