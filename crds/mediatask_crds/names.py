"""Names that appear on the wire: group, kinds, labels, annotations. Renaming one is an API change."""

from __future__ import annotations

import hashlib
import re

GROUP = "tasks.ft.tc"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
MEDIATASKS = "mediatasks"
MEDIATASKCLASSES = "mediataskclasses"

LABEL_TASK = f"{GROUP}/task"
LABEL_PROJECT = f"{GROUP}/project"
LABEL_ATTEMPT = f"{GROUP}/attempt"
LABEL_CLASS = f"{GROUP}/class"
LABEL_TYPE = f"{GROUP}/type"
LABEL_TAG_PREFIX = f"tag.{GROUP}/"
"""Before a tag, it is the name of a label of tasks made over REST, for `kubectl get -l`; its value is empty."""
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "mediatask-operator"

# A pod's task in full: the label of the same purpose is hashed for names longer than a label may be.
ANNOTATION_TASK = f"{GROUP}/task-name"

# What an attempt holds and costs, on its Job and pods: as of the Job's creation, whatever becomes of the class.
ANNOTATION_CHARGE = f"{GROUP}/charge"

# The first answer to an idempotent submit and the hash of its body, kept with the task itself.
ANNOTATION_IDEMPOTENCY_BODY = f"{GROUP}/idempotency-body-sha256"
ANNOTATION_IDEMPOTENCY_ANSWER = f"{GROUP}/idempotency-answer"

# Who has submitted a task over REST, as `key:NAME`, `jwt:SUBJECT` or `system:serviceaccount:NAMESPACE:NAME`.
ANNOTATION_SUBMITTED_BY = f"{GROUP}/submitted-by"

TOKEN_AUDIENCE = "mediatask"
"""Of the tokens of Job pods. Never that of callers: no pod of ours may submit tasks."""

CONTAINER = "job"
"""Name of the one container of a Job's pod."""

# The field manager of the internal progress route: it owns status.progress and status.currentStep alone.
PROGRESS_FIELD_MANAGER = "mediatask-progress"
OPERATOR_FIELD_MANAGER = "mediatask-operator"

_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


def label_value(text: str) -> str:
    """A valid label value for any text: the text itself where it is one, else a readable, hashed form."""
    if _LABEL_VALUE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    readable = re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:50].strip("-_.")
    return f"{readable}-{digest}" if readable else digest
