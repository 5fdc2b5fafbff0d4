"""The one error of the harness."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster cannot be built, started or found; the message says what to do or where to look."""
