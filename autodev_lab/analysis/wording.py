"""How reports write shares, percentages and intervals; what is not known or not bounded is said in words."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["ends", "measure_between", "percent", "share", "share_between"]


def percent(value: float | None, *, signed: bool = True) -> str:
    """A relative effect, or without a sign a share, in percent.

    Examples
    --------
    >>> percent(0.125), percent(0.5, signed=False), percent(None), percent(math.inf)
    ('+12.5 %', '50.0 %', 'not known', 'unbounded')
    """
    if value is None or math.isnan(value):
        return "not known"
    if math.isinf(value):
        return "unbounded"
    return f"{100 * value:+.1f} %" if signed else f"{100 * value:.1f} %"


def ends(low: float | None, high: float | None, say: Callable[[float], str] = percent) -> str:
    """An interval; an end that is absent or infinite is unbounded.

    Examples
    --------
    >>> ends(-0.25, None)
    '[-25.0 %, unbounded]'
    """
    told = (say(end) if end is not None and math.isfinite(end) else "unbounded" for end in (low, high))
    return f"[{', '.join(told)}]"


def share(value: float | None) -> str:
    """A share with three places; "none" where there is nothing to have a share of.

    Examples
    --------
    >>> share(0.25), share(None)
    ('0.250', 'none')
    """
    return "none" if value is None or math.isnan(value) else f"{value:.3f}"


def share_between(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its interval, cut to [0, 1], if both ends are bounded.

    Examples
    --------
    >>> share_between(0.25, -0.1, 0.5), share_between(0.25, None, None)
    ('0.250 [0.00, 0.50]', '0.250')
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return share(value)
    return f"{share(value)} [{max(0.0, low):.2f}, {min(1.0, high):.2f}]"


def measure_between(value: float | None, low: float | None, high: float | None) -> str:
    """A measure of any unit with its interval, if both ends are bounded.

    Examples
    --------
    >>> measure_between(12.25, 11.0, 14.5), measure_between(0.25, None, None)
    ('12.250 [11.00, 14.50]', '0.250')
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return share(value)
    return f"{share(value)} [{low:.2f}, {high:.2f}]"
