"""Gates by name: the parts that ship with the lab, and parts of the user's own as ``module:Class``."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar, cast

from autodev_lab.decisions.calibration import BetaCalibrator, BinnedBetaCalibrator, PlattCalibrator
from autodev_lab.decisions.certified import CertifiedPolicy
from autodev_lab.decisions.controls import (
    DeployReviewedPolicy,
    RandomPolicy,
    ReviewEverythingPolicy,
    SmallestFirstPolicy,
)
from autodev_lab.decisions.guarantee import Promise
from autodev_lab.decisions.labels import LabelQuality
from autodev_lab.decisions.learned import LearnedRisk
from autodev_lab.decisions.policy import LearnedPolicy, PublishedPolicy
from autodev_lab.decisions.recalibration import RefittedCalibrator
from autodev_lab.decisions.risk import FiveFactorRisk
from autodev_lab.errors import LabError
from autodev_lab.protocols import Calibrator, Policy, RiskModel

__all__ = ["CALIBRATORS", "CERTIFIED", "POLICIES", "RISKS", "Gate", "check_gate_names", "make_gate", "plugin_hashes"]

Part = TypeVar("Part")

CERTIFIED = "certified"
"""The one policy that promises something."""

POLICIES: Mapping[str, Callable[[LabelQuality, Promise], Policy]] = MappingProxyType(
    {
        "published": lambda quality, promise: PublishedPolicy(),
        "learned": lambda quality, promise: LearnedPolicy(),
        CERTIFIED: lambda quality, promise: CertifiedPolicy(promise, quality=quality),
        "deploy_reviewed": lambda quality, promise: DeployReviewedPolicy(),
        "review_everything": lambda quality, promise: ReviewEverythingPolicy(),
        "random": lambda quality, promise: RandomPolicy(),
        "smallest_first": lambda quality, promise: SmallestFirstPolicy(),
    }
)
"""Policies that ship with the lab, made for labels of a quality and for what a certificate is to promise."""

RISKS: Mapping[str, Callable[[LabelQuality], RiskModel]] = MappingProxyType(
    {"published": lambda quality: FiveFactorRisk(), "learned": lambda quality: LearnedRisk(quality=quality)}
)
"""Risk models that ship with the lab, made for labels of a quality."""

CALIBRATORS: Mapping[str, Callable[[LabelQuality], Calibrator]] = MappingProxyType(
    {
        "binned": lambda quality: BinnedBetaCalibrator(quality=quality),
        "platt": lambda quality: PlattCalibrator(quality=quality),
        "isotonic": lambda quality: RefittedCalibrator("isotonic", quality),
        "beta": lambda quality: BetaCalibrator(quality=quality),
        "venn_abers": lambda quality: RefittedCalibrator("venn_abers", quality),
    }
)
"""Calibrators that ship with the lab, made for labels of a quality."""

_COMPANIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"learned": ("learned", "platt"), "certified": ("learned", "platt")}
)
_USUAL = ("published", "binned")


@dataclass(frozen=True, slots=True)
class Gate:
    """The parts of one deployer's gate. They learn, so a gate serves one run."""

    risk: RiskModel
    calibrator: Calibrator
    policy: Policy


def make_gate(
    policy: str,
    risk: str = "",
    calibrator: str = "",
    *,
    quality: LabelQuality | None = None,
    promise: Promise | None = None,
) -> Gate:
    """Make a gate, with nothing learned yet.

    Parameters
    ----------
    policy, risk, calibrator
        Each a name, or ``module:Class`` of a class that is made without arguments. Empty: what goes with the policy,
        which is ``learned`` and ``platt`` for the policies ``learned`` and ``certified``, else ``published`` and
        ``binned``.
    quality
        Error rates of the checks that label changes, for the parts that ship with the lab.
    promise
        What the policy ``certified`` promises; of no meaning to the others.

    Raises
    ------
    LabError
        If a part is not known, cannot be imported or made, or lacks what its protocol asks for.

    Examples
    --------
    >>> make_gate("learned").policy.name
    'learned'
    >>> type(make_gate("published", calibrator="platt").calibrator).__name__
    'PlattCalibrator'
    """
    known = quality or LabelQuality()
    usual_risk, usual_calibrator = _COMPANIONS.get(policy, _USUAL)
    risks = {name: _given(make, known) for name, make in RISKS.items()}
    calibrators = {name: _given(make, known) for name, make in CALIBRATORS.items()}
    promised = promise or Promise()
    policies = {name: functools.partial(make, known, promised) for name, make in POLICIES.items()}
    return Gate(
        cast("RiskModel", _make("risk", risk or usual_risk, risks, ("assess", "learn"))),
        cast("Calibrator", _make("calibrator", calibrator or usual_calibrator, calibrators, ("confidence", "learn"))),
        cast("Policy", _make("policy", policy, policies, ("name", "decide"))),
    )


def check_gate_names(policy: str, risk: str = "", calibrator: str = "") -> None:
    """Refuse names that `make_gate` would refuse, in the same sentence."""
    make_gate(policy, risk, calibrator)


def plugin_hashes(names: Iterable[str]) -> dict[str, str]:
    """SHA-256 (16 hexadecimal digits) of the files that define classes named ``module:Class``; others are left out.

    What such a module imports in turn is not looked at, and a class without a Python file has an empty hash.

    Parameters
    ----------
    names
        Names as `make_gate` takes them.

    Examples
    --------
    >>> plugin_hashes(["learned", ""])
    {}
    >>> [len(digest) for digest in plugin_hashes(["autodev_lab.decisions.policy:PublishedPolicy"]).values()]
    [16]
    """
    hashes: dict[str, str] = {}
    for name in sorted({name for name in names if ":" in name}):
        try:
            found = importlib.util.find_spec(name.partition(":")[0])
        except (ImportError, ValueError):  # `make_gate` says what is wrong with it
            found = None
        path = Path(found.origin) if found is not None and found.origin and found.has_location else None
        hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path is not None and path.is_file() else ""
    return hashes


def _given(make: Callable[[LabelQuality], Part], quality: LabelQuality) -> Callable[[], Part]:
    return lambda: make(quality)


def _make(kind: str, name: str, known: Mapping[str, Callable[[], object]], needs: tuple[str, ...]) -> object:
    """A part that ships with the lab, or one of the user's own."""
    if name in known:
        return known[name]()
    if ":" not in name:
        raise LabError(
            f"{kind} is {name!r}; choose one of {', '.join(known)}, or name a class of your own as module:Class"
        )
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise LabError(
            f"{kind} is {name!r}, which cannot be imported ({error}); put its folder on PYTHONPATH and check both names"
        ) from error
    try:
        part: object = found()
    except Exception as error:  # the user's code may fail in any way
        raise LabError(
            f"{kind} is {name!r}, which cannot be made without arguments ({type(error).__name__}: {error}); give its "
            "parameters defaults"
        ) from error
    missing = [need for need in needs if not hasattr(part, need)]
    if missing:
        raise LabError(f"{kind} is {name!r}, which has no {' and no '.join(missing)}; see autodev_lab.protocols")
    return part
