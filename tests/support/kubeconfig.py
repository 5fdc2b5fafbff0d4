"""A kubeconfig of a server that asks for no credentials."""

from __future__ import annotations

import json
from pathlib import Path


def without_credentials(url: str, folder: Path) -> Path:
    """Written to the folder."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path
