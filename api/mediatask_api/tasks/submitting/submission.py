"""From a submit request to the resource that is to be created. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from mediatask_common.netguard import check_literal
from mediatask_crds.references import is_reference, parse_reference
from mediatask_crds.tasktypes import UnknownTaskType, input_urls, task_type

from ...http.body import parse
from ...http.errors import invalid_field
from ..schemas import SubmitRequest
from . import idempotency


@dataclass(frozen=True)
class UrlPolicy:
    """Where URLs of callers may lead, as CIDRs, and where tasks are reported whose callers do not say."""

    allow_networks: tuple[str, ...] = ()
    deny_networks: tuple[str, ...] = ()
    default_callback: str | None = None


@dataclass(frozen=True)
class Submission:
    """A valid request under the name that its task will have."""

    name: str
    request: SubmitRequest
    digest: str
    """Of the request, which tells a repetition from another request under the same idempotency key."""
    idempotent: bool
    references: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    """Inputs that the platform keeps, each with its place; whether they are there is not known yet."""


def prepare(request: SubmitRequest, idempotency_key: str | None, urls: UrlPolicy) -> Submission:
    """Check what the form of a request cannot say: its task data, and where its URLs lead.

    Raises:
        ApiError: 400 naming each faulty field.
    """
    key = idempotency.check_key(idempotency_key) if idempotency_key is not None else None
    try:
        model = task_type(request.task_type)
    except UnknownTaskType as error:
        raise invalid_field(["body", "task_type"], str(error)) from error
    data = parse(model, request.task_data, "body", "task_data")
    references = []
    for place, url in input_urls(data):
        there = ("body", "task_data", *place)
        if is_reference(url):
            _check_reference(url, there)
            references.append((there, url))
        else:
            _check_url(url, there, urls)
    if request.callback_url is not None:
        _check_url(request.callback_url, ("body", "callback_url"), urls)
    name = idempotency.task_name(request.project_id, key)
    digest = idempotency.body_digest(request.model_dump(exclude_unset=True))
    if "callback_url" not in request.model_fields_set:  # null is an answer, too
        request = request.model_copy(update={"callback_url": urls.default_callback})
    return Submission(name, request, digest, key is not None, tuple(references))


def _check_reference(reference: str, place: tuple[str | int, ...]) -> None:
    try:
        parse_reference(reference)
    except ValueError as error:
        raise invalid_field(place, str(error)) from error


def _check_url(url: str, place: tuple[str | int, ...], urls: UrlPolicy) -> None:
    try:
        check_literal(url, urls.allow_networks, urls.deny_networks)
    except ValueError as error:
        raise invalid_field(place, str(error)) from error
