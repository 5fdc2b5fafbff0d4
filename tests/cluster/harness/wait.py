"""Waiting for an object to become what a test expects: by watch, so at the moment it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mediatask_common.kube import Kube, Object, Resource


async def wait_for(
    kube: Kube,
    resource: Resource,
    name: str,
    condition: Callable[[Object], bool],
    *,
    namespace: str | None = None,
    seconds: float = 30,
) -> Object:
    """The object, as soon as it exists and `condition` holds of it.

    Raises:
        AssertionError: not within `seconds`, or it was deleted; the message shows its last state.
    """
    last: Object = {}
    try:
        async with asyncio.timeout(seconds):
            field = f"metadata.name={name}"
            found = await kube.list(resource, namespace, fieldSelector=field)
            for last in found["items"]:
                if condition(last):
                    return last
            version = found["metadata"]["resourceVersion"]
            async for kind, item in kube.watch(resource, namespace, version, fieldSelector=field):
                if kind == "BOOKMARK":
                    continue
                last = item
                if kind == "DELETED":
                    break
                if condition(item):
                    return item
    except TimeoutError:
        raise AssertionError(f"{resource.plural} {name}: not after {seconds:.0f} s; last seen: {last}") from None
    raise AssertionError(f"{resource.plural} {name}: deleted, or the watch ended; last seen: {last}")
