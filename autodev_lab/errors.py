"""The one exception for a user's mistake or a missing thing: one sentence, no stack trace."""

from __future__ import annotations

__all__ = ["LabError"]


class LabError(Exception):
    """Something a user can put right; the message says what, where, and what to do.

    Parameters
    ----------
    message
        One clear sentence. It never holds a secret.
    exit_code
        Process exit status the command line uses.

    Examples
    --------
    >>> raise LabError("budget is 0; it counts candidates and must be at least 1")
    Traceback (most recent call last):
        ...
    autodev_lab.errors.LabError: budget is 0; it counts candidates and must be at least 1
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
