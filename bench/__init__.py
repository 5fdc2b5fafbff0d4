"""Measurements of the operator on a real API server, beside a textbook kopf operator. Never a test: see docs/performance.md."""
