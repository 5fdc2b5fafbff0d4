"""The rules of the folder as a store."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mediatask_common.settings import StoreSettings
from mediatask_common.store import artifact_key, open_store
from mediatask_common.store.file import BadSignature, ContentMismatch, FileStore
from mediatask_common.times import utcnow

KEY = artifact_key("p", "uid", 1, "image.png")


async def test_public_url_needs_no_signature(tmp_path: Path) -> None:
    store = open_store(StoreSettings(kind="file", folder=tmp_path, public_url="https://media.example/"))
    assert store.public_url("projects/a b/x.png") == "https://media.example/projects/a%20b/x.png"
    assert store.download_url("projects/a b/x.png") == store.public_url("projects/a b/x.png")


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
    gone, old = query(folder.download_url(KEY, expires=60, at=utcnow() - timedelta(seconds=61)))
    with pytest.raises(BadSignature, match="expired"):
        folder.verify("GET", KEY, gone, old)


async def test_file_upload_must_be_what_was_announced(folder: FileStore, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"abcdef").hexdigest()
    for content in (b"abcdeX", b"abcde", b"abcdefg"):
        with pytest.raises(ContentMismatch):
            await folder.receive(KEY, chunks(content), content_type="image/png", size=6, sha256=sha256)
        assert await folder.head(KEY) is None
    assert await folder.receive(KEY, chunks(b"abcdef"), content_type="image/png", size=6, sha256=sha256)
    assert not list((tmp_path / "media" / "incoming").iterdir()), "nothing half is left"


@pytest.mark.parametrize(
    ("expires", "signature"),
    [
        ("99999999999", "\u00e9"),
        ("99999999999", "\ud800"),
        ("\u00b2", "0" * 64),
        ("\u0669" * 11, "0" * 64),
        ("9" * 5000, "0" * 64),
        ("-1", ""),
        ("1e11", ""),
        ("", ""),
        ("99999999999 ", "0" * 64),
        ("99999999999\n", "0" * 64),
    ],
)
def test_no_query_value_breaks_the_check(folder: FileStore, expires: str, signature: str) -> None:
    for method, bound in (("GET", ()), ("PUT", ("\u00e9", "\u00b2", "\ud800"))):
        for key in (KEY, "", "\0", "../x", "\ud800"):
            with pytest.raises(BadSignature):
                folder.verify(method, key, expires, signature, *bound)


def test_what_killed_processes_left_behind_goes_after_a_day(tmp_path: Path) -> None:
    settings = StoreSettings(kind="file", folder=tmp_path)
    for name, hours in (("old", 25), ("growing", 23)):
        upload = tmp_path / "incoming" / name
        upload.mkdir(parents=True)
        (upload / "content").write_bytes(b"half")
        for path in (upload / "content", upload):
            os.utime(path, (time.time() - hours * 3600,) * 2)
    FileStore(settings)
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == ["growing"]


def test_processes_share_one_signing_secret(tmp_path: Path) -> None:
    settings = StoreSettings(kind="file", folder=tmp_path / "media")
    expires, signature = query(FileStore(settings).download_url(KEY))
    FileStore(settings).verify("GET", KEY, expires, signature)
