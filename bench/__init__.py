"""Measurements of the operator on a real API server, beside a textbook kopf operator. Never a test.

What is measured and how to read it: docs/performance.md.
"""
