"""Defaults and validation of the built-in kinds, in code where custom resources have schemas."""
