"""The node and what fits on it."""
