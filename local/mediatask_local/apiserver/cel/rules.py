"""`x-kubernetes-validations`: CEL rules at any level of a schema, compiled once per CustomResourceDefinition.

A rule sees `self`, the value at its level, and, if it refers to it, `oldSelf`, the stored value there. Rules with
`oldSelf` are transition rules: they run on updates only, where both values exist. Other rules are skipped where the
value did not change. cel-python evaluates rules; this module types the values by schema and walks schema and object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import FieldError, shown
from ..objects import encode
from ..schema.schema import Schema, child, item_schema, keeps_unknown, list_identity, property_schema

if TYPE_CHECKING:
    from celpy import Runner


_SETTLED_LIMIT = 4096


class CompileError(Exception):
    """A rule is not a valid CEL expression. `path` is its path in the schema, the message says why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path


@dataclass(frozen=True)
class Rule:
    """One entry of `x-kubernetes-validations`, compiled."""

    source: str
    program: Runner
    message: str
    message_program: Runner | None
    reason: str
    field_path: str
    is_transition: bool


Reads = dict[str, "Reads"] | None
"""The fields that rules read, by name; None: all there are. Status writes need not turn a large spec into CEL."""


@dataclass
class Rules:
    """The rules of one schema level, and of the levels below it that have any."""

    schema: Schema
    here: list[Rule] = field(default_factory=list)
    properties: dict[str, Rules] = field(default_factory=dict)
    additional: Rules | None = None
    items: Rules | None = None
    reads: Reads = None
    # JSON of values that passed all rules unchanged; most status updates leave the spec unchanged.
    settled: set[bytes] = field(default_factory=set)

    def empty(self) -> bool:
        return not (self.here or self.properties or self.additional or self.items)


def compile_rules(schema: Schema, path: str = "") -> Rules | None:
    """All rules of a schema; None when it has none. Raises CompileError."""
    rules = Rules(schema)
    for index, entry in enumerate(schema.get("x-kubernetes-validations", ())):
        try:
            rules.here.append(_compile_rule(entry))
        except ValueError as error:
            raise CompileError(f"{path}.x-kubernetes-validations[{index}].rule", str(error)) from error
    rules.reads = _reads(schema.get("x-kubernetes-validations", ()))
    for name, part in schema.get("properties", {}).items():
        compiled = compile_rules(part, f"{path}.properties[{name}]")
        if compiled:
            rules.properties[name] = compiled
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        rules.additional = compile_rules(additional, f"{path}.additionalProperties")
    if isinstance(schema.get("items"), dict):
        rules.items = compile_rules(schema["items"], f"{path}.items")
    return None if rules.empty() else rules


def _reads(entries: Iterable[Mapping[str, Any]]) -> Reads:
    """What rules read of `self` and `oldSelf`; all where one of them stands alone or a name is escaped."""
    text = " ".join(f"{entry['rule']} {entry.get('messageExpression', '')}" for entry in entries)
    if re.search(r"\b(?:self|oldSelf)\b(?!\.\w+\b(?!\s*\())|__", text):
        return None
    tree: dict[str, Reads] = {}
    # A name before a parenthesis is a function's, not a field's.
    for path in re.findall(r"\b(?:self|oldSelf)((?:\.\w+\b(?!\s*\())+)", text):
        *parents, last = path[1:].split(".")
        node: Reads = tree
        for name in parents:
            node = node.setdefault(name, {}) if node is not None else None
        if node is not None:
            node[last] = None
    return tree


def _read(value: Any, reads: Reads) -> Any:
    """The value without the fields that no rule reads."""
    if reads is None or not isinstance(value, dict):
        return value
    return {name: _read(item, reads[name]) for name, item in value.items() if name in reads}


def _compile_rule(entry: Mapping[str, Any]) -> Rule:
    source = entry["rule"]
    message_expression = entry.get("messageExpression")
    return Rule(
        source=source,
        program=_compile(source),
        message=entry.get("message", ""),
        message_program=_compile(message_expression) if message_expression else None,
        reason=entry.get("reason", "FieldValueInvalid"),
        field_path=entry.get("fieldPath", ""),
        is_transition=bool(re.search(r"\boldSelf\b", source)),
    )


@lru_cache(maxsize=1024)
def _compile(source: str) -> Runner:
    # celpy takes 0.2 s to import; a server without rules starts without it.
    from celpy import CELParseError

    from .engine import compile_expression

    try:
        return compile_expression(source)
    except CELParseError as error:
        raise ValueError(f"compilation failed: {error.args[0]}") from error


def check(value: Any, rules: Rules | None, old: Any = None, path: str = "") -> Iterator[FieldError]:
    """Violations of all rules in `value`; `old` is the stored value at the same place (None on create)."""
    if rules is None or value is None:
        return
    if rules.here:
        yield from _check_here(value, rules, old, path)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for name, item in value.items():
            below = rules.properties.get(name) or (
                rules.additional if name not in rules.schema.get("properties", {}) else None
            )
            if below:
                yield from check(item, below, before.get(name), child(path, name))
    elif isinstance(value, list) and rules.items:
        keys = rules.schema.get("x-kubernetes-list-map-keys")
        # Items of other lists have no identity over time, so transition rules never run on them.
        known = {list_identity(x, keys): x for x in old} if keys and isinstance(old, list) else {}
        for index, item in enumerate(value):
            earlier = known.get(list_identity(item, keys))
            yield from check(item, rules.items, earlier, f"{path}[{index}]")


def _check_here(value: Any, rules: Rules, old: Any, path: str) -> Iterator[FieldError]:
    value, old = _read(value, rules.reads), _read(old, rules.reads)
    unchanged = old is not None and value == old
    wanted = [rule for rule in rules.here if (old is not None if rule.is_transition else not unchanged)]
    if not wanted:
        return
    fingerprint = encode(value) if unchanged else b""
    if fingerprint in rules.settled:
        return
    variables = {"self": to_cel(value, rules.schema)}
    if old is not None:
        variables["oldSelf"] = variables["self"] if unchanged else to_cel(old, rules.schema)
    passed = True
    for rule in wanted:
        problem = _evaluate(rule, variables)
        if problem is not None:
            passed = False
            where = path + rule.field_path
            prefix = _REASON_PREFIX[rule.reason]
            if prefix.startswith(("Invalid", "Duplicate")) and not isinstance(value, (dict, list)):
                prefix += f"{shown(value)}: "
            yield FieldError(where.lstrip(".") or "<nil>", rule.reason, prefix + problem)
    if unchanged and passed:
        if len(rules.settled) >= _SETTLED_LIMIT:
            rules.settled.clear()
        rules.settled.add(fingerprint)


_REASON_PREFIX = {
    "FieldValueInvalid": "Invalid value: ",
    "FieldValueForbidden": "Forbidden: ",
    "FieldValueRequired": "Required value: ",
    "FieldValueDuplicate": "Duplicate value: ",
}
# Errors after which rules would run on values that they were not written for.
_BLOCKING = frozenset(f"FieldValue{kind}" for kind in ("NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid"))
_NOT_CHECKED = FieldError(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)


def check_unless_blocked(value: Any, rules: Rules | None, old: Any, found: list[FieldError]) -> list[FieldError]:
    """Violations of the rules, or a note that the errors in `found` kept them from running."""
    if rules is None:
        return []
    if any(error.reason in _BLOCKING for error in found):
        return [_NOT_CHECKED]
    return list(check(value, rules, old))


def _evaluate(rule: Rule, variables: dict[str, Any]) -> str | None:
    """None when the rule holds, else the message to show."""
    from celpy import CELEvalError

    try:
        if rule.program.evaluate(variables):
            return None
    except CELEvalError as error:
        return f"rule evaluation error: {error.args[0]}"
    if rule.message_program is not None:
        try:
            text = str(rule.message_program.evaluate(variables)).strip()
        except CELEvalError:
            text = ""
        if text:
            return text
    return rule.message or f"failed rule: {rule.source}"


def to_cel(value: Any, schema: Schema) -> Any:
    """A JSON value as a CEL value, typed by its schema; fields that are not in the schema are invisible."""
    from celpy import celtypes

    if value is None:
        return None
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, (int, float)):
        if schema.get("type") == "number" or isinstance(value, float):
            return celtypes.DoubleType(value)
        return celtypes.IntType(value)
    if isinstance(value, str):
        if schema.get("format") == "date-time":
            return celtypes.TimestampType(value)
        if schema.get("format") == "duration":
            return celtypes.DurationType(value)
        return celtypes.StringType(value)
    if isinstance(value, list):
        return celtypes.ListType([to_cel(item, item_schema(schema)) for item in value])
    typed = {}
    for name, item in value.items():
        part = property_schema(schema, name)
        if part is not None and item is not None:
            known = name in schema.get("properties", {})
            key = identifier(name) if known or keeps_unknown(schema) else name
            typed[celtypes.StringType(key)] = to_cel(item, part)
    return celtypes.MapType(typed)


# Reserved words of CEL; a field of such a name is accessed as, for example, `__namespace__`.
_RESERVED = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function"),
        *("if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)


def identifier(name: str) -> str:
    """A property's name as a CEL identifier, escaped as in Kubernetes."""
    if name in _RESERVED:
        return f"__{name}__"
    escaped = name.replace("__", "__underscores__").replace(".", "__dot__")
    return escaped.replace("-", "__dash__").replace("/", "__slash__")
