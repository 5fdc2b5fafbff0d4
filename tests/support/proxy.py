"""A way to a server that can be counted, cut and frozen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any


class Proxy:
    """Carries TCP connections to a port of this machine, until told otherwise."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._carrying: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        """Open ones."""
        return len(self._carrying)

    async def listen(self) -> None:
        """Take connections, from the start or again after `cut`."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._carrying):
            task.cancel()

    def freeze(self) -> None:
        """Carry nothing any more on any connection there is, without ending it; new ones are carried."""
        self._flowing, old = asyncio.Event(), self._flowing
        self._flowing.set()
        old.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        flowing = self._flowing
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                await asyncio.gather(_copy(reader, far_writer, flowing), _copy(far_reader, writer, flowing))
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            pass  # a cancelled handler would be reported as a failure of the test
        finally:
            writer.close()
            self._carrying.discard(task)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
    with suppress(OSError):
        while content := await reader.read(65536):
            await flowing.wait()
            writer.write(content)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def kubernetes_proxy(kubeconfig: Path, folder: Path) -> AsyncIterator[tuple[Path, Proxy]]:
    """A kubeconfig that leads to the API server through a proxy."""
    text = await asyncio.to_thread(kubeconfig.read_text)
    found = re.search(r"https://127\.0\.0\.1:(\d+)", text)
    assert found is not None, "the API server of KUBECONFIG_FOR_TESTS is not on this machine"
    proxy = Proxy(int(found[1]))
    await proxy.listen()
    path = folder / f"proxied-{proxy.port}"
    await asyncio.to_thread(path.write_text, text.replace(found[0], f"https://127.0.0.1:{proxy.port}"))
    yield path, proxy
    proxy.cut()
