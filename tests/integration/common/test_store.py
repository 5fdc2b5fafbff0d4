"""Every artifact store behaves the same: created once, never overwritten, uploads bound to their announcement."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from contextlib import aclosing
from datetime import timedelta, timezone
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from mediatask_api.http.errors import install_handlers
from mediatask_api.platform import store_files
from mediatask_common.settings import StoreSettings
from mediatask_common.store import Incomplete, InvalidKey, Part, UploadGrant, artifact_key, result_key, s3
from mediatask_common.store.base import PIECE_BYTES
from mediatask_common.store.file import FileStore
from mediatask_common.times import utcnow

from .conftest import Place

CONTENT = b"a picture, say " * 1000


@pytest.fixture
def key() -> str:
    """One that no other test uses: S3 stores are shared."""
    return artifact_key("p", secrets.token_hex(8), 1, "image.png")


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def grant(place: Place, key: str, content: bytes = CONTENT, expires: int = 600) -> UploadGrant:
    return place.store.upload_grant(
        key, content_type="image/png", size=len(content), sha256=digest(content), expires=expires
    )


async def put(place: Place, granted: UploadGrant, content: bytes = CONTENT, **changes: str | None) -> httpx.Response:
    """Upload as granted; `changes` replace headers, None drops one."""
    headers = {**granted.headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
    sent = {name: value for name, value in headers.items() if value is not None}
    return await place.http.put(granted.url, headers=sent, content=content)


# ---- creation by the service


async def test_the_first_creation_wins_and_stays(place: Place, key: str) -> None:
    assert await place.store.create(key, b"first", "image/png") is True
    assert await place.store.create(key, b"second", "image/png") is False
    assert await place.store.read(key) == b"first"
    found = await place.store.head(key)
    assert found is not None
    assert (found.key, found.bytes, found.sha256, found.content_type) == (key, 5, digest(b"first"), "image/png")


async def test_of_many_at_once_one_creates(strict_place: Place) -> None:
    key = result_key("p", secrets.token_hex(8))
    contents = [f"{number}".encode() * 50_000 for number in range(40)]
    created = await asyncio.gather(
        *(strict_place.store.create(key, content, "application/json") for content in contents)
    )
    assert created.count(True) == 1
    assert await strict_place.store.read(key) == contents[created.index(True)]


async def test_what_is_not_there_is_absent_not_an_error(place: Place, key: str) -> None:
    assert await place.store.head(key) is None
    with pytest.raises(FileNotFoundError):
        await place.store.read(key)


async def test_reading_is_bounded(place: Place, key: str) -> None:
    await place.store.create(key, b"x" * 100, "image/png")
    with pytest.raises(ValueError, match="larger than 99"):
        await place.store.read(key, limit=99)
    assert await place.store.read(key, limit=100) == b"x" * 100


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 7])
async def test_content_is_streamed_in_pieces(place: Place, key: str, size: int) -> None:
    content = secrets.token_bytes(size)
    await place.store.create(key, content, "image/png")
    pieces = [piece async for piece in place.store.stream(key)]
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)
    async with aclosing(place.store.stream(key)) as stream:
        async for piece in stream:
            assert content.startswith(piece)
            break  # whoever stops early leaves nothing open
    with pytest.raises(FileNotFoundError):
        await anext(place.store.stream(key + "-not"))


async def test_a_store_that_is_there_checks_out(place: Place) -> None:
    await place.store.check()


# ---- uploads by a grant


@pytest.mark.parametrize("content", [CONTENT, b"", secrets.token_bytes(6 * 1024**2)], ids=["small", "empty", "6 MiB"])
async def test_a_grant_creates_once(place: Place, key: str, content: bytes) -> None:
    granted = grant(place, key, content)
    assert (await put(place, granted, content)).is_success
    try:
        assert (await put(place, granted, content)).status_code == 412
    except httpx.TransportError:
        assert len(content) > 1024**2, "a store may hang up on what it will not take, but a small body is soon read"
    found = await place.store.head(key)
    assert found is not None
    assert (found.bytes, found.sha256, found.content_type) == (len(content), digest(content), "image/png")
    assert (await place.http.get(place.store.download_url(key))).content == content


async def test_of_many_uploads_at_once_one_creates(strict_place: Place, key: str) -> None:
    contents = [f"{number:02}".encode() * 20_000 for number in range(24)]
    answers = await asyncio.gather(
        *(put(strict_place, grant(strict_place, key, content), content) for content in contents)
    )
    won = [number for number, answer in enumerate(answers) if answer.is_success]
    assert len(won) == 1
    assert {answer.status_code for answer in answers if not answer.is_success} == {412}
    assert await strict_place.store.read(key) == contents[won[0]]


@pytest.mark.parametrize(
    "content", [CONTENT[:-1] + b"X", CONTENT[:-1], CONTENT + b"X", b""], ids=["changed", "short", "long", "none"]
)
async def test_other_content_than_announced_is_refused(strict_place: Place, key: str, content: bytes) -> None:
    granted = grant(strict_place, key)
    assert (await put(strict_place, granted, content)).is_client_error
    assert await strict_place.store.head(key) is None
    assert (await put(strict_place, granted)).is_success, "the grant holds for what was announced"


async def test_every_header_of_a_grant_has_to_be_sent_as_it_is(strict_place: Place, key: str) -> None:
    granted = grant(strict_place, key)
    for name in granted.headers.keys() - {"If-None-Match"}:
        for value in (None, "x"):
            answer = await put(strict_place, granted, **{name: value})
            assert answer.is_client_error, (name, value)
    assert await strict_place.store.head(key) is None


async def test_no_grant_overwrites_whatever_its_bearer_leaves_out(strict_place: Place, key: str) -> None:
    await strict_place.store.create(key, b"first", "image/png")
    for value in (None, '"other"'):
        assert (await put(strict_place, grant(strict_place, key), If_None_Match=value)).is_client_error
    assert await strict_place.store.read(key) == b"first"


async def test_a_url_is_good_for_its_key_and_method_alone(strict_place: Place, key: str) -> None:
    place, granted = strict_place, grant(strict_place, key)
    other = key.replace("image", "other")
    await place.store.create(other, CONTENT, "image/png")
    elsewhere = UploadGrant(granted.url.replace("image.png", "third.png"), granted.headers)
    assert (await put(place, elsewhere)).status_code == 403
    assert (await place.http.get(granted.url)).is_client_error
    assert (await put(place, UploadGrant(place.store.download_url(key), granted.headers))).is_client_error
    assert (await place.http.delete(place.store.download_url(other))).is_client_error
    stolen = place.store.download_url(key).replace("image.png", "other.png")
    assert (await place.http.get(stolen)).status_code == 403
    assert (await place.http.get(str(httpx.URL(stolen).copy_with(query=None)))).status_code == 403
    assert await place.store.read(other) == CONTENT


async def test_urls_expire(strict_place: Place, key: str) -> None:
    place = strict_place
    await place.store.create(key, CONTENT, "image/png")
    granted = grant(place, key + "2", expires=1)
    url = place.store.download_url(key, expires=1)  # the later one: where it has expired, both have
    deadline = time.monotonic() + 10
    while (await place.http.get(url)).status_code != 403:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    assert (await put(place, granted)).status_code == 403
    assert await place.store.head(key + "2") is None


async def test_urls_of_one_moment_are_the_same(strict_place: Place, key: str) -> None:
    place, at = strict_place, utcnow() - timedelta(seconds=50)
    await place.store.create(key, CONTENT, "image/png")
    url = place.store.download_url(key, expires=600, at=at)
    assert url == place.store.download_url(key, expires=600, at=at.astimezone(timezone(timedelta(hours=5))))
    assert url != place.store.download_url(key, expires=600, at=at + timedelta(seconds=1))
    assert (await place.http.get(url)).content == CONTENT
    assert place.store.public_url(key) is None
    over = place.store.download_url(key, expires=30, at=at)
    assert (await place.http.get(over)).status_code == 403


# ---- uploads in parts

PARTS = (secrets.token_bytes(5 * 1024**2), secrets.token_bytes(5 * 1024**2), b"the rest")
SIZES = [len(part) for part in PARTS]


async def begin(place: Place, key: str, expires: int = 600) -> list[UploadGrant]:
    parts = [Part(len(part), digest(part)) for part in PARTS]
    return await place.store.part_grants(
        key, parts, content_type="video/mp4", sha256=digest(b"".join(PARTS)), expires=expires
    )


async def test_a_large_object_appears_when_its_parts_are_joined(strict_place: Place, key: str) -> None:
    place, grants = strict_place, await begin(strict_place, key)
    for granted, content in reversed([*zip(grants, PARTS, strict=True)]):
        assert await place.store.head(key) is None
        with pytest.raises(Incomplete):
            await place.store.join_parts(key, SIZES)
        assert (await put(place, granted, content)).is_success
    assert await place.store.join_parts(key, SIZES) is True
    found = await place.store.head(key)
    assert found is not None
    whole = b"".join(PARTS)
    assert (found.bytes, found.sha256, found.content_type) == (len(whole), digest(whole), "video/mp4")
    assert (await place.http.get(place.store.download_url(key))).content == whole
    with pytest.raises(FileNotFoundError):
        await place.store.join_parts(key, SIZES)
    assert (await put(place, grants[2], PARTS[2])).status_code == 404, "the upload is over"


async def test_missing_parts_are_named(strict_place: Place, key: str) -> None:
    grants = await begin(strict_place, key)
    await put(strict_place, grants[1], PARTS[1])
    with pytest.raises(Incomplete) as caught:
        await strict_place.store.join_parts(key, SIZES)
    assert caught.value.missing == [1, 3]


async def test_a_part_is_what_was_announced(strict_place: Place, key: str) -> None:
    place, (*_, last), right = strict_place, await begin(strict_place, key), PARTS[-1]
    with contextlib.suppress(httpx.TransportError):  # a store may hang up on what it will not take
        assert (await put(place, last, PARTS[0])).is_client_error
    for content in (right[:-1] + b"X", right[:-1], right + b"x", b""):
        assert (await put(place, last, content)).is_client_error
    for name in last.headers.keys() - {"If-None-Match"}:
        assert (await put(place, last, right, **{name: None})).is_client_error, name
    other = UploadGrant(last.url.replace("artNumber=3", "artNumber=2").replace("part=3", "part=2"), last.headers)
    assert other.url != last.url
    assert (await put(place, other, right)).status_code == 403
    with pytest.raises(Incomplete) as caught:
        await place.store.join_parts(key, SIZES)
    assert caught.value.missing == [1, 2, 3]


async def test_parts_never_replace_an_object(strict_place: Place, key: str) -> None:
    place, grants = strict_place, await begin(strict_place, key)
    for granted, content in zip(grants, PARTS, strict=True):
        assert (await put(place, granted, content)).is_success
    await place.store.create(key, b"first", "image/png")
    assert await place.store.join_parts(key, SIZES) is False
    assert await place.store.read(key) == b"first"


async def test_an_upload_in_parts_can_be_given_up(strict_place: Place, key: str) -> None:
    place, grants = strict_place, await begin(strict_place, key)
    await put(place, grants[0], PARTS[0])
    for _ in range(2):
        await place.store.drop_parts(key)
        assert (await put(place, grants[2], PARTS[2])).status_code == 404
        with pytest.raises(FileNotFoundError):
            await place.store.join_parts(key, SIZES)


async def test_grants_of_parts_expire(strict_place: Place, key: str) -> None:
    place, grants = strict_place, await begin(strict_place, key, expires=1)
    deadline = time.monotonic() + 10
    while (await put(place, grants[2], PARTS[2])).status_code != 403:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    await place.store.drop_parts(key)


# ---- listing, deleting, looking


async def test_objects_are_listed_below_a_prefix(strict_place: Place) -> None:
    store, run = strict_place.store, secrets.token_hex(8)
    for name in ("a/1/x", "a/1/y", "a/2/x", "ab/1/x"):
        await store.create(f"{run}/{name}", name.encode(), "text/plain")
    listed = [item async for item in store.objects(f"{run}/a/")]
    assert sorted((item.key, item.bytes) for item in listed) == [
        (f"{run}/a/1/x", 5),
        (f"{run}/a/1/y", 5),
        (f"{run}/a/2/x", 5),
    ]
    assert all(abs((item.modified - utcnow()).total_seconds()) < 60 for item in listed)
    assert [item async for item in store.objects(f"{run}/none/")] == []


async def test_more_objects_than_one_page_has_are_listed(strict_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store, run = strict_place.store, secrets.token_hex(8)
    monkeypatch.setattr(s3, "PAGE", 3)
    names = {f"{run}/{number}" for number in range(8)}
    for name in names:
        await store.create(name, b"", "text/plain")
    assert {item.key async for item in store.objects(f"{run}/")} == names


async def test_a_deleted_object_is_gone_and_deleting_is_repeatable(place: Place, key: str) -> None:
    await place.store.create(key, b"x", "text/plain")
    for _ in range(2):
        await place.store.delete(key)
        assert await place.store.head(key) is None
    assert (await place.http.get(place.store.download_url(key))).status_code == 404
    assert await place.store.create(key, b"y", "text/plain"), "the key is free again"


@pytest.mark.parametrize(("content", "start"), [(b"abcdef", b"abc"), (b"ab", b"ab"), (b"", b"")])
async def test_the_start_of_an_object_can_be_looked_at(place: Place, key: str, content: bytes, start: bytes) -> None:
    await place.store.create(key, content, "image/png")
    found, begin = await place.store.start(key, 3)
    assert (found.key, found.bytes, found.sha256, found.content_type) == (
        key,
        len(content),
        digest(content),
        "image/png",
    )
    assert begin == start
    with pytest.raises(FileNotFoundError):
        await place.store.start(key + "x", 3)


# ---- keys


@pytest.mark.parametrize(
    "bad",
    ["", "/", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "a/", "a\0b", "\ud800", "x" * 241, "a/" * 600 + "b"],
)
async def test_what_is_no_key_is_refused_alike_by_every_operation(place: Place, bad: str) -> None:
    store = place.store
    for call in (
        lambda: store.public_url(bad),
        lambda: store.download_url(bad),
        lambda: store.upload_grant(bad, content_type="image/png", size=1, sha256=digest(b"x")),
    ):
        with pytest.raises(InvalidKey):
            call()
    for operation in (store.head(bad), store.read(bad), store.create(bad, b"x", "image/png")):
        with pytest.raises(InvalidKey):
            await operation


# ---- downloads


@pytest.mark.parametrize(
    ("asked", "answered", "part"),
    [
        ("bytes=10-19", "bytes 10-19/15000", CONTENT[10:20]),
        ("bytes=14990-", "bytes 14990-14999/15000", CONTENT[-10:]),
        ("bytes=-5", "bytes 14995-14999/15000", CONTENT[-5:]),
    ],
)
async def test_players_may_seek(place: Place, key: str, asked: str, answered: str, part: bytes) -> None:
    await place.store.create(key, CONTENT, "video/mp4")
    answer = await place.http.get(place.store.download_url(key), headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"], answer.content) == (206, answered, part)
    assert answer.headers["content-type"] == "video/mp4"


async def test_a_range_beyond_the_end_and_a_missing_file(place: Place, key: str) -> None:
    await place.store.create(key, CONTENT, "video/mp4")
    beyond = await place.http.get(place.store.download_url(key), headers={"Range": "bytes=15000-"})
    assert beyond.status_code == 416
    assert (await place.http.get(place.store.download_url(key + ".none"))).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        *("A-b_c.1.png", "two words.png", "a+b&c=d.png", "100%.png", "%2e%2e%2f.png", "what?.png", "#1.png"),
        *("dé ☃ 絵.png", "q'uo\"te.png", "back\\slash.png", "(1)~!*;:@,$.png", "-" + "x" * 200),
    ],
)
async def test_keys_may_hold_any_character(place: Place, name: str) -> None:
    uid = secrets.token_hex(8)
    created, uploaded = artifact_key("p", uid, 1, name), artifact_key("p.Q_r-1", uid, 2, name)
    assert await place.store.create(created, b"created", "text/plain")
    assert (await put(place, grant(place, uploaded))).is_success
    for key, content in ((created, b"created"), (uploaded, CONTENT)):
        found = await place.store.head(key)
        assert found is not None
        assert (found.key, found.bytes) == (key, len(content))
        assert await place.store.read(key) == content
        assert (await place.http.get(place.store.download_url(key))).content == content


# ---- hostile queries of the file store's own routes


@pytest.mark.parametrize(
    "query",
    ["expires=99999999999&signature=%C3%A9", "expires=%C2%B2&signature=x", f"expires={'9' * 5000}&signature=x", ""],
)
async def test_no_query_is_an_error_of_the_service(tmp_path: Path, query: str) -> None:
    app = FastAPI()
    install_handlers(app)
    store = FileStore(StoreSettings(folder=tmp_path))
    app.include_router(store_files.downloads(store))
    app.include_router(store_files.uploads(store))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://store") as http:
        for key in ("projects/p/u/1/x.png", "a//b", "%00", "x" * 2000):
            assert (await http.get(f"/media/{key}?{query}")).status_code == 403
            assert (await http.put(f"/store/{key}?{query}", content=b"x")).status_code == 403
