"""Webhooks of tasks: what became of them, and delivery anew."""
