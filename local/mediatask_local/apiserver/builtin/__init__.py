"""Defaults and checks of the built-in kinds, which have code where custom resources have schemas."""
