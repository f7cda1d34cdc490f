"""Which templates can undo which fault of the injector: what only the oracle order may know.

A template is named where one of its candidates is the original code again, or does the same; that was looked up on bugs
injected into the packages marked `development`. Names alone, because a solver must not know the injector; a test holds
both sides to their catalogues.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["UNDOING", "weights_under"]

UNDOING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "comparison_swap": ("change-comparison",),
        "membership_swap": ("change-comparison",),
        "identity_swap": ("change-comparison",),
        "boolean_swap": ("swap-boolean-operator",),
        "arithmetic_swap": ("replace-arithmetic-operator",),
        "negated_condition": ("negate-condition",),
        "removed_condition": ("extend-condition", "filter-comprehension", "synthesise-condition"),
        "off_by_one": ("off-by-one", "adjust-number"),
        "wrong_constant": ("replace-constant", "adjust-number", "borrow-constant", "fix-condition-value"),
        "wrong_default": ("change-default",),
        "wrong_variable": ("replace-variable", "replace-argument"),
        "wrong_slice": ("change-slice",),
        "removed_unary": ("adapt-value", "adjust-number"),
        "swapped_arguments": ("swap-arguments", "rearrange-operands"),
        "wrong_name": ("replace-method", "replace-function", "replace-attribute"),
        "removed_keyword": ("add-argument",),
        "wrong_keyword": ("swap-arguments", "replace-constant"),
        "removed_call_around": ("wrap-call",),
        "removed_call": ("insert-call", "borrow-from-sibling"),
        "removed_assignment": ("insert-assignment",),
        "removed_accumulation": ("change-assignment",),
        "missing_guard": ("insert-guard", "insert-block", "synthesise-condition"),
        "missing_condition": ("guard-statement", "synthesise-condition"),
        "missing_branch": ("add-else", "insert-block"),
        "removed_branch_body": ("replace-condition", "fix-condition-value"),
        "missing_return": ("change-control",),
        "wrong_return": ("change-result", "borrow-from-sibling"),
        "early_return": ("remove-statement", "move-statement"),
        "loop_boundary": ("change-control", "insert-exit"),
        "skipped_loop": ("change-slice", "remove-statement", "reduce-expression"),
        "wrong_exception": ("change-exception",),
        "swapped_statements": ("move-statement",),
    }
)
"""By fault operator, templates by name."""


def weights_under(mix: Mapping[str, float]) -> dict[str, float]:
    """How much each template is worth under a mix of operators; the shares of an operator's templates are alike.

    Parameters
    ----------
    mix
        Share of the tasks by operator.

    Returns
    -------
    dict
        Sums to the share of the tasks whose operator is known; templates that undo nothing are absent.

    Examples
    --------
    >>> weights_under({"boolean_swap": 0.5, "skipped_loop": 0.5})["swap-boolean-operator"]
    0.5
    """
    weights: dict[str, float] = {}
    for operator, share in mix.items():
        names = UNDOING.get(operator, ())
        for name in names:
            weights[name] = weights.get(name, 0.0) + share / len(names)
    return weights
