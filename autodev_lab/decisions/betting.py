"""Betting against a hypothesis on a mean: capital that cannot grow while the hypothesis holds.

Someone who bets on gains whose expectation is at most zero, given all that came before, has a capital that is a
non-negative supermartingale: starting with 1, it reaches 1/a with probability at most a, whenever one looks (Ville's
inequality). The capital is an *e-process* and 1/(its highest value) an anytime-valid p value (Waudby-Smith and Ramdas
2023, "Estimating means of bounded random variables by betting", Journal of the Royal Statistical Society B 86(1)).
Which share of the capital is best put at stake is not known, so it is spread over several stakes: a mean of e-processes
is an e-process, and nothing is tuned.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["STAKES", "betting_p_values", "log_capital"]

Floats = npt.NDArray[np.float64]

STAKES: Floats = 0.95 * 2.5 ** -np.arange(5.0)
"""Shares of the capital that the worst gain would cost, each with one fifth of it: from nearly all to 2.4 %."""


def log_capital(gains: Floats, worst: npt.ArrayLike, stakes: Floats = STAKES) -> Floats:
    """Natural logarithm of the capital after every gain, averaged over the stakes.

    Parameters
    ----------
    gains
        Shape (..., n), in order of time. Their expectation given the past is at most zero under the hypothesis.
    worst
        How low a gain can be, as a positive number; fixed without a look at the gains. Broadcast against (...).
    stakes
        Shape (k,), each in (0, 1).

    Returns
    -------
    Floats
        Shape (..., n).

    Examples
    --------
    >>> [round(float(x), 1) for x in np.exp(log_capital(np.array([0.05, 0.05, -0.95]), worst=0.95))]
    [1.0, 1.0, 0.7]
    """
    rates = stakes / np.asarray(worst, dtype=np.float64)[..., np.newaxis]
    grown = np.cumsum(np.log1p(rates[..., :, np.newaxis] * gains[..., np.newaxis, :]), axis=-1)
    mean: Floats = np.logaddexp.reduce(grown, axis=-2) - np.log(len(stakes))
    return mean


def betting_p_values(gains: Floats, worst: npt.ArrayLike, stakes: Floats = STAKES) -> Floats:
    """Anytime-valid p values of "the mean gain is at most zero", one a row.

    Parameters
    ----------
    gains, worst, stakes
        As for `log_capital`.

    Returns
    -------
    Floats
        Shape (...), in (0, 1]; 1 without gains.

    Examples
    --------
    >>> p = betting_p_values(np.array([[0.05] * 200, [0.0] * 200]), worst=0.95)
    >>> bool(p[0] < 0.01), float(p[1])
    (True, 1.0)
    """
    if gains.shape[-1] == 0:
        return np.ones(gains.shape[:-1])
    highest = log_capital(gains, worst, stakes).max(axis=-1)
    p: Floats = np.exp(-np.maximum(highest, 0.0))
    return p
