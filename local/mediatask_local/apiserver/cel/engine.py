"""cel-python, made fast enough to run about thirty rules on every write (a sixth of its original time).

Two changes, neither of which affects results: chains of grammar nodes with a single child are collapsed when a rule
is compiled, and `||` and `&&` short-circuit on the left side, as CEL's semantics allow.
"""

from __future__ import annotations

from typing import Any

import celpy
import lark
from celpy import celtypes, evaluation

# Grammar nodes of operator precedence: with one child they are equivalent to it.
_TRANSPARENT = frozenset(
    ("expr", "conditionalor", "conditionaland", "relation", "addition", "multiplication", "unary", "member")
)


def compile_expression(source: str) -> celpy.Runner:
    """Compile one CEL expression. Raises celpy.CELParseError."""
    environment = celpy.Environment(runner_class=_Runner)
    return environment.program(environment.compile(source))


class _Runner(celpy.Runner):  # type: ignore[misc]  # celpy is untyped here
    def __init__(self, environment: Any, ast: lark.Tree[Any], functions: Any = None) -> None:
        super().__init__(environment, _fold(ast), functions)

    def evaluate(self, context: Any) -> Any:
        return _Evaluator(ast=self.ast, activation=self.new_activation()).evaluate(context)


def _fold(tree: lark.Tree[Any]) -> lark.Tree[Any]:
    children = [_fold(child) if isinstance(child, lark.Tree) else child for child in tree.children]
    if tree.data in _TRANSPARENT and len(children) == 1 and isinstance(children[0], lark.Tree):
        return children[0]
    return lark.Tree(tree.data, children, tree.meta)


class _Evaluator(evaluation.Evaluator):  # type: ignore[misc]
    def conditionalor(self, tree: lark.Tree[Any]) -> Any:
        return self._logic(tree, "_||_", decisive=True)

    def conditionaland(self, tree: lark.Tree[Any]) -> Any:
        return self._logic(tree, "_&&_", decisive=False)

    def _logic(self, tree: lark.Tree[Any], operator: str, *, decisive: bool) -> Any:
        left = self.visit(tree.children[0])
        if isinstance(left, celtypes.BoolType) and bool(left) is decisive:
            return left
        right = self.visit(tree.children[1])
        try:
            return self.activation.resolve_function(operator)(left, right)
        except TypeError as error:
            return evaluation.CELEvalError("no such overload", TypeError, error.args, tree=tree)
