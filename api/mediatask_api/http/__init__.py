"""HTTP itself: errors, bodies, the OpenAPI document."""

BASE = "/api/v1"
"""Prefix of all public routes."""
