"""The pod of a Job's template, with the name, labels and owner reference that a real Job controller sets."""

from __future__ import annotations

import copy
import secrets

from mediatask_common.kube import Object

from ..pods.podstate import TRACKING_FINALIZER

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_BASE = 57


def new_pod(job: Object) -> Object:
    """A pod of the Job, ready to be created."""
    metadata = job["metadata"]
    template = copy.deepcopy(job["spec"]["template"])
    base = metadata["name"][:_LONGEST_BASE]
    suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(5))
    inherited = template.get("metadata") or {}
    # API servers add these labels to the template; they are repeated here in case one does not.
    labels = {
        **(inherited.get("labels") or {}),
        "batch.kubernetes.io/job-name": metadata["name"],
        "job-name": metadata["name"],
        "batch.kubernetes.io/controller-uid": metadata["uid"],
        "controller-uid": metadata["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{base}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": labels,
            **({"annotations": inherited["annotations"]} if inherited.get("annotations") else {}),
            "finalizers": [TRACKING_FINALIZER],
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": template["spec"],
    }
