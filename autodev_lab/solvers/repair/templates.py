"""The catalogue of repair templates, in canonical order."""

from __future__ import annotations

from autodev_lab.solvers.repair.template import Template
from autodev_lab.solvers.repair.templates_calls import CALL_TEMPLATES
from autodev_lab.solvers.repair.templates_conditions import CONDITION_TEMPLATES
from autodev_lab.solvers.repair.templates_insertions import INSERTION_TEMPLATES
from autodev_lab.solvers.repair.templates_operators import OPERATOR_TEMPLATES
from autodev_lab.solvers.repair.templates_pairs import PAIR_TEMPLATES
from autodev_lab.solvers.repair.templates_siblings import SIBLING_TEMPLATES
from autodev_lab.solvers.repair.templates_statements import STATEMENT_TEMPLATES
from autodev_lab.solvers.repair.templates_synthesis import SYNTHESIS_TEMPLATES
from autodev_lab.solvers.repair.templates_values import VALUE_TEMPLATES

__all__ = ["TEMPLATES"]

TEMPLATES: tuple[Template, ...] = (
    *CONDITION_TEMPLATES,
    *OPERATOR_TEMPLATES,
    *VALUE_TEMPLATES,
    *CALL_TEMPLATES,
    *STATEMENT_TEMPLATES,
    *INSERTION_TEMPLATES,
    *SIBLING_TEMPLATES,
    *SYNTHESIS_TEMPLATES,
    *PAIR_TEMPLATES,
)
"""Every template; earlier ones own a candidate that later ones would make too."""
