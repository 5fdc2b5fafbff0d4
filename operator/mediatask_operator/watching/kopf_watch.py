"""kopf as the watch engine of tasks and classes: each event updates the cache and marks a key, and that is all.

None of kopf's handlers that detect changes is used: they write annotations, see edges instead of levels, and lose
an update now and then; its indices take minutes to start with ten thousand objects. Jobs and pods are left to
reflector.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from mediatask_common.kube import Kube
from mediatask_crds.names import GROUP, MEDIATASKCLASSES, MEDIATASKS, VERSION

from ..objects import Key, Object
from .cache import Cache


def build_registry(
    kube: Kube,
    cache: Cache,
    task_changed: Callable[[Key, Object | None], None],
    class_changed: Callable[[], None],
    relisted: Callable[[], None],
) -> kopf.OperatorRegistry:
    """The two handlers, and the login.

    Args:
        kube: whose credentials the watches use.
        task_changed: told the key to look at again, and the task's last version when it was deleted.
        class_changed: told that a class came, went or changed.
        relisted: told that a list was read instead of a watch, after which deletions may be missing.
    """
    registry = kopf.OperatorRegistry()

    async def on_task(event: Any, **_: Any) -> None:
        gone, obj = _read(event)
        key = cache.drop_task(obj) if gone else cache.put_task(obj)
        if key:
            task_changed(key, obj if gone else None)

    async def on_class(event: Any, **_: Any) -> None:
        gone, obj = _read(event)
        if cache.drop_class(obj) if gone else cache.put_class(obj):
            class_changed()

    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        config, header = kube.configuration, await kube.authorization()
        return kopf.ConnectionInfo(
            server=config.host,
            ca_path=config.ssl_ca_cert,
            ca_data=config.ca_cert_data,
            insecure=not config.verify_ssl,
            scheme=header.split()[0] if header else None,
            token=header.split()[1] if header else None,
            certificate_path=config.cert_file,
            private_key_path=config.key_file,
        )

    def _read(event: Any) -> tuple[bool, Object]:
        if event["type"] is None:
            relisted()
        return event["type"] == "DELETED", event["object"]

    handlers = {
        (GROUP, VERSION, MEDIATASKS): on_task,
        (GROUP, VERSION, MEDIATASKCLASSES): on_class,
    }
    for kind, handler in handlers.items():
        kopf.on.event(*kind, registry=registry)(handler)
    kopf.on.login(registry=registry)(log_in)
    return registry


def build_settings() -> kopf.OperatorSettings:
    """kopf, quiet: no Events of its own, no peering, and no rights needed to watch for new kinds or namespaces."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.watching.connect_timeout = 10
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.process.ultimate_exiting_timeout = 25
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.persistence.progress_storage = _NoProgress()
    return settings


class _NoDiffs(kopf.DiffBaseStorage):  # type: ignore[misc]  # kopf is not followed
    """No handler here asks what has changed, yet kopf would copy every object of every event to be able to tell.

    Those copies were a third of the operator's CPU time in a burst.
    """

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: Any) -> Any:
        return None

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        raise NotImplementedError


class _NoProgress(kopf.ProgressStorage):  # type: ignore[misc]
    """Handlers that are tried once, whatever comes of it, have no progress to keep."""

    def fetch(self, *, key: Any, body: Any) -> None:
        return None

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        raise NotImplementedError

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        return None

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence
