"""The findings of reports as the tables that the documents show, made from `claims.json` files and from nothing else.

``python -m autodev_lab.analysis.findings reports/claims.json`` prints them; a test holds the documents against them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from autodev_lab.analysis.markdown import table
from autodev_lab.analysis.wording import ends, measure_between, percent, share_between
from autodev_lab.errors import LabError

__all__ = ["findings", "main"]


def findings(report: Mapping[str, object]) -> str:
    """Verdicts, if the report has any, then what arms achieved and what pairs of arms differ by, run by run.

    Parameters
    ----------
    report
        The object that `autodev-lab report --json` prints.

    Raises
    ------
    LabError
        If it is no such object.

    Examples
    --------
    >>> claim = {"id": "more", "verdict": "not judged yet", "findings": []}
    >>> print(findings({"claims": [claim], "runs": []}))
    None of the runs is about a registered claim.
    """
    try:
        verdicts = [row for claim in _objects(report["claims"]) for row in _verdicts(claim)]
        parts = ["None of the runs is about a registered claim."]
        if verdicts:
            parts = [table(("claim", "verdict", "estimate", "interval", "threshold", "n"), verdicts)]
        for run in _objects(report["runs"]):
            parts += _run(run)
    except (KeyError, TypeError, ValueError) as error:
        raise LabError("that is no claims.json of a report; write one with `autodev-lab report`") from error
    return "\n\n".join(parts)


def _verdicts(claim: Mapping[str, object]) -> list[tuple[str, ...]]:
    return [
        (
            str(claim["id"]),
            f"{one['verdict']} ({'confirmatory' if one['confirmatory'] else 'exploratory'})",
            _percent(one["estimate"], signed=one["kind"] != "share"),
            _interval(one["ci"], signed=one["kind"] != "share"),
            _percent(one["threshold"], signed=one["kind"] != "share"),
            f"{one['n']} in {one['clusters']} {one.get('cluster', 'package')}s",
        )
        for one in _objects(claim["findings"])
    ]


def _run(run: Mapping[str, object]) -> list[str]:
    if "study" in run:
        return _study(run)
    arms = _object(run["arms"])
    rows = []
    for arm, values in arms.items():
        one = _object(values)
        shares = [_object(one[name]) for name in ("correct_at_K", "solved_at_K", "escaped")]
        told = (share_between(_number(share["value"]), *_pair(share["ci"])) for share in shares)
        rows.append((arm, *told, str(shares[0]["n"])))
    parts = [f"Run `{run['run_id']}`{_changed(run)}:", table(("arm", "correct", "solved", "escaped", "n"), rows)]
    contrasts = _objects(run["contrasts"])
    if contrasts:
        parts.append(
            table(
                ("arm", "against", "difference in " + str(contrasts[0]["endpoint"]), "95 % interval", "noise floor"),
                [
                    (
                        str(one["treatment"]),
                        str(one["baseline"]),
                        _percent(one["estimate"]),
                        _interval(one["ci"]),
                        _percent(one["noise_floor"], signed=False),
                    )
                    for one in contrasts
                ],
            )
        )
    gates = _objects(run["gates"])
    if gates:
        parts.append(
            table(
                ("gate", "changes", "let through", "right of these", "wrong ones stopped", "escaped"),
                [
                    (
                        str(one["arm"]),
                        str(one["n"]),
                        _share(one, "coverage"),
                        _share(one, "right"),
                        f"{one['wrong_stopped']} of {one['wrong']}",
                        str(one["wrong_escaped"]),
                    )
                    for one in gates
                ],
            )
        )
    rollouts = _objects(run.get("rollouts", []))
    if rollouts:
        parts.append(
            table(
                ("rollout", "changes", "promoted", "asked about", "right ones rolled back", "wrong ones escaped"),
                [
                    (
                        str(one["arm"]),
                        str(one["n"]),
                        _share(one, "promoted"),
                        _share(one, "asked"),
                        f"{_share(one, 'false_rollbacks')} of {one['right']}",
                        f"{_share(one, 'escaped')} of {one['wrong']}",
                    )
                    for one in rollouts
                ],
            )
        )
    return parts


def _share(of: Mapping[str, object], name: str) -> str:
    return share_between(*(_number(of[f"{name}{end}"]) for end in ("", "_low", "_high")))


def _changed(run: Mapping[str, object]) -> str:
    """What was asked for otherwise than the profile says, in brackets."""
    changed = _object(run.get("changed", {}))
    return f" ({', '.join(f'{name} = {value}' for name, value in changed.items())})" if changed else ""


def _study(run: Mapping[str, object]) -> list[str]:
    arms = {arm: _object(values) for arm, values in _object(run["arms"]).items()}
    names = list(dict.fromkeys(name for values in arms.values() for name in values))
    rows = []
    for arm, values in arms.items():
        told = [_object(values[name]) if name in values else None for name in names]
        rows.append(
            (arm, *("" if one is None else measure_between(_number(one["value"]), *_pair(one["ci"])) for one in told))
        )
    parts = [f"Run `{run['run_id']}`{_changed(run)}, a study of {run['study']}:", table(("arm", *names), rows)]
    contrasts = _objects(run["contrasts"])
    if contrasts:
        parts.append(
            table(
                ("arm", "against", "endpoint", "difference", "95 % interval"),
                [
                    (
                        str(one["treatment"]),
                        str(one["baseline"]),
                        str(one["endpoint"]),
                        _percent(one["estimate"]),
                        _interval(one["ci"]),
                    )
                    for one in contrasts
                ],
            )
        )
    return parts


def _percent(value: object, *, signed: bool = True) -> str:
    return percent(_number(value), signed=signed)


def _interval(pair: object, *, signed: bool = True) -> str:
    return ends(*_pair(pair), lambda end: percent(end, signed=signed))


def _pair(value: object) -> tuple[float | None, float | None]:
    if not isinstance(value, list):
        raise TypeError("not a pair")
    low, high = value
    return _number(low), _number(high)


def _number(value: object) -> float | None:
    if value is not None and not isinstance(value, int | float):
        raise TypeError("not a number")
    return value


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return value


def _objects(value: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return [_object(one) for one in value]


def main(arguments: Sequence[str]) -> int:
    """Print the tables of one ``claims.json``."""
    try:
        (path,) = map(Path, arguments)
        print(findings(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        print(f"findings: {error}; name the claims.json that `autodev-lab report` wrote", file=sys.stderr)
        return 2
    except LabError as error:
        print(f"findings: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
