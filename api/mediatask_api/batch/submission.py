"""Submits of many tasks: each for itself, or all or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from mediatask_common.kube import KubeError

from ..auth.principal import Principal
from ..http.body import parse
from ..http.errors import ApiError, from_kube, invalid_field
from ..tasks.schemas import SubmitRequest
from ..tasks.service import Submitted, TaskService
from ..tasks.submitting.submission import Submission, UrlPolicy, prepare

AT_ONCE = 8
"""Tasks of one batch that are created side by side."""

T = TypeVar("T")
R = TypeVar("R")


def prepare_each(items: Sequence[dict[str, Any]], urls: UrlPolicy) -> list[Submission | ApiError]:
    """Each item as it would be submitted, or what is wrong with it."""
    return [_prepare(item, urls) for item in items]


def _prepare(item: dict[str, Any], urls: UrlPolicy) -> Submission | ApiError:
    key = item.get("idempotency_key")
    request = {name: value for name, value in item.items() if name != "idempotency_key"}
    try:
        if key is not None and not isinstance(key, str):
            raise invalid_field(["body", "idempotency_key"], "text is expected")
        return prepare(parse(SubmitRequest, request), key, urls)
    except ApiError as error:
        return error


async def submit_each(
    tasks: TaskService, caller: Principal, prepared: Sequence[Submission | ApiError]
) -> list[Submitted | ApiError]:
    """Submit all that can be accepted, a few at a time."""

    async def one(submission: Submission | ApiError) -> Submitted | ApiError:
        if isinstance(submission, ApiError):
            return submission
        try:
            return await tasks.submit(caller, submission)
        except ApiError as error:
            return error
        except KubeError as error:
            return from_kube(error)

    return await _side_by_side(one, prepared)


async def submit_all(
    tasks: TaskService, caller: Principal, prepared: Sequence[Submission | ApiError]
) -> list[Submitted | ApiError]:
    """Submit all or none: what has been created before one was refused is deleted.

    Raises:
        ApiError: the refusal, naming each item that was refused, and the tasks that could not be deleted, if any.
    """
    refused = {
        index: found if isinstance(found, ApiError) else tasks.refusal(caller, found)
        for index, found in enumerate(prepared)
    }
    _raise_if_any({index: error for index, error in refused.items() if error is not None})
    results = await submit_each(tasks, caller, prepared)
    failed = {index: result for index, result in enumerate(results) if isinstance(result, ApiError)}
    if failed:
        made = [result.task_id for result in results if isinstance(result, Submitted) and not result.replayed]
        left = [name for name in await _side_by_side(tasks.take_back, made) if name is not None]
        _raise_if_any(failed, f" These tasks could not be deleted: {', '.join(left)}." if left else "")
    return results


def _raise_if_any(refused: dict[int, ApiError], more: str = "") -> None:
    if not refused:
        return
    errors = [
        {"loc": _place(index, fault["loc"]), "msg": fault["msg"]}
        for index, error in refused.items()
        for fault in error.errors or [{"loc": [], "msg": error.detail}]
    ]
    # What the caller has to correct comes before what may be different next time.
    worst = min(refused.values(), key=lambda error: error.status)
    detail = f"{len(refused)} of the tasks cannot be accepted, so none was: {worst.detail}{more}"
    raise ApiError(worst.status, worst.code, detail, errors=errors, headers=worst.headers)


def _place(index: int, loc: Sequence[str | int]) -> list[str | int]:
    return ["body", "tasks", index, *(loc[1:] if loc[:1] == ["body"] else loc)]


async def _side_by_side(act: Callable[[T], Awaitable[R]], items: Sequence[T]) -> list[R]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with room:
            return await act(item)

    return list(await asyncio.gather(*(one(item) for item in items)))
