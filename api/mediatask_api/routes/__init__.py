"""The HTTP routes: thin, they translate between HTTP and the services."""

BASE = "/api/v1"
"""Prefix of all public routes."""
