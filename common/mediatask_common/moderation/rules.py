"""The platform team's rules, as they stand in a ConfigMap, and what they say about texts. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import re2
import yaml
from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from mediatask_crds.base import Resource
from mediatask_crds.task import Name, ProjectId

from .decoding import readings, rotated
from .letters import fold
from .words import Spelling, Word, spellings, unmasked

ENTRY_LIMIT = 128 * 1024
"""Characters of an entry."""
TEXT_LIMIT = 256 * 1024
"""Characters of all texts together that are read: as much as a task may have."""
_LEAST_ROTATED = 4
"""Letters of words that are looked for in ROT13: shorter ones are other words by it."""
_PATTERN_MEMORY = 1 << 20


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    options.case_sensitive = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(f"not a regular expression of RE2: {str(error)[:200]}") from None


def _check_pattern(pattern: str) -> str:
    if _compiled(pattern).search("") is not None:
        raise ValueError("it matches the empty text, and so every text")
    return pattern


def _check_word(word: str) -> str:
    Word.parse(word)
    return word


class Rule(Resource):
    """What is not wanted, and what to do about it."""

    # Errors without the input: YAML's aliases make text of a few lines that takes gigabytes to spell out.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, ignored_types=(cached_property,))

    id: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    """What is told of the rule; it goes to callers."""
    action: Literal["refuse", "hold"]
    """Refuse the task, or run it and hold its media for a review."""
    words: Annotated[
        list[Annotated[str, Field(max_length=128), AfterValidator(_check_word)]], Field(max_length=5000)
    ] = []
    """Words and phrases, found in whatever spelling; `*` at an end: longer words count, too."""
    patterns: Annotated[
        list[Annotated[str, Field(max_length=512), AfterValidator(_check_pattern)]], Field(max_length=100)
    ] = []
    """Regular expressions of RE2, for text in lower case and plain letters."""
    projects: Annotated[list[ProjectId], Field(max_length=1000)] | None = None
    """Projects that it is for; all where absent."""
    classes: Annotated[list[Name], Field(max_length=100)] | None = None
    """Classes that it is for; all where absent."""

    @cached_property
    def parsed(self) -> list[Word]:
        return [Word.parse(word) for word in self.words]

    @cached_property
    def compiled(self) -> list[Any]:
        return [_compiled(pattern) for pattern in self.patterns]

    def concerns(self, project: str, class_name: str) -> bool:
        """Whether it is for tasks of the project and class."""
        return (self.projects is None or project in self.projects) and (
            self.classes is None or class_name in self.classes
        )


@dataclass(frozen=True)
class Judgement:
    """What the rules say about a request."""

    decision: Literal["allow", "hold", "refuse"]
    rules: tuple[str, ...] = ()
    """Ids of those that apply, the ones that decide first."""


@dataclass(frozen=True)
class RuleBook:
    """All rules of an installation."""

    rules: tuple[Rule, ...] = ()
    faults: Mapping[str, str] = ()  # type: ignore[assignment]
    """Entries that cannot be used, by key, and why. While there are some, nobody knows what is allowed."""
    digest: str = ""
    """Changes with the rules."""

    def judge(self, texts: Iterable[str], project: str, class_name: str) -> Judgement:
        """What the rules say about a request's texts. Takes time in proportion to their length."""
        concerned = [rule for rule in self.rules if rule.concerns(project, class_name)]
        found: dict[str, Rule] = {}
        room = TEXT_LIMIT
        for text in texts:
            left = [rule for rule in concerned if rule.id not in found]
            if not left:
                break
            found |= {rule.id: rule for rule in _applying(text[: max(room, 0)], left)}
            room -= len(text)
        refusing = [rule.id for rule in found.values() if rule.action == "refuse"]
        holding = [rule.id for rule in found.values() if rule.action == "hold"]
        decision: Literal["allow", "hold", "refuse"] = "refuse" if refusing else "hold" if holding else "allow"
        return Judgement(decision, tuple(sorted(refusing) + sorted(holding))[:16])


def _applying(text: str, rules: Sequence[Rule]) -> list[Rule]:
    found: dict[str, Rule] = {}
    for reading in readings(text):
        folded = fold(reading)
        for version, least in ((folded, 0), (rotated(folded), _LEAST_ROTATED)):
            left = [rule for rule in rules if rule.id not in found]
            found |= {rule.id: rule for rule in left if _applies(rule, version, least)}
    return list(found.values())


def _applies(rule: Rule, folded: str, least: int) -> bool:
    if not least and any(pattern.search(folded) is not None for pattern in rule.compiled):
        return True
    words = [word for word in rule.parsed if len(word.letters) >= least]
    for spelling, in_leet in spellings(folded):
        if any(spelling.has(word, word.as_leet if in_leet else word.letters) for word in words):
            return True
    return not least and any(Spelling(text).has(word, word.letters) for text, word in unmasked(folded, words))


def read_rules(data: Mapping[str, Any]) -> RuleBook:
    """The rules of a ConfigMap, one an entry."""
    found: dict[str, Rule] = {}
    faults: dict[str, str] = {}
    for key, text in data.items():
        try:
            if len(text) > ENTRY_LIMIT:
                raise ValueError(f"longer than {ENTRY_LIMIT} characters")
            rule = Rule.model_validate(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
            if rule.id in found:
                raise ValueError(f"there is another rule {rule.id}")
            found[rule.id] = rule
        except (ValidationError, ValueError, TypeError, yaml.YAMLError, RecursionError) as error:
            faults[key] = str(error)[:500]
    content = "\0".join(f"{key}\0{data[key]}" for key in sorted(data))
    return RuleBook(tuple(found.values()), faults, hashlib.sha256(content.encode(errors="replace")).hexdigest()[:16])
