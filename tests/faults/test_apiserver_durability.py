"""What the API server acknowledged survives its being killed at any moment."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from conformance.client import Api, Connection
from mediatask_local.die_with_parent import die_with_parent

PATH = "/api/v1/namespaces/default/configmaps"
ROUNDS = 4
WRITERS = 8


@contextmanager
def server(directory: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mediatask_local.apiserver", "--dir", str(directory), "--port", "0"]
    process = subprocess.Popen(die_with_parent(command), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        yield process
    finally:
        process.kill()
        process.wait()


class Ledger:
    """What was answered, and what was asked for without an answer (either outcome is right for these)."""

    def __init__(self) -> None:
        self.present: dict[str, str] = {}
        self.gone: set[str] = set()
        self.unknown: set[str] = set()
        self.newest = 0

    def saw(self, version: str) -> None:
        self.newest = max(self.newest, int(version))


async def write(api: Api, ledger: Ledger, prefix: str) -> None:
    """Create, change and delete until the server dies."""
    for number in range(10_000):
        name = f"{prefix}-{number}"
        ledger.unknown.add(name)
        created = await api.create(PATH, {"metadata": {"name": name}, "data": {"v": "0"}})
        ledger.unknown.discard(name)
        ledger.present[name] = "0"
        ledger.saw(created.meta["resourceVersion"])
        ledger.unknown.add(name)
        if number % 3:
            patched = await api.patch(f"{PATH}/{name}", {"data": {"v": "1"}})
            ledger.present[name] = "1"
            ledger.saw(patched.meta["resourceVersion"])
        else:
            await api.delete(f"{PATH}/{name}")
            del ledger.present[name]
            ledger.gone.add(name)
        ledger.unknown.discard(name)


async def write_until_killed(
    process: subprocess.Popen[str], connection: Connection, ledger: Ledger, round_: int
) -> None:
    async with httpx.AsyncClient(**connection.options()) as client:
        api = Api(client)
        writers = [asyncio.create_task(write(api, ledger, f"r{round_}-w{number}")) for number in range(WRITERS)]
        await asyncio.sleep(random.uniform(0.3, 1.5))
        process.kill()
        outcomes = await asyncio.gather(*writers, return_exceptions=True)
        assert all(isinstance(outcome, httpx.TransportError) for outcome in outcomes), outcomes


async def check(connection: Connection, ledger: Ledger) -> None:
    async with httpx.AsyncClient(**connection.options()) as client:
        listed = await Api(client).get(PATH)
    found = {item["metadata"]["name"]: item["data"]["v"] for item in listed.body["items"]}
    certain = {name: value for name, value in ledger.present.items() if name not in ledger.unknown}
    assert certain.items() <= found.items()
    assert not ledger.gone & found.keys()
    assert int(listed.meta["resourceVersion"]) >= ledger.newest


async def test_no_acknowledged_write_is_lost_over_kill_9(tmp_path: Path) -> None:
    ledger = Ledger()
    for round_ in range(ROUNDS):
        with server(tmp_path) as process:
            connection = Connection.from_kubeconfig(tmp_path / "kubeconfig")
            await check(connection, ledger)
            await write_until_killed(process, connection, ledger, round_)
    with server(tmp_path):
        await check(Connection.from_kubeconfig(tmp_path / "kubeconfig"), ledger)
    assert len(ledger.present) > ROUNDS


async def test_deleting_the_newest_object_does_not_turn_versions_back(tmp_path: Path) -> None:
    with server(tmp_path):
        async with httpx.AsyncClient(**Connection.from_kubeconfig(tmp_path / "kubeconfig").options()) as client:
            api = Api(client)
            await api.create(PATH, {"metadata": {"name": "a"}})
            await api.delete(f"{PATH}/a")
            before = int((await api.get(PATH)).meta["resourceVersion"])
    with server(tmp_path):
        async with httpx.AsyncClient(**Connection.from_kubeconfig(tmp_path / "kubeconfig").options()) as client:
            api = Api(client)
            assert int((await api.get(PATH)).meta["resourceVersion"]) == before
            created = await api.create(PATH, {"metadata": {"name": "b"}})
            assert int(created.meta["resourceVersion"]) > before
            # The history ended with the process: a watch from before it has to list again.
            old = await api.get(PATH, watch="true", resourceVersion=str(before - 1), timeoutSeconds="2")
            assert old.body["object"]["code"] == 410
            async with api.watch(PATH, resourceVersion=str(before)) as watch:
                [(kind, obj)] = await watch.take(1)
    assert (kind, obj["metadata"]["name"]) == ("ADDED", "b")


async def test_credentials_survive_a_restart(tmp_path: Path) -> None:
    with server(tmp_path):
        first = Connection.from_kubeconfig(tmp_path / "kubeconfig")
    with server(tmp_path):
        second = Connection.from_kubeconfig(tmp_path / "kubeconfig")
        async with httpx.AsyncClient(**{**first.options(), "base_url": second.url}) as client:
            assert (await Api(client).get(PATH)).status == 200
    for private in ("kubeconfig", "admin.token", "server.key", "service-account.key"):
        assert (tmp_path / private).stat().st_mode & 0o077 == 0, private


async def test_dependents_of_an_owner_that_vanished_go_at_start(tmp_path: Path) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    with server(tmp_path) as process:
        async with httpx.AsyncClient(**Connection.from_kubeconfig(tmp_path / "kubeconfig").options()) as client:
            api = Api(client)
            owner = await api.create(PATH, {"metadata": {"name": "owner"}})
            references = [{**reference, "uid": owner.meta["uid"]}]
            await api.create(PATH, {"metadata": {"name": "dependent", "ownerReferences": references}})
        process.kill()
        process.wait()
    with sqlite3.connect(tmp_path / "cluster.db") as database:
        database.execute("delete from objects where resource = 'configmaps' and name = 'owner'")
    with server(tmp_path):
        async with httpx.AsyncClient(**Connection.from_kubeconfig(tmp_path / "kubeconfig").options()) as client:
            assert (await Api(client).get(f"{PATH}/dependent")).status == 404


async def test_protobuf_is_refused_clearly(tmp_path: Path) -> None:
    """This server speaks JSON and YAML only and says so."""
    with server(tmp_path):
        async with httpx.AsyncClient(**Connection.from_kubeconfig(tmp_path / "kubeconfig").options()) as client:
            answer = await Api(client).request("POST", PATH, b"k8s\x00", "application/vnd.kubernetes.protobuf")
    assert (answer.status, answer.reason) == (415, "UnsupportedMediaType")
    assert answer.message.endswith("accepted media types include: application/json, application/yaml")
