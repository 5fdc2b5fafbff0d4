"""Defaults, validation and immutable fields of `batch/v1` Jobs."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import FieldError, invalid_value, required
from ..objects import Object
from ..writing.metadata import label_errors
from .pods import pod_errors, set_pod_defaults

_DEFAULTS: Object = {"backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False, "manualSelector": False}
_IMMUTABLE = ("completions", "selector", "completionMode", "podFailurePolicy", "successPolicy", "managedBy")
# What may change in the pod template of a Job that is suspended and has not started (queueing systems do).
_SCHEDULING = ("nodeSelector", "tolerations", "affinity", "schedulingGates")


def set_job_defaults(job: Object) -> None:
    """Set the defaults of every write, in place."""
    spec = job.get("spec")
    if not isinstance(spec, dict):
        return
    for field, value in _DEFAULTS.items():
        spec.setdefault(field, value)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    template = spec.setdefault("template", {})
    if isinstance(template.get("spec"), dict):
        set_pod_defaults(template["spec"])
    if not job["metadata"].get("labels") and template.get("metadata", {}).get("labels"):
        job["metadata"]["labels"] = dict(template["metadata"]["labels"])


def set_job_selector(job: Object) -> None:
    """Set the selector of a new Job and the pod labels that it selects, in place."""
    spec = job.get("spec")
    if not isinstance(spec, dict) or spec["manualSelector"]:
        return
    name, uid = job["metadata"].get("name", ""), job["metadata"]["uid"]
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    template = spec["template"]
    template.setdefault("metadata", {}).setdefault("labels", {}).update(labels)
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    job["metadata"].setdefault("labels", dict(template["metadata"]["labels"]))


def job_errors(job: Object, old: Object | None) -> Iterator[FieldError]:
    """Validation errors of a Job and, on update, of its change from `old`."""
    spec = job.get("spec")
    if not isinstance(spec, dict):
        yield required("spec")
        return
    for field in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"):
        value = spec.get(field)
        if value is not None and value < 0:
            yield invalid_value(f"spec.{field}", value, "must be greater than or equal to 0")
    template = spec.get("template") or {}
    pod_spec = template.get("spec") or {}
    yield from label_errors("spec.template.labels", template.get("metadata", {}).get("labels", {}))
    yield from pod_errors(pod_spec, "spec.template.spec")
    policy = pod_spec.get("restartPolicy")
    if policy in (None, "Always"):
        yield required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')
    if spec.get("podFailurePolicy") and policy == "OnFailure":
        yield invalid_value(
            "spec.template.spec.restartPolicy", policy, 'only "Never" is supported when podFailurePolicy is specified'
        )
    if old is not None:
        yield from _change_errors(spec, old)
        yield from _status_errors(job, old)


def _change_errors(spec: Object, old: Object) -> Iterator[FieldError]:
    before = old["spec"]
    for field in _IMMUTABLE:
        if spec.get(field) != before.get(field):
            yield invalid_value(f"spec.{field}", spec.get(field), "field is immutable")
    waiting = before.get("suspend") and not old.get("status", {}).get("startTime")
    if _template(spec, waiting) != _template(before, waiting):
        where, shown = (
            ("spec.template.spec", spec["template"]["spec"]) if waiting else ("spec.template", spec["template"])
        )
        yield invalid_value(where, shown, "field is immutable")


def _template(spec: Object, waiting: bool) -> Object:
    """The part of the template that must not change."""
    template = spec.get("template") or {}
    if not waiting:
        return template
    kept = {name: value for name, value in template.get("spec", {}).items() if name not in _SCHEDULING}
    return {"spec": kept}


def _status_errors(job: Object, old: Object) -> Iterator[FieldError]:
    """A finished Job stays finished; SuccessCriteriaMet or FailureTarget must come first (since Kubernetes 1.32)."""
    true = {c.get("type") for c in job.get("status", {}).get("conditions", ()) if c.get("status") == "True"}
    was = {c.get("type") for c in old.get("status", {}).get("conditions", ()) if c.get("status") == "True"}
    if true == was:
        return
    for earlier, later in (("SuccessCriteriaMet", "Complete"), ("FailureTarget", "Failed")):
        if later in true and earlier not in true:
            text = f"cannot set {later}=True condition without the {earlier}=true condition"
            yield _status_error(text)
    if {"Complete", "Failed"} <= true:
        yield _status_error("cannot set Complete=True and Failed=true conditions")
    for finished in ("Complete", "Failed"):
        if finished in was and finished not in true:
            text = f"cannot disable the terminal {finished}=True condition"
            yield _status_error(text)
    if "Complete" in true and "Complete" not in was and not job["status"].get("completionTime"):
        yield required("status.completionTime", "completionTime is required for Complete jobs")


def _status_error(text: str) -> FieldError:
    return FieldError("status.conditions", "FieldValueInvalid", f"Invalid value: {text}")
