"""A standing judge as a file: JSON, with trees in LightGBM's text format, sealed, and written at once or not at all.

Nothing in it is executed. It is used only if it was made from the same table, for the same question, by the same code
of the lab, and if its seal fits; else the judge is fitted anew. The seal notices accidents and is no signature.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lightgbm.basic import LightGBMError

from autodev_lab.analysis.discrimination import Discrimination
from autodev_lab.decisions import Certificate, Promise
from autodev_lab.decisions.recorded.sealing import calibrator_from, calibrator_state, model_from, model_state
from autodev_lab.errors import LabError
from autodev_lab.experiments.assessing.judge import Judge, Question
from autodev_lab.experiments.assessing.trained import CALIBRATOR, TrainedGate, Worth
from autodev_lab.files import write_atomic

__all__ = ["Sealed", "Unread", "read_judge", "write_judge"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Sealed:
    """A judge and its file.

    Parameters
    ----------
    judge
        Read.
    fitted
        The day it was fitted (UTC), as 2026-01-31.
    table
        Digest of the table it learned from.
    """

    judge: Judge
    fitted: str
    table: str


@dataclass(frozen=True, slots=True)
class Unread:
    """Why there is no judge to be read, in words that follow "because"; empty where none was ever kept."""

    why: str


def write_judge(path: Path, judge: Judge, question: Question, *, table: str, code: str) -> str:
    """Keep a judge; returns why it cannot be kept, in words, or nothing.

    Parameters
    ----------
    table
        Digest of the table it learned from.
    code
        Hash of the lab's code.
    """
    gate = judge.gate
    model, calibrator = model_state(gate.model), calibrator_state(CALIBRATOR, gate.calibrator)
    if model is None or calibrator is None:
        return "its model has no form of plain data"
    content: dict[str, object] = {
        "format": _FORMAT,
        "code": code,
        "table": table,
        "question": question.as_json(),
        "fitted": datetime.now(UTC).date().isoformat(),
        "known_at": judge.known_at,
        "learned_until": judge.learned_until,
        "youngest": judge.youngest,
        "usual": dict(judge.usual),
        "model": model,
        "calibrator": calibrator,
        "certificate": asdict(gate.certificate),
        "worth": _without_nan(asdict(gate.worth)),
    }
    text = json.dumps({**content, "seal": _seal(content)}, allow_nan=False, sort_keys=True, indent=1)
    try:
        write_atomic(path, text + "\n")
    except LabError as error:
        return str(error)
    return ""


def read_judge(path: Path, question: Question, *, table: str | None, code: str) -> Sealed | Unread:
    """A judge that was kept, or why it is not used.

    Parameters
    ----------
    table
        Digest of the table that it must have learned from; None takes any.
    code
        Hash of the lab's code.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Unread("")
    except (OSError, ValueError):
        return Unread(f"{path.name} is damaged")
    if not isinstance(data, dict) or data.get("seal") != _seal(data):
        return Unread(f"{path.name} is not as it was written")
    if data.get("format") != _FORMAT or data.get("question") != question.as_json():
        return Unread("it was kept for another question")
    if data.get("code") != code:
        return Unread("the lab's code has changed")
    if table is not None and data.get("table") != table:
        return Unread("the table has changed")
    try:
        return Sealed(_judge(data, question.promise), str(data["fitted"]), str(data["table"]))
    except (KeyError, TypeError, ValueError, LightGBMError):
        return Unread(f"{path.name} is damaged")


def _judge(data: Mapping[str, object], promise: Promise) -> Judge:
    certificate, worth, usual = (_mapping(data[name]) for name in ("certificate", "worth", "usual"))
    threshold = certificate["threshold"]
    certified = Certificate(
        promise,
        None if threshold is None else _number(threshold),
        int(_number(certificate["n"])),
        int(_number(certificate["successes"])),
        _number(certificate["p_value"]),
        str(certificate["words"]),
    )
    counts = [int(_number(worth[name])) for name in ("before", "mature", "failures", "trained", "calibrated")]
    tested, by_lines = (_discrimination(_mapping(worth[name])) for name in ("tested", "by_lines"))
    before, mature, failures, trained, calibrated = counts
    gate = TrainedGate(
        model_from(_mapping(data["model"])),
        calibrator_from(_mapping(data["calibrator"])),
        certified,
        Worth(before, mature, failures, trained, calibrated, tested, by_lines),
    )
    return Judge(
        gate,
        _number(data["known_at"]),
        _number(data["learned_until"]),
        str(data["youngest"]),
        {str(name): _number(value) for name, value in usual.items()},
    )


def _discrimination(data: Mapping[str, object]) -> Discrimination:
    auc = math.nan if data["auc"] is None else _number(data["auc"])
    low, high = _number(data["low"]), _number(data["high"])
    return Discrimination(auc, low, high, int(_number(data["failures"])), int(_number(data["successes"])))


def _seal(data: Mapping[str, object]) -> str:
    """Of everything but the seal."""
    content = {name: value for name, value in data.items() if name != "seal"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number is expected")
    return float(value)


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("an object is expected")
    return value
