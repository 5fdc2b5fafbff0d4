"""CEL rules: the walk over schema and object, transitions, and the folded evaluation."""

from __future__ import annotations

from typing import Any

import celpy
import pytest

from mediatask_local.apiserver.cel import rules as cel
from mediatask_local.apiserver.cel.engine import compile_expression


def rules(*entries: dict[str, Any], **properties: Any) -> cel.Rules:
    schema = {"type": "object", "properties": properties, "x-kubernetes-validations": list(entries)}
    compiled = cel.compile_rules(schema)
    assert compiled is not None
    return compiled


def problems(value: Any, compiled: cel.Rules, old: Any = None) -> list[str]:
    return [str(error) for error in cel.check(value, compiled, old, "spec")]


INTEGER = {"type": "integer"}
STRING = {"type": "string"}


def test_message_reason_and_field_path() -> None:
    compiled = rules(
        {"rule": "self.n < 3", "message": "too much", "fieldPath": ".n", "reason": "FieldValueForbidden"}, n=INTEGER
    )
    assert problems({"n": 2}, compiled) == []
    assert problems({"n": 3}, compiled) == ["spec.n: Forbidden: too much"]


def test_a_message_expression_wins_over_the_message() -> None:
    entry = {"rule": "self.n < 3", "messageExpression": "'n is ' + string(self.n)", "message": "plain"}
    assert problems({"n": 5}, rules(entry, n=INTEGER)) == ["spec: Invalid value: n is 5"]


def test_a_failing_message_expression_falls_back() -> None:
    entry = {"rule": "self.n < 3", "messageExpression": "self.missing", "message": "plain"}
    assert problems({"n": 5}, rules(entry, n=INTEGER)) == ["spec: Invalid value: plain"]


def test_without_message_the_rule_is_shown() -> None:
    assert problems({"n": 5}, rules({"rule": "self.n < 3"}, n=INTEGER)) == [
        "spec: Invalid value: failed rule: self.n < 3"
    ]


def test_transition_rules_need_an_old_value() -> None:
    compiled = rules({"rule": "self.n >= oldSelf.n", "message": "m"}, n=INTEGER)
    assert problems({"n": 1}, compiled) == []
    assert problems({"n": 1}, compiled, {"n": 2}) == ["spec: Invalid value: m"]
    assert problems({"n": 2}, compiled, {"n": 2}) == []


def test_a_transition_rule_may_refuse_even_what_did_not_change() -> None:
    compiled = rules({"rule": "self.n > oldSelf.n", "message": "m"}, n=INTEGER)
    for _ in range(2):
        assert problems({"n": 2}, compiled, {"n": 2}) == ["spec: Invalid value: m"]


def test_rules_without_old_value_rest_while_nothing_changes() -> None:
    compiled = rules({"rule": "self.n < 3", "message": "m"}, n=INTEGER)
    assert problems({"n": 9}, compiled, {"n": 9}) == []
    assert problems({"n": 9}, compiled, {"n": 8}) == ["spec: Invalid value: m"]


def test_list_maps_compare_items_by_key() -> None:
    item = {
        "type": "object",
        "properties": {"id": STRING, "n": INTEGER},
        "x-kubernetes-validations": [{"rule": "self.n >= oldSelf.n", "message": "m"}],
    }
    compiled = rules(
        l={"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}
    )
    old = {"l": [{"id": "a", "n": 1}, {"id": "b", "n": 5}]}
    new = {"l": [{"id": "b", "n": 4}, {"id": "a", "n": 2}, {"id": "c", "n": 0}]}
    assert problems(new, compiled, old) == ["spec.l[0]: Invalid value: m"]


def test_fields_that_the_schema_does_not_know_are_invisible() -> None:
    compiled = rules({"rule": "!has(self.hidden)"}, n=INTEGER)
    assert problems({"n": 1, "hidden": 2}, compiled) == []


def test_names_that_cel_keeps_for_itself() -> None:
    compiled = rules(
        {"rule": "self.__namespace__ == 'a' && self.a__dash__b == 'c'"}, **{"namespace": STRING, "a-b": STRING}
    )
    assert problems({"namespace": "a", "a-b": "c"}, compiled) == []


def test_times_and_numbers_have_their_types() -> None:
    compiled = rules(
        {"rule": "self.t > timestamp('2020-01-01T00:00:00Z') && self.x == 2.0"},
        t={"type": "string", "format": "date-time"},
        x={"type": "number"},
    )
    assert problems({"t": "2026-01-01T00:00:00Z", "x": 2}, compiled) == []


def test_a_rule_that_cannot_be_evaluated_fails_the_write() -> None:
    [problem] = problems({"n": 1}, rules({"rule": "self.s == 'a'"}, n=INTEGER, s=STRING))
    assert problem.startswith("spec: Invalid value: rule evaluation error")


def test_a_rule_that_does_not_compile_is_found_at_once() -> None:
    with pytest.raises(cel.CompileError, match="compilation failed") as caught:
        cel.compile_rules({"type": "object", "properties": {"a": {"x-kubernetes-validations": [{"rule": "self.("}]}}})
    assert caught.value.path == ".properties[a].x-kubernetes-validations[0].rule"


CONTEXT = {"name": "abc", "items": ["ab", "ac"], "map": {"x": 1}, "empty": {}, "n": 3}
EXPRESSIONS = [
    "self.name == 'abc'",
    "self.items.exists_one(i, i == 'ab') && self.n + 1 > 2",
    "self.items.all(i, i.startsWith('a'))",
    "[has(self.map.x), has(self.map.y)].filter(x, x).size() == 1",
    "self.items.map(i, size(i))[0] == 2 ? self.map.all(k, self.map[k] > 0) : false",
    "!(!has(self.q)) || -self.n < 0 && {'a': 1}.a == 1",
    "has(self.q.z) || self.n in [3, 4]",
    "self.name.matches('^a') && 'x' in self.map && self.items.exists(i, self.items.exists(j, i != j))",
    "self.q > 3 || true",
    "true || self.q > 3",
    "self.q > 3 && false",
    "false && self.q > 3",
    "self.n * 2 - 1 == 5 && self.n % 2 == 1",
    "size(self.empty) == 0 && self.name.contains('b') && self.name.endsWith('c')",
    "dyn(self.n) == 3 ? 'yes' : 'no'",
    "self.name + string(self.n)",
    "(self.n > 1 && self.n < 5) || !(self.n == 4)",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_folding_changes_no_result(expression: str) -> None:
    variables = {"self": celpy.json_to_cel(CONTEXT)}
    environment = celpy.Environment()
    plain = environment.program(environment.compile(expression)).evaluate(variables)
    assert compile_expression(expression).evaluate(variables) == plain


def test_errors_stay_errors() -> None:
    with pytest.raises(celpy.CELEvalError):
        compile_expression("self.q > 3 || false").evaluate({"self": celpy.json_to_cel(CONTEXT)})


def test_fields_that_no_rule_reads_are_not_looked_at() -> None:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    part = {"type": "object", "properties": {"n": INTEGER, "all": free, "rest": free}}
    entry = {"rule": "self.a.n == oldSelf.a.n || has(self.b)", "message": "m"}
    compiled = rules(entry, a=part, b=STRING)
    assert compiled.reads == {"a": {"n": None}, "b": None}
    assert problems({"a": {"n": 1, "rest": object()}}, compiled, {"a": {"n": 1}}) == []
    assert problems({"a": {"n": 1}}, compiled, {"a": {"n": 2}}) == ["spec: Invalid value: m"]
    assert problems({"a": {"n": 1}, "b": "x"}, compiled, {"a": {"n": 2}}) == []


def test_a_rule_that_reads_a_whole_value_sees_all_of_it() -> None:
    free = {"type": "object", "additionalProperties": INTEGER}
    for rule, expected in {
        "self.a.all(key, key != 'x')": {"a": None},
        "dyn(self).all(key, key != 'a')": None,
        "self.all(key, key != 'a')": None,
        "self.a == oldSelf.a && self.a.x == 1": {"a": None},
        "self.a.x == 1 && self.a == oldSelf.a": {"a": None},
        "self['a'].x == 1": None,
    }.items():
        assert rules({"rule": rule, "message": "m"}, a=free).reads == expected, rule
    assert problems({"a": {"x": 1}}, rules({"rule": "self.a.all(key, key != 'x')", "message": "m"}, a=free)) == [
        "spec: Invalid value: m"
    ]
