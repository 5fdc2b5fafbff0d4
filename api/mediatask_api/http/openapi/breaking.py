"""What in a new OpenAPI document breaks clients of an old one. Pure.

Requests may only grow more tolerant, answers only richer. Operations are compared by parameters, bodies and answers,
field by field. It knows the JSON Schema that our documents have: objects, arrays, unions, enumerations, bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """One line for each."""
    return sorted(set(_Comparison(old, new).operations()))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._open: set[tuple[str, str, bool]] = set()
        """Pairs of schemas that are being compared: they may contain themselves."""

    def operations(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            for method in METHODS:
                if method not in item:
                    continue
                name, now = f"{method.upper()} {path}", self._new["paths"].get(path, {}).get(method)
                if now is None:
                    yield f"{name}: gone"
                    continue
                if item[method].get("operationId") != now.get("operationId"):
                    yield f"{name}: operationId {item[method].get('operationId')} is now {now.get('operationId')}"
                yield from self._parameters(name, item[method], now)
                yield from self._body(name, item[method], now)
                yield from self._answers(name, item[method], now)

    def _parameters(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        before = {(each["in"], each["name"]): each for each in old.get("parameters", [])}
        after = {(each["in"], each["name"]): each for each in new.get("parameters", [])}
        for key, parameter in before.items():
            place = f"{name}: {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{place}: gone"
            else:
                yield from self._compare(place, parameter["schema"], after[key]["schema"], sent=True)
        for key, parameter in after.items():
            if parameter.get("required") and not before.get(key, {}).get("required"):
                yield f"{name}: {key[0]} parameter {key[1]}: now required"

    def _body(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        for kind, media in old.get("requestBody", {}).get("content", {}).items():
            now = new.get("requestBody", {}).get("content", {}).get(kind)
            if now is None:
                yield f"{name}: no body of {kind} any more"
            else:
                yield from self._compare(f"{name}: body", media["schema"], now["schema"], sent=True)
        if "requestBody" in new and "requestBody" not in old:
            yield f"{name}: now has a body"

    def _answers(self, name: str, old: Schema, new: Schema) -> Iterator[str]:
        for status, answer in old["responses"].items():
            now = new["responses"].get(status)
            if now is None:
                if status < "400":
                    yield f"{name}: no answer {status} any more"
                continue
            for kind, media in answer.get("content", {}).items():
                other = now.get("content", {}).get(kind)
                if other is None:
                    yield f"{name}: answer {status} is not {kind} any more"
                elif "schema" in media and "schema" in other:
                    yield from self._compare(f"{name}: answer {status}", media["schema"], other["schema"], sent=False)
            yield from (
                f"{name}: answer {status} has no header {header} any more"
                for header in answer.get("headers", {})
                if header not in now.get("headers", {})
            )

    def _compare(self, place: str, old: Schema, new: Schema, *, sent: bool) -> Iterator[str]:
        """Changes between schemas of what clients send, or of what they are answered."""
        pair = (str(old.get("$ref")), str(new.get("$ref")), sent)
        if "$ref" in old and "$ref" in new:
            if pair in self._open:
                return
            self._open.add(pair)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        narrow, wide = (new, old) if sent else (old, new)
        yield from self._variants(place, old, new, sent=sent)
        if (types := _types(wide) - _types(narrow)) and _types(narrow):
            yield f"{place}: {'no longer takes' if sent else 'may now be'} {', '.join(sorted(types))}"
        yield from _values(place, wide, narrow, sent=sent)
        if sent:
            yield from _bounds(place, old, new)
        yield from self._fields(place, old, new, sent=sent)
        if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
            yield from self._compare(f"{place}[]", old["items"], new["items"], sent=sent)
        self._open.discard(pair)

    def _fields(self, place: str, old: Schema, new: Schema, *, sent: bool) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for field, schema in before.items():
            if field in after:
                yield from self._compare(f"{place}.{field}", schema, after[field], sent=sent)
            elif not sent or new.get("additionalProperties") is False:
                yield f"{place}.{field}: gone"
        required = set(new.get("required", [])) - set(old.get("required", []))
        optional = set(old.get("required", [])) - set(new.get("required", []))
        for field in sorted(required if sent else optional & set(after)):
            yield f"{place}.{field}: {'now required' if sent else 'may now be missing'}"

    def _variants(self, place: str, old: Schema, new: Schema, *, sent: bool) -> Iterator[str]:
        """Unions with a discriminator, variant by variant; others by their types alone."""
        before = old.get("discriminator", {}).get("mapping", {})
        after = new.get("discriminator", {}).get("mapping", {})
        for value, reference in before.items():
            if value not in after:
                yield f"{place}: no variant {value} any more"
            else:
                pair = {"$ref": reference}, {"$ref": after[value]}
                yield from self._compare(f"{place}({value})", *pair, sent=sent)


def _resolved(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _types(schema: Schema) -> set[str]:
    if "anyOf" in schema:
        return set().union(*(_types(part) for part in schema["anyOf"]))
    named = schema.get("type")
    return set(named) if isinstance(named, list) else {named} if named else set()


def _values(place: str, wide: Schema, narrow: Schema, *, sent: bool) -> Iterator[str]:
    """Values of an enumeration; without one, all are possible."""
    every, fewer = wide.get("enum"), narrow.get("enum")
    if "const" in wide:
        every = [wide["const"]]
    if "const" in narrow:
        fewer = [narrow["const"]]
    if fewer is None:
        return
    if every is None:
        yield f"{place}: {'takes only some values now' if sent else 'may have any value now'}"
        return
    lost = [str(value) for value in every if value not in fewer]
    if lost:
        yield f"{place}: {'no longer takes' if sent else 'may now be'} {', '.join(lost)}"


def _bounds(place: str, old: Schema, new: Schema) -> Iterator[str]:
    for bound in _LOWER:
        if bound in new and new[bound] > old.get(bound, float("-inf")):
            yield f"{place}: {bound} is now {new[bound]}"
    for bound in _UPPER:
        if bound in new and new[bound] < old.get(bound, float("inf")):
            yield f"{place}: {bound} is now {new[bound]}"
    if new.get("pattern", old.get("pattern")) != old.get("pattern"):
        yield f"{place}: another pattern"
