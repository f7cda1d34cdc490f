"""The fault operators: small mistakes that programmers make, as changes of a syntax tree.

Lines of descent, named by each operator's ``reference``:

- *Offutt 1996*: A. J. Offutt et al., "An experimental determination of sufficient mutant operators", TOSEM 5(2), 1996
  (ROR, LCR, AOR, UOI, ABS: relational, logical and arithmetic replacement, unary insertion).
- *Just 2014*: R. Just et al., "Are mutants a valid substitute for real faults in software testing?", FSE 2014
  (statement deletion; real faults coupled to mutants; the missing kinds: swapped arguments, similar calls).
- *Sobreira 2018*: V. Sobreira et al., "Dissection of a bug dataset: anatomy of 395 patches from Defects4J",
  SANER 2018 (missing guards and branches, wrong references, wrong returns, exception handling).
- *Pan 2009*: K. Pan, S. Kim, E. J. Whitehead, "Toward an understanding of bug fix patterns", EMSE 14(3), 2009
  (if-condition changes, method calls with other parameters, missing assignments).
- *Derezinska 2014*: A. Derezinska, K. Halas, "Analysis of mutation operators for the Python language", DepCoS 2014
  (slices, membership, loops, keyword arguments in Python).
- *SWE-smith 2025*: J. Yang et al., "SWE-smith: scaling data for software engineering agents", 2025
  (procedural modification of Python: removed branches, assignments and loops, inverted and swapped operands).
"""

from __future__ import annotations

from collections.abc import Iterable

from autodev_lab.errors import LabError
from autodev_lab.streams.call_faults import CALL_OPERATORS
from autodev_lab.streams.expression_faults import EXPRESSION_OPERATORS
from autodev_lab.streams.mutations import Operator
from autodev_lab.streams.statement_faults import STATEMENT_OPERATORS

__all__ = ["OPERATORS", "choose_operators"]

OPERATORS: tuple[Operator, ...] = tuple(
    sorted((*CALL_OPERATORS, *EXPRESSION_OPERATORS, *STATEMENT_OPERATORS), key=lambda operator: operator.name)
)
"""All operators, sorted by name."""


def choose_operators(names: Iterable[str] | None) -> tuple[Operator, ...]:
    """The named operators, or all of them for None, sorted by name.

    Raises
    ------
    LabError
        If a name is unknown or there are none.

    Examples
    --------
    >>> [operator.name for operator in choose_operators(["wrong_default", "removed_call"])]
    ['removed_call', 'wrong_default']
    """
    if names is None:
        return OPERATORS
    wanted = set(names)
    unknown = wanted - {operator.name for operator in OPERATORS}
    if unknown or not wanted:
        known = ", ".join(operator.name for operator in OPERATORS)
        said = f"unknown fault operator {sorted(unknown)[0]}" if unknown else "no fault operator chosen"
        raise LabError(f"{said}; choose from {known}")
    return tuple(operator for operator in OPERATORS if operator.name in wanted)
