"""What the suite runs against: a server of our own in a temporary folder, or any given by its kubeconfig.

`--kubeconfig FILE` or MEDIATASK_CONFORMANCE_KUBECONFIG names another server. A definition and a namespace of the
suite's own are made there and removed again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from conformance import samples
from conformance.client import Api, Connection
from mediatask_local.die_with_parent import die_with_parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", type=Path, help="run the conformance suite against this API server")


def given_kubeconfig(config: pytest.Config) -> Path | None:
    given = config.getoption("--kubeconfig", default=None) or os.environ.get("MEDIATASK_CONFORMANCE_KUBECONFIG")
    return Path(given) if given else None


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    given = given_kubeconfig(request.config)
    if given:
        yield given
        return
    directory = tmp_path_factory.mktemp("apiserver")
    command = [sys.executable, "-m", "mediatask_local.apiserver", "--dir", str(directory), "--port", "0"]
    process = subprocess.Popen(die_with_parent(command), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Path(json.loads(process.stdout.readline())["kubeconfig"])
    finally:
        process.terminate()
        assert process.wait(10) == 0


@pytest.fixture(scope="session")
def connection(kubeconfig: Path) -> Connection:
    return Connection.from_kubeconfig(kubeconfig)


@pytest.fixture(scope="session")
def definition(connection: Connection) -> Iterator[None]:
    """The suite's custom resource is served."""
    path = f"{samples.CRDS}/{samples.PLURAL}.{samples.GROUP}"
    with httpx.Client(**connection.options()) as client:
        created = client.post(samples.CRDS, json=samples.definition())
        assert created.status_code == 201, created.text
        _until(lambda: client.get(f"{samples.API}/{samples.PLURAL}").status_code == 200)
        _until(lambda: samples.PLURAL in client.get(f"/openapi/v3{samples.API}").text)
        yield
        client.delete(path)


@pytest.fixture(scope="session")
def namespace(connection: Connection) -> Iterator[str]:
    name = f"conformance-{uuid.uuid4().hex[:8]}"
    with httpx.Client(**connection.options()) as client:
        client.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
        _until(lambda: client.get(f"/api/v1/namespaces/{name}/serviceaccounts/default").status_code == 200)
        yield name
        client.delete(f"/api/v1/namespaces/{name}")


def _until(check: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "the server did not get ready for the suite"
        time.sleep(0.1)


@pytest.fixture
async def api(connection: Connection) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(**connection.options()) as client:
        yield Api(client)


@pytest.fixture
def path(definition: None, namespace: str) -> str:
    """Where the suite's custom resources live."""
    return f"{samples.API}/namespaces/{namespace}/{samples.PLURAL}"


@pytest.fixture
def jobs(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


@pytest.fixture
def pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


@pytest.fixture
def unique() -> Callable[[], str]:
    """Names that no other test uses."""
    return lambda: f"t-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def name(unique: Callable[[], str]) -> str:
    return unique()
