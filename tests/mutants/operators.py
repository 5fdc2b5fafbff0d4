"""The changes that are made to a module: one mutant each. Pure.

Annotations, docstrings, logging and assertions are left alone: nothing that a test could see depends on them.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}


@dataclass(frozen=True)
class Mutant:
    """One change."""

    id: str
    """The same as long as the function and the changed code are: module, function, change, and which of several."""
    line: int
    source: str
    """The whole module with the change in it."""


def mutants_of(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(source)
    found, seen = [], Counter[str]()
    for scope, node, new in _changes(tree):
        old = ast.get_source_segment(source, node)
        if old is None:
            continue
        text = "pass" if isinstance(new, ast.Pass) else ast.unparse(new)
        name = f"{module}:{scope}: {_short(old)} -> {_short(text)}"
        seen[name] += 1
        id_ = name if seen[name] == 1 else f"{name} #{seen[name]}"
        found.append(Mutant(id_, node.lineno, _replaced(source, node, text)))
    return sorted(found, key=lambda mutant: mutant.line)


def _changes(tree: ast.Module) -> Iterator[tuple[str, ast.expr | ast.stmt, ast.AST]]:
    """Where, what, and what instead."""

    def walk(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.expr | ast.stmt, ast.AST]]:
        if _left_alone(node):
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            scope = f"{scope}.{node.name}" if scope else node.name
            for child in (*node.body, *_defaults(node)):
                yield from walk(child, scope)
            return
        if isinstance(node, (ast.expr, ast.stmt)):
            for new in _instead(node):
                yield scope or "module", node, new
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.AnnAssign) and child is node.annotation):
                yield from walk(child, scope)

    for statement in tree.body:
        yield from walk(statement, "")


def _defaults(node: ast.AST) -> list[ast.expr]:
    arguments = getattr(node, "args", None)
    return [default for default in (*arguments.defaults, *arguments.kw_defaults) if default] if arguments else []


def _left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Assert() | ast.JoinedStr():
            return True
        case ast.Expr(value=ast.Constant()):  # a docstring
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log")))):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar"))) | ast.Assign(value=ast.BinOp(op=ast.BitOr())):
            return True  # types
    return False


def _instead(node: ast.expr | ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in _COMPARISONS[type(operator)]:
                    yield _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])
        case ast.BoolOp():
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
            for index in range(len(node.values)):
                rest = [value for place, value in enumerate(node.values) if place != index]
                yield rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.BinOp() if type(node.op) in _ARITHMETIC and not isinstance(node.left, ast.Constant | ast.JoinedStr):
            yield _with(node, op=_ARITHMETIC[type(node.op)]())
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(node.value + 1)  # type: ignore[operator]
        case ast.Subscript(slice=ast.Slice()):
            yield node.value
        case ast.Call(func=ast.Name(id=name)) if name in _NAMES:
            if name != "sorted" or not node.keywords or len(node.args) == 1:
                keywords = [] if name == "sorted" else node.keywords
                yield _with(node, func=ast.Name(_NAMES[name]), keywords=keywords)
        case ast.Expr(value=ast.Call() | ast.Await() | ast.YieldFrom()):
            yield ast.Pass()
        case ast.AugAssign():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.Delete():
            yield ast.Pass()
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and not value.value):
            yield ast.Return(ast.Constant(None))
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _with(node: ast.AST, **changes: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def _replaced(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    """The source with a node's text replaced; the parser counts columns in bytes."""
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    first, last = node.lineno - 1, node.end_lineno - 1
    new = text.encode() if isinstance(node, ast.stmt) else b"(" + text.encode() + b")"
    changed = lines[first][: node.col_offset] + new + lines[last][node.end_col_offset :]
    return b"".join([*lines[:first], changed, *lines[last + 1 :]]).decode()


def _short(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= 70 else joined[:69] + "…"
