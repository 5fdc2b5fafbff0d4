"""The peer: an operator as kopf's documentation teaches it. A task's creation makes its Job, a Job's event its status.

Started with `kopf run`. Handlers are plain functions that use the official client, and kopf's settings are left
alone: this is what one writes in an afternoon, not what one could make of kopf.
"""

from __future__ import annotations

from typing import Any

import kopf
import kubernetes

GROUP, VERSION, PLURAL = "bench.ft.tc", "v1", "plaintasks"
LABEL = "bench.ft.tc/task"
GPU = "nvidia.com/gpu"


@kopf.on.create(GROUP, VERSION, PLURAL)
def create_job(name: str, namespace: str, spec: kopf.Spec, **_: Any) -> dict[str, str]:
    """The task's Job; kopf stores what is returned in the task's status."""
    job: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{name}-job", "labels": {LABEL: name}},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {LABEL: name}},
                "spec": {
                    "restartPolicy": "Never",
                    "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [
                        {
                            "name": "job",
                            "image": spec["image"],
                            "env": [{"name": "PROMPT", "value": spec["taskData"]["prompt"]}],
                            "resources": {"limits": {GPU: "1"}},
                        }
                    ],
                },
            },
        },
    }
    kopf.adopt(job)
    created = kubernetes.client.BatchV1Api().create_namespaced_job(namespace, job)
    return {"name": created.metadata.name}


@kopf.on.event("batch", "v1", "jobs", labels={LABEL: kopf.PRESENT})
def follow_job(labels: kopf.Labels, namespace: str, status: kopf.Status, **_: Any) -> None:
    """The task's phase, from what its Job has become."""
    if status.get("succeeded"):
        phase = "completed"
    elif status.get("failed"):
        phase = "failed"
    elif status.get("active"):
        phase = "processing"
    else:
        return
    kubernetes.client.CustomObjectsApi().patch_namespaced_custom_object_status(
        GROUP, VERSION, namespace, PLURAL, labels[LABEL], {"status": {"phase": phase}}
    )
