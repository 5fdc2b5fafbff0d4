"""A folder as artifact store, for one machine: the API serves it through signed, expiring URLs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import hmac
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import orjson

from ..settings import StoreSettings
from .base import PIECE_BYTES, Incomplete, Listed, Part, Stored, UploadGrant, check_key, public_url

CHUNK_BYTES = 1024**2
CONTENT = "content"
ABOUT = "about.json"
LEFT_OVER_SECONDS = 24 * 3600
"""An upload that has not grown for so long belongs to a process that was killed."""
_MOMENT = re.compile(r"[0-9]{1,15}")


class BadSignature(PermissionError):
    """The URL was changed, or its time is over."""


class ContentMismatch(ValueError):
    """The uploaded bytes are not those that were announced."""


class FileStore:
    """Each object is a folder `objects/<key>` with the content and what is known of it.

    It is put together in `incoming` and appears under its key by one rename, which fails where there is one already:
    a crash leaves the whole object or none, and of several writers one wins.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._objects = settings.folder / "objects"
        self._incoming = settings.folder / "incoming"
        self._parts = settings.folder / "parts"
        for folder in (self._objects, self._incoming, self._parts):
            folder.mkdir(parents=True, exist_ok=True)
        _remove_left_over(self._incoming)
        self._secret = _secret(settings.secret_file or settings.folder / "secret", self._incoming)

    # ---- URLs

    def upload_grant(
        self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600, outside: bool = False
    ) -> UploadGrant:
        bound = (content_type, str(size), sha256)
        base = self._settings.get_url if outside else self._settings.put_url
        url = self._signed(base, "PUT", key, int(time.time()) + expires, *bound)
        return UploadGrant(url, _headers(*bound))

    async def part_grants(
        self, key: str, parts: Sequence[Part], *, content_type: str, sha256: str, expires: int = 3600
    ) -> list[UploadGrant]:
        folder, until = self._parts_of(key), int(time.time()) + expires
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ABOUT).write_bytes(orjson.dumps({"sha256": sha256, "content_type": content_type}))
        grants = []
        for number, part in enumerate(parts, 1):
            bound = ("application/octet-stream", str(part.bytes), part.sha256)
            url = self._signed(self._settings.get_url, "PUT", key, until, *bound, str(number))
            grants.append(UploadGrant(f"{url}&part={number}", _headers(*bound)))
        return grants

    def public_url(self, key: str) -> str | None:
        return public_url(self._settings.public_url, check_key(key))

    def download_url(self, key: str, *, expires: int | None = None, at: datetime | None = None) -> str:
        start = time.time() if at is None else at.timestamp()
        until = int(start) + (expires or self._settings.url_expiry_seconds)
        return self.public_url(key) or self._signed(self._settings.get_url, "GET", key, until)

    def pod_url(self, key: str, *, expires: int) -> str:
        return self._signed(self._settings.get_url, "GET", key, int(time.time()) + expires)

    def verify(self, method: str, key: str, expires: str, signature: str, *bound: str) -> None:
        """Check the query of a signed URL. Raises BadSignature for any query that is not one of ours."""
        if not _MOMENT.fullmatch(expires) or int(expires) < time.time():
            raise BadSignature("this link has expired")
        expected = self._sign(method, key, expires, *bound)
        if not hmac.compare_digest(signature.encode(errors="replace"), expected.encode()):
            raise BadSignature("this link is not valid")

    def _signed(self, base: str, method: str, key: str, until: int, *bound: str) -> str:
        query = urlencode({"expires": until, "signature": self._sign(method, check_key(key), str(until), *bound)})
        return f"{base.rstrip('/')}/{quote(key)}?{query}"

    def _sign(self, *parts: str) -> str:
        # Length-prefixed, so that no two lists of parts read the same.
        message = b"".join(f"{len(part)}:{part}".encode(errors="surrogatepass") for part in parts)
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    # ---- objects

    def path(self, key: str) -> Path:
        """The file with the content of a key. Raises InvalidKey."""
        return self._objects / check_key(key) / CONTENT

    async def head(self, key: str) -> Stored | None:
        path = self.path(key)
        try:
            about = orjson.loads(path.with_name(ABOUT).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Stored(key, path.stat().st_size, about["sha256"], about["content_type"])

    async def read(self, key: str, *, limit: int = 8 * 1024**2) -> bytes:
        path = self.path(key)
        if path.stat().st_size > limit:
            raise ValueError(f"{key} is larger than {limit} bytes")
        return await asyncio.to_thread(path.read_bytes)

    async def stream(self, key: str) -> AsyncGenerator[bytes, None]:
        with self.path(key).open("rb") as body:
            while piece := await asyncio.to_thread(body.read, PIECE_BYTES):
                yield piece

    async def start(self, key: str, limit: int) -> tuple[Stored, bytes]:
        found = await self.head(key)
        if found is None:
            raise FileNotFoundError(key)
        with self.path(key).open("rb") as body:
            return found, body.read(limit)

    async def objects(self, prefix: str) -> AsyncIterator[Listed]:
        check_key(prefix.removesuffix("/"))
        for listed in await asyncio.to_thread(lambda: [*self._walk(self._objects / prefix)]):
            yield listed

    def _walk(self, folder: Path) -> Iterator[Listed]:
        for path, _, files in os.walk(folder):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                if ABOUT in files:
                    found = os.stat(Path(path, CONTENT))
                    key = Path(path).relative_to(self._objects).as_posix()
                    yield Listed(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    async def delete(self, key: str) -> None:
        target = self.path(key).parent
        gone = self._incoming / secrets.token_hex(8)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            target.rename(gone)  # at once, for whoever reads
            await asyncio.to_thread(shutil.rmtree, gone)
            with contextlib.suppress(OSError):
                target.parent.rmdir()  # where this was the last one

    async def join_parts(self, key: str, sizes: Sequence[int]) -> bool:
        folder = self._parts_of(key)
        about = orjson.loads((folder / ABOUT).read_bytes())
        parts = [folder / str(number) for number in range(1, len(sizes) + 1)]
        missing = [number for number, part in enumerate(parts, 1) if not part.exists()]
        if missing:
            raise Incomplete(missing)

        async def chunks() -> AsyncIterator[bytes]:
            for part in parts:
                with (part / CONTENT).open("rb") as body:
                    while chunk := await asyncio.to_thread(body.read, CHUNK_BYTES):
                        yield chunk

        created = await self.receive(key, chunks(), size=sum(sizes), **about)
        await self.drop_parts(key)
        return created

    async def drop_parts(self, key: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._parts_of(key), ignore_errors=True)

    def _parts_of(self, key: str) -> Path:
        """Parts that have arrived lie under their numbers; one folder for each key, whatever is in it."""
        return self._parts / hashlib.sha256(check_key(key).encode()).hexdigest()

    async def create(self, key: str, content: bytes, content_type: str) -> bool:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        sha256 = hashlib.sha256(content).hexdigest()
        return await self.receive(key, chunks(), content_type=content_type, size=len(content), sha256=sha256)

    async def receive(
        self,
        key: str,
        chunks: AsyncIterable[bytes],
        *,
        content_type: str,
        size: int,
        sha256: str,
        part: int | None = None,
    ) -> bool:
        """Create an object from a stream, or a part of one; False when the key is taken.

        Raises:
            ContentMismatch: size or digest differ from what was announced; nothing is stored.
            FileNotFoundError: it is a part, and the upload in parts is over.
        """
        target = self.path(key).parent if part is None else self._parts_of(key) / str(part)
        if part is not None and not target.parent.exists():
            raise FileNotFoundError(key)
        if target.exists():
            return False
        incoming = self._incoming / secrets.token_hex(8)
        incoming.mkdir()
        digest, received = hashlib.sha256(), 0
        try:
            with (incoming / CONTENT).open("wb") as out:
                async for chunk in chunks:
                    received += len(chunk)
                    if received > size:
                        break
                    digest.update(chunk)
                    out.write(chunk)
            if received != size or digest.hexdigest() != sha256:
                raise ContentMismatch("the content does not have the announced size and SHA-256 digest")
            (incoming / ABOUT).write_bytes(orjson.dumps({"sha256": sha256, "content_type": content_type}))
            return await asyncio.to_thread(self._appear, incoming, target)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    def _appear(self, incoming: Path, target: Path) -> bool:
        """Give a complete object its key; False when the key is taken. Blocks until it is on disk."""
        for path in (incoming / CONTENT, incoming / ABOUT, incoming):
            _sync(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            incoming.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            return False
        # The new folders above it, too: one that another process has just made may not be on disk yet.
        for folder in target.parents:
            _sync(folder)
            if folder in (self._objects, self._parts):
                break
        return True

    async def check(self) -> None:
        if not os.access(self._objects, os.W_OK):
            raise OSError(f"{self._objects} is not writable")


def _headers(content_type: str, size: str, sha256: str) -> dict[str, str]:
    """What the signature of a PUT binds, and the create-only rule."""
    return {
        "Content-Type": content_type,
        "If-None-Match": "*",
        "X-Content-SHA256": sha256,
        "X-Content-Size": size,
    }


def _secret(path: Path, incoming: Path) -> bytes:
    """The signing key, made once and whole: several processes may start at the same moment."""
    if not path.exists():
        made = incoming / secrets.token_hex(8)
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(secrets.token_hex(32).encode())
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_bytes()


def _remove_left_over(incoming: Path) -> None:
    oldest = time.time() - LEFT_OVER_SECONDS
    for path in incoming.iterdir():
        with contextlib.suppress(FileNotFoundError):
            newest = max(entry.stat().st_mtime for entry in (path, *path.glob("*")))
            if newest < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
