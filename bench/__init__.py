"""Measurements of the operator and of films, each beside a plain peer. Never a test.

What is measured and how to read it: docs/performance.md.
"""
