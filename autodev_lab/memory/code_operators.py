"""Methods that are called without being named: by operators, comparisons and builtin functions.

Python's data model (Language Reference, section 3.3) says which; reflected methods (``__radd__``) are left out, for
which of the two is called only a run can tell.
"""

from __future__ import annotations

import ast

__all__ = ["BUILTINS", "COMPARISONS", "OPERATORS"]

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "__eq__", ast.NotEq: "__ne__", ast.Lt: "__lt__", ast.LtE: "__le__", ast.Gt: "__gt__", ast.GtE: "__ge__",
    ast.In: "__contains__", ast.NotIn: "__contains__",
}  # fmt: skip
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "__add__", ast.Sub: "__sub__", ast.Mult: "__mul__", ast.Div: "__truediv__", ast.FloorDiv: "__floordiv__",
    ast.Mod: "__mod__", ast.Pow: "__pow__", ast.MatMult: "__matmul__", ast.BitAnd: "__and__", ast.BitOr: "__or__",
    ast.BitXor: "__xor__", ast.LShift: "__lshift__", ast.RShift: "__rshift__",
}  # fmt: skip
BUILTINS = {
    "len": "__len__", "str": "__str__", "repr": "__repr__", "iter": "__iter__", "next": "__next__", "hash": "__hash__",
    "bool": "__bool__", "abs": "__abs__", "reversed": "__reversed__", "list": "__iter__", "tuple": "__iter__",
    "set": "__iter__", "sorted": "__iter__", "int": "__int__", "float": "__float__", "bytes": "__bytes__",
}  # fmt: skip
