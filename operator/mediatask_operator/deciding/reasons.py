"""Every reason this operator writes, with a sentence each: in conditions, attempts, errors and Events.

A job may name a more exact reason of its own in its termination message; it then replaces the one here.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A CamelCase reason whose `sentence` says what it means."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Reason:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    # Acceptance
    ACCEPTED = "Accepted", "The request is valid and a class serves it."
    INVALID_TASK_DATA = "InvalidTaskData", "The request is not valid for its task type; a corrected one is a new task."
    INVALID_SCHEDULE = "InvalidSchedule", "The task's start may be a year ahead at most."
    CLASS_NOT_FOUND = "ClassNotFound", "No MediaTaskClass serves this task yet; it waits until one is created."
    CLASS_NOT_FOR_TYPE = "ClassNotForType", "The named MediaTaskClass does not serve this task type."
    OVERRIDE_NOT_ALLOWED = "OverrideNotAllowed", "The class does not allow one of the task's overrides."

    # Waiting
    SCHEDULED = "Scheduled", "Waiting for the time before which the task may not start."
    CONTEXT_PENDING = "ContextPending", "Waiting for what the Brain knows about the task."
    QUEUED = "Queued", "Waiting for one of the class's slots."
    BUDGET_EXCEEDED = "BudgetExceeded", "The project's budget leaves too little for the task."
    FUNDED = "Funded", "The project's budget has enough for the task again."
    WAITING_FOR_RETRY = "WaitingForRetry", "The last attempt failed; the next one starts after a pause."
    STOPPING_OLD_JOB = "StoppingOldJob", "Waiting until the previous attempt's Job and pods are gone."
    CANCELLING = "Cancelling", "Waiting until the cancelled Job and its pods are gone."
    JOB_FORBIDDEN = "JobForbidden", "The API server does not let the Job be created (quota or permissions); trying on."

    # Context
    CONTEXT_ADDED = "ContextAdded", "What the Brain knows is in the task's data."
    NOTHING_TO_ADD = "NothingToAdd", "The Brain knows nothing to add to the task's data."
    NO_BRAIN = "NoBrain", "The class asks the Brain, and this installation has none."
    BRAIN_AWAY = "BrainAway", "The Brain cannot be reached, or fails."
    BRAIN_REFUSED = "BrainRefused", "The Brain refuses the request."
    CONTEXT_UNUSABLE = "ContextUnusable", "What the class asks, or what it makes of the answers, cannot be used."
    CONTEXT_UNKEPT = "ContextUnkept", "The data with what the Brain knows cannot be read or kept."

    # Moderation
    MODERATING = "Moderating", "The request's texts are being checked."
    RULES_UNUSABLE = "RulesUnusable", "The moderation rules cannot be used; tasks wait until they are corrected."
    CLASSIFIER_AWAY = "ClassifierAway", "The classifier gives no answer; trying on."
    REQUEST_ALLOWED = "RequestAllowed", "Nothing is said against the request."
    CLASSIFIER_SKIPPED = "ClassifierSkipped", "The classifier gave no answer, and the class goes on without."
    REVIEW_NEEDED = "ReviewNeeded", "The request is allowed; its media will be held for a review."
    MODERATION_FAILED = "ModerationFailed", "Moderation refused the request or its media."
    STORE_PUBLIC = "StorePublic", "Media of this class may be held, and everybody can read the artifact store."
    HELD_BY_RULE = "HeldByRule", "A rule wants a reviewer to look at the media."
    HELD_BY_CHECK = "HeldByCheck", "The class's check wants a reviewer to look at the media."
    NOT_CHECKED = "NotChecked", "The class's check gave no verdict that could be used; a reviewer has to look."
    RELEASED = "Released", "A reviewer released the media."

    # A live attempt
    JOB_CREATED = "JobCreated", "The attempt's Job exists."
    POD_PENDING = "PodPending", "The Job exists; its pod has not been scheduled yet."
    POD_STARTING = "PodStarting", "The pod is on its node; its container has not started yet."
    RUNNING = "Running", "The container is running."
    POD_TERMINATING = "PodTerminating", "The pod is being stopped."
    REPLACING_POD = "ReplacingPod", "The pod was disrupted; the Job controller replaces it."
    READING_RESULT = "ReadingResult", "The container has ended; its result is being checked in the artifact store."

    # Ends of an attempt
    SUCCEEDED = "Succeeded", "The container ended well and its media is in the store."
    INVALID_INPUT = "InvalidInput", "The request or one of its inputs cannot be used."
    UNSAFE_CONTENT = "UnsafeContent", "A content check refused the request or the result."
    MODEL_MISSING = "ModelMissing", "The class's model or its licence is not there."
    GPU_OUT_OF_MEMORY = "GpuOutOfMemory", "GPU memory ran out on the class's last rung."
    GPU_FAULT = "GpuFault", "The GPU failed; another node may do."
    TEMPORARY_FAILURE = "TemporaryFailure", "Something outside the job failed."
    CONTAINER_FAILED = "ContainerFailed", "The container ended with an exit code that says no more."
    KILLED = "Killed", "The container was killed by a signal."
    OUT_OF_MEMORY = "OutOfMemory", "The container used more memory than its limit."
    PREEMPTED = "Preempted", "The pod had to leave its node; costs no retry."
    EVICTED = "Evicted", "The node evicted the pod; costs no retry."
    NODE_LOST = "NodeLost", "The pod's node stopped answering, or came back without it; costs no retry."
    NODE_REFUSED = "NodeRefused", "The node could not take the pod it was given; costs no retry."
    POD_DELETED = "PodDeleted", "The pod was deleted before it ended."
    JOB_DELETED = "JobDeleted", "The Job was deleted before it ended."
    JOB_FAILED = "JobFailed", "The Job failed and no pod is left that says why."
    JOB_REJECTED = "JobRejected", "The API server finds the Job invalid; the class or the overrides need correction."
    JOB_NAME_TAKEN = "JobNameTaken", "Somebody else's Job has the name of the attempt's Job; delete it and retry."
    UNSCHEDULABLE = "Unschedulable", "No node could take the pod within the start deadline."
    IMAGE_PULL_FAILED = "ImagePullFailed", "The image could not be pulled."
    CONTAINER_CONFIG = "ContainerConfigInvalid", "The container could not be set up on its node."
    START_DEADLINE = "StartDeadlineExceeded", "The container had not started within the start deadline."
    RUN_DEADLINE = "RunDeadlineExceeded", "The container ran longer than the run deadline."
    NO_RESULT = "NoResult", "The container ended well but published no result."
    RESULT_INVALID = "ResultInvalid", "The published result is not what the contract says."
    ARTIFACT_MISSING = "ArtifactMissing", "A published file is not in the store."
    ARTIFACT_MISMATCH = "ArtifactMismatch", "A published file is not what the job said it is."

    # Ends of a task
    COMPLETED = "Completed", "The media is in the store."
    CANCELLED = "Cancelled", "Cancelled on request; nothing of it runs any more."
    STATUS_REJECTED = "StatusRejected", "The API server does not accept what the task's status has to say."
    TOTAL_DEADLINE = "TotalDeadlineExceeded", "The task had not ended within its total deadline."
    TOO_MANY_DISRUPTIONS = "TooManyDisruptions", "The task was disrupted so often that it is given up."
    RETRY_REQUESTED = "RetryRequested", "Another round of attempts was asked for."

    # Webhook
    PENDING = "Pending", "The first try is about to be made."
    DELIVERED = "Delivered", "The receiver accepted the webhook."
    RETRYING = "Retrying", "The receiver has not accepted the webhook yet; trying on."
    REDELIVERING = "Redelivering", "Another delivery was asked for; its first try is about to be made."
    EXHAUSTED = "Exhausted", "Every try of the schedule failed."
    RECEIVER_GONE = "ReceiverGone", "The receiver answered 410: it wants no more."
    INVALID_URL = "InvalidUrl", "The callback URL cannot be called."

    # PayloadCMS
    REGISTRATION_PENDING = "RegistrationPending", "The media is about to be put into PayloadCMS."
    REGISTERED = "Registered", "The media is a document of PayloadCMS."
    PAYLOAD_AWAY = "PayloadAway", "PayloadCMS cannot be reached, or fails; trying on."
    PAYLOAD_REFUSED = "PayloadRefused", "PayloadCMS refuses the document; trying on, once an hour."
    DOCUMENT_MISMATCH = "DocumentMismatch", "PayloadCMS has another document of this task id; trying on, once an hour."
    MEDIA_UNREADABLE = "MediaUnreadable", "The media cannot be read from the artifact store; trying on."

    # Results in the Brain
    MEMORY_PENDING = "MemoryPending", "The result is about to be stored in the Brain."
    REMEMBERED = "Remembered", "The Brain has the result."
