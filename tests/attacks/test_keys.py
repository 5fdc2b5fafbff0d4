"""API keys: guessed, and used after they were revoked."""

from __future__ import annotations

import asyncio
import base64
import secrets
import string
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from mediatask_common.access.keys import PREFIX, digest
from support.front import ALLOWED, PROBE, Figure, p99
from support.proxy import kubernetes_proxy

GUESSES = 5000
CALLERS = 8
REVOCATIONS = 10
LIMIT_SECONDS = 5.0


def guesses(key: str) -> Iterator[str]:
    """All that is near a valid key, then such as a generator makes."""
    for place in range(len(key)):
        yield key[:place] + ("A" if key[place] != "A" else "B") + key[place + 1 :]
        if key[:place].strip():
            yield key[:place]
    yield from (
        key.lower(),
        key.upper(),
        key + "=",
        key + key,
        key.removeprefix(PREFIX),
        f"Bearer {key}",
        f"{key},{key}",
    )
    yield from (digest(key), f"sha256:{digest(key)}", base64.b64encode(bytes.fromhex(digest(key))).decode())
    yield from ("*", "null", "true", "[]", "{}", "' OR 1=1 --", "admin", "admin.json", "key:admin", "../admin", "%00")
    yield from (PREFIX, PREFIX * 2, PREFIX + "A" * 43, "x" * 8000)
    alphabet = string.ascii_letters + string.digits + "-_"
    while True:
        yield PREFIX + "".join(secrets.choice(alphabet) for _ in range(43))


async def test_key_guessing(open_front: Any, figure: Figure) -> None:
    async with open_front() as front:
        url = f"{front.urls[0]}{PROBE}"
        waiting = islice(guesses(front.admin), GUESSES)
        accepted, refused, other = [], 0, []
        took: list[float] = []
        done = asyncio.Event()

        async def guess() -> None:
            nonlocal refused
            async with front.client() as client:
                for key in waiting:
                    status = (await client.get(url, headers={"X-API-Key": key})).status_code
                    if status == ALLOWED:
                        accepted.append(key)
                    elif status == 401:
                        refused += 1
                    else:
                        other.append((key, status))

        async def work() -> None:
            async with front.client(front.admin) as client:
                while not done.is_set():
                    start = time.monotonic()
                    assert (await client.get(url)).status_code == ALLOWED
                    took.append(time.monotonic() - start)

        working = asyncio.create_task(work())
        start = time.monotonic()
        await asyncio.gather(*(guess() for _ in range(CALLERS)))
        seconds = time.monotonic() - start
        done.set()
        await working
    figure(
        f"{refused} guesses by {CALLERS} connections in {seconds:.0f} s, {len(accepted)} accepted; "
        f"a valid caller meanwhile: {len(took)} calls, p99 {p99(took):.0f} ms, none refused"
    )
    assert (accepted, other, refused) == ([], [], GUESSES)


async def time_to_refusal(front: Any, secret: str, name: str) -> float:
    """Seconds from the revocation until every replica refuses the key."""
    async with front.client(secret) as client:
        start = time.monotonic()
        await front.keys.revoke(name)
        for url in front.urls:
            await front.becomes(client, url, 401)
        return time.monotonic() - start


async def test_a_revoked_key_on_two_replicas(open_front: Any, figure: Figure) -> None:
    async with open_front(replicas=2) as front:
        took = []
        for _ in range(REVOCATIONS):
            name, secret = await front.new_key()
            took.append(await time_to_refusal(front, secret, name))
    figure(f"{REVOCATIONS} revocations, refused by both replicas after {max(took) * 1000:.0f} ms at most (limit 5 s)")
    assert max(took) < LIMIT_SECONDS


async def test_a_key_that_is_revoked_while_the_watch_is_a_dead_connection(
    open_front: Any, figure: Figure, kubeconfig: Path, tmp_path: Path
) -> None:
    """The connection to the API server is there, but nothing comes through any more; new ones work."""
    async with (
        kubernetes_proxy(kubeconfig, tmp_path) as (path, proxy),
        open_front(replicas=2, kubeconfig=path) as front,
    ):
        took = []
        for _ in range(3):
            name, secret = await front.new_key()
            proxy.freeze()
            took.append(await time_to_refusal(front, secret, name))
    figure(f"3 revocations, refused by both replicas after {max(took):.1f} s at most (limit 5 s)")
    assert max(took) < LIMIT_SECONDS
