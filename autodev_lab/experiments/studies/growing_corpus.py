"""Functions to look for and functions to hide them among, so that memories of every size hold the same ones first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autodev_lab.experiments.studies.code_corpus import CodeFunction, functions_of, others_of
from autodev_lab.files import stable_seed

__all__ = ["chosen", "hidden_among"]


def chosen(functions: Sequence[CodeFunction], most: int, seed: int) -> list[CodeFunction]:
    """A seeded sample of every package's functions, in the order in which they are given.

    Parameters
    ----------
    most
        Functions of a package; 0 takes all.
    """
    if not most:
        return list(functions)
    by_package: dict[str, list[str]] = {}
    for function in functions:
        by_package.setdefault(function.package, []).append(function.name)
    kept: set[str] = set()
    for package, names in by_package.items():
        rng = np.random.default_rng(stable_seed("queries", seed, package))
        kept.update(names[place] for place in rng.choice(len(names), size=min(most, len(names)), replace=False))
    return [function for function in functions if function.name in kept]


def hidden_among(
    packages: Sequence[str], more: Sequence[str], *, most: int, seed: int
) -> tuple[list[CodeFunction], list[CodeFunction]]:
    """Functions that are looked for, and all others of these and of more packages in a seeded order.

    Parameters
    ----------
    packages, more
        Packages that have functions to look for, and packages that have none.
    most
        Functions of a package that are looked for; 0 takes all.

    Raises
    ------
    LabError
        If a package cannot be found.
    """
    wanted = chosen(functions_of(packages), most, seed)
    others = others_of([*packages, *(one for one in more if one not in packages)], wanted)
    # by name, so that a package more or less leaves the others where they are
    return wanted, sorted(others, key=lambda function: stable_seed("hidden among", seed, function.name))
