"""How often callers may call, and projects take tasks."""
