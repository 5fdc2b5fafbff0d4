"""An embedded Kubernetes API server: strict semantics, one process, one SQLite file.

It exists so that the operator, the API and `kubectl` run unchanged on a machine without a cluster. Whatever it serves
behaves as the real API server does (`tests/conformance` runs against both); anything else gets a clear error.
"""
