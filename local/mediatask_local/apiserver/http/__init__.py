"""Requests: paths and queries understood, bodies decoded, answers written."""
