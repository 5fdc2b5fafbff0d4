"""What the S3 store says when something is wrong, and what it keeps to itself."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from mediatask_common.settings import StoreSettings
from mediatask_common.store import ArtifactStore, Part, open_store
from mediatask_common.store.s3 import S3Store
from mediatask_common.times import utcnow
from mediatask_local.s3server import S3Server
from support.processes import free_port
from support.s3server import running, s3_server, settings_of

KEY = "projects/p/uid/1/image.png"


async def failures(store: ArtifactStore) -> list[str]:
    """What each operation says. None of them may take the store's trouble for an answer about the object."""
    said = []
    for operation in (
        store.check(),
        store.head(KEY),
        store.read(KEY),
        store.start(KEY, 10),
        anext(store.objects("projects/").__aiter__()),
        store.part_grants(KEY, [Part(1, "0" * 64)], content_type="image/png", sha256="0" * 64),
        store.join_parts(KEY, [1]),
        store.drop_parts(KEY),
        store.delete(KEY),
        store.create(KEY, b"x", "image/png"),
    ):
        with pytest.raises(OSError, match="artifact store") as caught:
            await operation
        assert type(caught.value) is OSError, "not FileNotFoundError: that would say that the object is absent"
        said.append(str(caught.value))
    return said


async def test_a_missing_bucket_is_named_and_nothing_is_absent_in_it(versitygw: S3Server) -> None:
    for said in await failures(open_store(settings_of(versitygw, bucket="no-such-bucket"))):
        assert said == f"artifact store: there is no bucket no-such-bucket at {versitygw.url}"


async def test_wrong_credentials_are_told_and_not_shown(versitygw: S3Server) -> None:
    secret = "a-wrong-secret-of-mine"
    said = await failures(open_store(settings_of(versitygw, secret_access_key=secret)))
    assert "the credentials are wrong" in said[0]
    assert "SignatureDoesNotMatch" in said[-1]
    assert secret not in "".join(said)


async def test_a_wrong_region_is_told_by_the_check(versitygw: S3Server) -> None:
    with pytest.raises(OSError, match="is the region auto right"):
        await open_store(settings_of(versitygw, region="auto")).check()


async def test_a_store_that_is_away_is_no_absence(versitygw: S3Server) -> None:
    port = free_port()
    for said in await failures(open_store(settings_of(versitygw, endpoint_url=f"http://127.0.0.1:{port}"))):
        assert f"127.0.0.1:{port}" in said


async def test_a_killed_server_comes_back_with_everything(tmp_path: Path) -> None:
    with s3_server(tmp_path) as server:
        store = open_store(settings_of(server))
        await store.create(KEY, b"kept", "image/png")
    with pytest.raises(OSError, match=f"127.0.0.1:{server.port}"):
        await store.read(KEY)
    with running(server, tmp_path / "s3.log"):
        assert await store.create(KEY, b"again", "image/png") is False
        assert await store.read(KEY) == b"kept"
        found = await store.head(KEY)
        assert found is not None
        assert (found.bytes, found.content_type) == (4, "image/png")


async def test_the_secret_is_in_no_url_log_or_text(
    versitygw: S3Server, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    secret = versitygw.secret_access_key
    settings = settings_of(versitygw)
    with caplog.at_level(logging.DEBUG):
        store = open_store(settings)
        grant = store.upload_grant(KEY, content_type="image/png", size=1, sha256="0" * 64)
        await store.check()
        await store.create("projects/p/uid/2/x", b"x", "text/plain")
    assert caplog.text
    for text in (caplog.text, grant.url, str(grant.headers), store.download_url(KEY), repr(settings), repr(store)):
        assert secret not in text
    with pytest.raises(ValidationError) as wrong:
        settings_of(versitygw, addressing="somehow", url_expiry_seconds=0)
    assert secret not in str(wrong.value)


def test_a_grant_signs_everything_it_announces(moto_settings: StoreSettings) -> None:
    """The service checks only signed headers: the digest, the type and the create-only rule must be among them."""
    grant = open_store(moto_settings).upload_grant(KEY, content_type="image/png", size=3, sha256="0" * 64)
    signed = httpx.URL(grant.url).params["X-Amz-SignedHeaders"].split(";")
    assert {header.lower() for header in grant.headers} <= set(signed)
    assert "content-length" in signed


def test_headers_beyond_the_grant_are_refused(versitygw: S3Server) -> None:
    grant = open_store(settings_of(versitygw)).upload_grant(KEY, content_type="a/b", size=1, sha256="0" * 64)
    for extra in ("x-amz-acl", "x-amz-meta-more", "x-amz-storage-class"):
        answer = httpx.put(grant.url, headers={**grant.headers, extra: "public-read"}, content=b"x", trust_env=False)
        assert answer.status_code == 403, extra


def test_readers_outside_get_urls_for_the_address_they_use(versitygw: S3Server) -> None:
    settings = settings_of(versitygw, endpoint_url="http://s3.cluster.local:9000", external_endpoint_url=versitygw.url)
    store = open_store(settings)
    assert store.download_url(KEY).startswith(f"{versitygw.url}/{versitygw.bucket}/{KEY}?")
    grant = store.upload_grant(KEY, content_type="a/b", size=1, sha256="0" * 64)
    assert grant.url.startswith(f"http://s3.cluster.local:9000/{versitygw.bucket}/{KEY}?")
    assert httpx.get(store.download_url("projects/none"), trust_env=False).status_code == 404, "the signature is right"


def test_buckets_are_addressed_as_told(versitygw: S3Server) -> None:
    settings = {"endpoint_url": "https://s3.example.com", "bucket": "media"}
    for addressing, start in (("path", "s3.example.com/media/"), ("virtual", "media.s3.example.com/")):
        url = open_store(settings_of(versitygw, **settings, addressing=addressing)).download_url(KEY)
        assert url.startswith(f"https://{start}{KEY}?")


# ---- answers that a healthy server does not give


@pytest.fixture
def answers(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that gives one answer to everything: (status, headers, body)."""
    status, headers, body = request.param

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def store_at(url: str) -> ArtifactStore:
    settings = {"kind": "s3", "endpoint_url": url, "addressing": "path", "region": "us-east-1"}
    return open_store(StoreSettings.model_validate({**settings, "access_key_id": "a", "secret_access_key": "b"}))


CONFLICT = b"<Error><Code>ConditionalRequestConflict</Code><Message>Another upload is under way.</Message></Error>"


@pytest.mark.parametrize("answers", [(409, {"Content-Length": str(len(CONFLICT))}, CONFLICT)], indirect=True)
async def test_another_upload_under_way_is_no_creation_by_somebody_else(answers: str) -> None:
    """It may fail yet, and then nobody has created the object."""
    with pytest.raises(OSError, match="ConditionalRequestConflict") as caught:
        await store_at(answers).create(KEY, b"x", "text/plain")
    assert not isinstance(caught.value, FileExistsError)


@pytest.mark.parametrize("answers", [(200, {"Content-Length": "1000"}, b"half")], indirect=True)
async def test_half_an_object_is_an_error(answers: str) -> None:
    with pytest.raises(OSError, match="artifact store"):
        await store_at(answers).read(KEY)


SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


@pytest.mark.parametrize("answers", [(503, {"Content-Length": str(len(SLOW_DOWN))}, SLOW_DOWN)], indirect=True)
async def test_a_store_that_is_overloaded_is_away(answers: str) -> None:
    with pytest.raises(OSError, match="SlowDown") as caught:
        await store_at(answers).create(KEY, b"x", "text/plain")
    assert type(caught.value) is OSError


async def test_a_wrong_clock_is_told(versitygw: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = open_store(settings_of(versitygw)), utcnow()
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: now + timedelta(hours=2))
    with pytest.raises(OSError, match="the clock of this machine is not that of the service"):
        await store.create(KEY, b"x", "text/plain")


# ---- R2's ways


async def test_everything_works_in_a_region_called_auto(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"y").hexdigest()
    with s3_server(tmp_path, region="auto") as server:
        store = open_store(settings_of(server))
        async with httpx.AsyncClient(trust_env=False) as http:
            await store.create(KEY, b"x", "image/png")
            assert (await http.get(store.download_url(KEY))).content == b"x"
            (grant,) = await store.part_grants(f"{KEY}2", [Part(1, digest)], content_type="image/png", sha256=digest)
            assert (await http.put(grant.url, headers=grant.headers, content=b"y")).is_success
            assert await store.join_parts(f"{KEY}2", [1])


async def test_no_request_carries_what_r2_does_not_take(versitygw: S3Server) -> None:
    """No ACL, tag or encryption, and of boto3's checksums only the SHA-256 that was asked for."""
    store = open_store(settings_of(versitygw))
    assert isinstance(store, S3Store)
    sent: list[str] = []

    def note(request: Any, **_: Any) -> None:
        sent.extend(name.lower() for name in request.headers)
        sent.append(f"encoding {request.headers.get('Content-Encoding')}")

    store._client.meta.events.register("before-send.s3", note)
    key = f"{KEY}-r2"
    (grant,) = await store.part_grants(key, [Part(1, "0" * 64)], content_type="image/png", sha256="0" * 64)
    await store.drop_parts(key)
    await store.create(key, b"x", "image/png")
    await store.read(key)
    await store.start(key, 1)
    await store.delete(key)
    assert [item async for item in store.objects("projects/p/none/")] == []
    amz = {name for name in sent if name.startswith("x-amz-")}
    known = {"x-amz-date", "x-amz-content-sha256", "x-amz-meta-sha256", "x-amz-checksum-sha256"}
    assert known <= amz <= {*known, "x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm"}
    assert "encoding aws-chunked" not in sent
    whole = store.upload_grant(key, content_type="image/png", size=1, sha256="0" * 64, outside=True)
    for url in (grant.url, whole.url, store.download_url(key), store.pod_url(key, expires=60)):
        assert not [name for name in httpx.URL(url).params if "crc" in name or "acl" in name.lower()], url


def test_callers_outside_get_grants_for_the_address_they_use(versitygw: S3Server) -> None:
    settings = settings_of(versitygw, endpoint_url="http://s3.cluster.local:9000", external_endpoint_url=versitygw.url)
    store, digest = open_store(settings), hashlib.sha256(b"x").hexdigest()
    key = f"{KEY}-outside"
    grant = store.upload_grant(key, content_type="image/png", size=1, sha256=digest, outside=True)
    assert httpx.put(grant.url, headers=grant.headers, content=b"x", trust_env=False).is_success
    assert store.pod_url(key, expires=60).startswith("http://s3.cluster.local:9000/")
    assert httpx.get(store.download_url(key), trust_env=False).content == b"x"
