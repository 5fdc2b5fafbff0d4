"""Assigning a pod to a node: `POST pods/NAME/binding`, the one way to set `spec.nodeName` of an existing pod."""

from __future__ import annotations

from typing import Any

from ..errors import ApiError, bad_request
from ..objects import Object, clone, timestamp


def bound(pod: Object, binding: Any) -> Object:
    """The pod as assigned to the binding's node.

    Raises:
        ApiError: 409 when the pod is already assigned, is being deleted, or has another UID; 400 without a target.
    """
    node = (binding.get("target") or {}).get("name") if isinstance(binding, dict) else None
    if not node:
        raise bad_request("target.name is required")
    metadata, given = pod["metadata"], binding.get("metadata") or {}
    if given.get("uid", metadata["uid"]) != metadata["uid"]:
        raise _refused(pod, f"Precondition failed: UID in object meta is {metadata['uid']}")
    if metadata.get("deletionTimestamp"):
        raise _refused(pod, f"pod {metadata['name']} is being deleted, cannot be assigned to a host")
    if pod["spec"].get("nodeName"):
        raise _refused(pod, f'pod {metadata["name"]} is already assigned to node "{pod["spec"]["nodeName"]}"')
    new: Object = clone(pod)
    new["spec"]["nodeName"] = node
    if given.get("annotations"):
        new["metadata"]["annotations"] = {**(metadata.get("annotations") or {}), **given["annotations"]}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp()}
    others = [each for each in pod["status"].get("conditions") or () if each["type"] != "PodScheduled"]
    new["status"]["conditions"] = [*others, scheduled]
    return new


def _refused(pod: Object, why: str) -> ApiError:
    name = pod["metadata"]["name"]
    return ApiError(409, "Conflict", f'Operation cannot be fulfilled on pods/binding "{name}": {why}')
