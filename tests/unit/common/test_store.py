"""Every artifact store behaves the same: created once, never overwritten, uploads bound to their announcement."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from mediatask_common.settings import StoreSettings
from mediatask_common.store import ArtifactStore, artifact_key, open_store, result_key
from mediatask_common.store.file import BadSignature, ContentMismatch, FileStore

KEY = artifact_key("p", "uid", 1, "image.png")


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_settings(s3_endpoint: str, tmp_path: Path) -> StoreSettings:
    bucket = tmp_path.name.replace("_", "-").lower()[:60]
    client = boto3.client(
        "s3", endpoint_url=s3_endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    client.create_bucket(Bucket=bucket)
    return StoreSettings(
        kind="s3",
        bucket=bucket,
        endpoint_url=s3_endpoint,
        access_key_id="a",
        secret_access_key="b",
        region="us-east-1",
        addressing="path",
    )


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3_settings"))
    return open_store(StoreSettings(kind="file", folder=tmp_path / "media"))


async def test_the_first_creation_wins_and_stays(store: ArtifactStore) -> None:
    assert await store.create(KEY, b"first", "image/png") is True
    assert await store.create(KEY, b"second", "image/png") is False
    assert await store.read(KEY) == b"first"
    found = await store.head(KEY)
    assert found is not None
    assert (found.bytes, found.sha256, found.content_type) == (5, hashlib.sha256(b"first").hexdigest(), "image/png")


async def test_of_many_at_once_one_creates(tmp_path: Path) -> None:
    """Of the folder alone: moto looks and writes in two steps, so it says nothing about a real service's race."""
    store = open_store(StoreSettings(kind="file", folder=tmp_path / "media"))
    created = await asyncio.gather(
        *(store.create(result_key("p", "u"), f"{n}".encode(), "application/json") for n in range(10))
    )
    assert created.count(True) == 1
    assert await store.read(result_key("p", "u")) == f"{created.index(True)}".encode()


async def test_what_is_not_there_is_absent_not_an_error(store: ArtifactStore) -> None:
    assert await store.head("projects/p/u/1/none") is None
    with pytest.raises(FileNotFoundError):
        await store.read("projects/p/u/1/none")


async def test_reading_is_bounded(store: ArtifactStore) -> None:
    await store.create(KEY, b"x" * 100, "image/png")
    with pytest.raises(ValueError, match="larger than 99"):
        await store.read(KEY, limit=99)


async def test_a_store_that_is_there_checks_out(store: ArtifactStore) -> None:
    await store.check()


async def test_s3_upload_grant_creates_once(s3_settings: StoreSettings) -> None:
    store = open_store(s3_settings)
    content = b"picture"
    grant = store.upload_grant(
        KEY, content_type="image/png", size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    async with httpx.AsyncClient() as http:
        first = await http.put(grant.url, headers=grant.headers, content=content)
        again = await http.put(grant.url, headers=grant.headers, content=content)
        read = await http.get(store.download_url(KEY))
    assert (first.status_code, again.status_code) == (200, 412)
    assert read.content == content
    found = await store.head(KEY)
    assert found is not None
    assert found.sha256 == hashlib.sha256(content).hexdigest()


async def test_s3_grant_signs_everything_it_announces(s3_settings: StoreSettings) -> None:
    """The service checks only signed headers: the digest, the type and the create-only rule must be among them."""
    grant = open_store(s3_settings).upload_grant(KEY, content_type="image/png", size=3, sha256="0" * 64)
    signed = httpx.URL(grant.url).params["X-Amz-SignedHeaders"].split(";")
    assert {header.lower() for header in grant.headers} <= set(signed)
    assert "content-length" in signed


async def test_public_url_needs_no_signature(tmp_path: Path) -> None:
    store = open_store(StoreSettings(kind="file", folder=tmp_path, public_url="https://media.example/"))
    assert store.download_url("projects/a b/x.png") == "https://media.example/projects/a%20b/x.png"


# ---- the folder's own rules


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 3):
        yield content[start : start + 3]


@pytest.fixture
def folder(tmp_path: Path) -> FileStore:
    return FileStore(StoreSettings(kind="file", folder=tmp_path / "media"))


def query(url: str) -> tuple[str, str]:
    params = httpx.URL(url).params
    return params["expires"], params["signature"]


async def test_file_signatures_are_bound_to_key_method_and_time(folder: FileStore) -> None:
    expires, signature = query(folder.download_url(KEY, expires=60))
    folder.verify("GET", KEY, expires, signature)
    for method, key, moment in (
        ("PUT", KEY, expires),
        ("GET", KEY + "x", expires),
        ("GET", KEY, str(int(expires) + 1)),
    ):
        with pytest.raises(BadSignature, match="not valid"):
            folder.verify(method, key, moment, signature)
    gone, old = query(folder.download_url(KEY, expires=-1))
    with pytest.raises(BadSignature, match="expired"):
        folder.verify("GET", KEY, gone, old)


async def test_file_upload_must_be_what_was_announced(folder: FileStore) -> None:
    sha256 = hashlib.sha256(b"abcdef").hexdigest()
    for content in (b"abcdeX", b"abcde", b"abcdefg"):
        with pytest.raises(ContentMismatch):
            await folder.receive(KEY, chunks(content), content_type="image/png", size=6, sha256=sha256)
        assert await folder.head(KEY) is None
    assert await folder.receive(KEY, chunks(b"abcdef"), content_type="image/png", size=6, sha256=sha256)
    assert not list((folder.path(KEY).parents[5] / "incoming").iterdir()), "nothing half is left"


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "", "a\0b"])
def test_file_keys_stay_inside_the_folder(folder: FileStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        folder.path(key)


def test_processes_share_one_signing_secret(tmp_path: Path) -> None:
    settings = StoreSettings(kind="file", folder=tmp_path / "media")
    expires, signature = query(FileStore(settings).download_url(KEY))
    FileStore(settings).verify("GET", KEY, expires, signature)
