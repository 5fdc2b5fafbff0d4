"""What may not be asked for: texts as a model or a person would read them, and the platform team's rules. Pure."""

from .rules import Judgement, Rule, RuleBook, read_rules

__all__ = ["Judgement", "Rule", "RuleBook", "read_rules"]
