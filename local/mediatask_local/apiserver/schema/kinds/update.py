"""Generate `kubernetes.json` from the OpenAPI documents of a real API server.

    python -m mediatask_local.apiserver.schema.kinds.update KUBECONFIG

Run it against the Kubernetes version whose behaviour the embedded server follows.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from ...registry.resources import BUILTIN
from . import BINDING, DELETE_OPTIONS, OBJECT_META, REFERENCE, TOKEN_REQUEST

_DROPPED = ("description", "x-kubernetes-unions")


def _document(kubeconfig: str, group: str, version: str) -> dict[str, Any]:
    path = f"apis/{group}/{version}" if group else f"api/{version}"
    command = ["kubectl", "--kubeconfig", kubeconfig, "get", "--raw", f"/openapi/v3/{path}"]
    document: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return document


def _stripped(node: Any) -> Any:
    if isinstance(node, list):
        return [_stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _stripped(part) for name, part in value.items()} if key == "properties" else _stripped(value)
        for key, value in node.items()
        if key not in _DROPPED
    }


def main(kubeconfig: str) -> None:
    schemas: dict[str, Any] = {}
    for group, version in sorted({(resource.group, resource.version) for resource in BUILTIN}):
        schemas.update(_document(kubeconfig, group, version)["components"]["schemas"])
    wanted = {(resource.group, resource.version, resource.kind) for resource in BUILTIN}
    pending = [OBJECT_META, TOKEN_REQUEST, BINDING, DELETE_OPTIONS]
    for name, node in schemas.items():
        kinds = node.get("x-kubernetes-group-version-kind", ())
        if any((kind["group"], kind["version"], kind["kind"]) in wanted for kind in kinds):
            pending.append(name)
    kept: dict[str, Any] = {}
    while pending:
        name = pending.pop()
        if name not in kept:
            kept[name] = _stripped(schemas[name])
            pending += re.findall(f'"{REFERENCE}([^"]+)"', json.dumps(kept[name]))
    lines = [f"{json.dumps(name)}: {json.dumps(kept[name], sort_keys=True)}" for name in sorted(kept)]
    Path(__file__).with_name("kubernetes.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
