"""Artifact stores of every kind, each with a client for the URLs that it signs."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from fastapi import FastAPI
from moto.server import ThreadedMotoServer

from mediatask_api.http.errors import install_handlers
from mediatask_api.platform import store_files
from mediatask_common.settings import StoreSettings
from mediatask_common.store import ArtifactStore, open_store
from mediatask_common.store.file import FileStore
from mediatask_local.s3server import S3Server
from support.s3server import s3_server, settings_of


@dataclass(frozen=True)
class Place:
    """A store, and what a Job pod or a reader has of it: HTTP."""

    store: ArtifactStore
    http: httpx.AsyncClient


@pytest.fixture(scope="session")
def versitygw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto_settings(moto_endpoint: str) -> StoreSettings:
    """An S3 with a bucket that is this test's own, played by moto."""
    keys = {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}
    bucket = f"test-{uuid.uuid4()}"
    boto3.client(
        "s3",
        endpoint_url=moto_endpoint,
        aws_access_key_id=keys["access_key_id"],
        aws_secret_access_key=keys["secret_access_key"],
        region_name=keys["region"],
    ).create_bucket(Bucket=bucket)
    return StoreSettings.model_validate(
        {"kind": "s3", "bucket": bucket, "endpoint_url": moto_endpoint, "addressing": "path", **keys}
    )


@asynccontextmanager
async def opened(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Place]:
    """The kind of store that the fixture's parameter names."""
    if request.param == "file":
        settings = StoreSettings(
            folder=folder / "media", get_url="http://public/media", put_url="http://internal/store"
        )
        store = FileStore(settings)
        app = FastAPI()
        install_handlers(app)
        app.include_router(store_files.downloads(store))
        app.include_router(store_files.uploads(store))
        app.include_router(store_files.uploads_from_outside(store))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
            yield Place(store, http)
        return
    if request.param == "moto":
        settings = request.getfixturevalue("moto_settings")
    else:
        settings = settings_of(request.getfixturevalue("versitygw"))
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Place(open_store(settings), http)


@pytest.fixture(params=["file", "versitygw", "moto"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Every kind of store in turn."""
    async with opened(request, tmp_path) as one:
        yield one


@pytest.fixture(params=["file", "versitygw"])
async def strict_place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Without moto, which takes changed and expired URLs, wrong checksums, and looks before it writes in two steps."""
    async with opened(request, tmp_path) as one:
        yield one
