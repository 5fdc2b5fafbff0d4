"""The cluster that a test session was given: the user's own, or one of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Provided:
    """What tests may know about it.

    Attributes:
        kubeconfig: the administrator's.
        plays_stages: pods do what the annotations of `stages.yaml` say.
        audit_log: every request, when the cluster writes one that can be read here.
    """

    kubeconfig: Path
    plays_stages: bool = False
    audit_log: Path | None = None
