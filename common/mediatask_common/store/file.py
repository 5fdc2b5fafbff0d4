"""A folder as artifact store, for one machine: the API serves it through signed, expiring URLs."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from urllib.parse import quote, urlencode

import orjson

from ..settings import StoreSettings
from .base import Stored, UploadGrant


class BadSignature(PermissionError):
    """The URL was changed, or its time is over."""


class ContentMismatch(ValueError):
    """The uploaded bytes are not those that were announced."""


class FileStore:
    """Objects under `folder/objects/<key>`, what is known of each under `folder/meta/<key>.json`."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._objects = settings.folder / "objects"
        self._meta = settings.folder / "meta"
        self._incoming = settings.folder / "incoming"
        for folder in (self._objects, self._meta, self._incoming):
            folder.mkdir(parents=True, exist_ok=True)
        self._secret = _secret(settings.secret_file or settings.folder / "secret")

    # ---- URLs

    def upload_grant(self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600) -> UploadGrant:
        headers = {
            "Content-Type": content_type,
            "If-None-Match": "*",
            "X-Content-SHA256": sha256,
            "X-Content-Size": str(size),
        }
        url = self._signed(self._settings.put_url, "PUT", key, expires, content_type, str(size), sha256)
        return UploadGrant(url, headers)

    def download_url(self, key: str, *, expires: int | None = None) -> str:
        if self._settings.public_url:
            return f"{self._settings.public_url.rstrip('/')}/{quote(key)}"
        return self._signed(self._settings.get_url, "GET", key, expires or self._settings.url_expiry_seconds)

    def verify(self, method: str, key: str, expires: str, signature: str, *bound: str) -> None:
        """Check the query of a signed URL. Raises BadSignature."""
        if not expires.isdigit() or int(expires) < time.time():
            raise BadSignature("this link has expired")
        if not hmac.compare_digest(signature, self._sign(method, key, expires, *bound)):
            raise BadSignature("this link is not valid")

    def _signed(self, base: str, method: str, key: str, seconds: int, *bound: str) -> str:
        expires = str(int(time.time()) + seconds)
        query = urlencode({"expires": expires, "signature": self._sign(method, key, expires, *bound)})
        return f"{base.rstrip('/')}/{quote(key)}?{query}"

    def _sign(self, *parts: str) -> str:
        # Length-prefixed, so that no two lists of parts read the same.
        message = b"".join(f"{len(part)}:{part}".encode() for part in parts)
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()

    # ---- objects

    def path(self, key: str) -> Path:
        """The file of a key. Raises ValueError for keys that lead elsewhere."""
        if key.startswith("/") or any(part in ("", ".", "..") for part in key.split("/")) or "\0" in key:
            raise ValueError(f"not a key: {key!r}")
        return self._objects / key

    async def head(self, key: str) -> Stored | None:
        path, meta = self.path(key), self._meta / f"{key}.json"
        if not path.exists():
            return None
        known = orjson.loads(meta.read_bytes())
        return Stored(key, path.stat().st_size, known["sha256"], known["content_type"])

    async def read(self, key: str, *, limit: int = 8 * 1024**2) -> bytes:
        path = self.path(key)
        if path.stat().st_size > limit:
            raise ValueError(f"{key} is larger than {limit} bytes")
        return await asyncio.to_thread(path.read_bytes)

    async def create(self, key: str, content: bytes, content_type: str) -> bool:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        sha256 = hashlib.sha256(content).hexdigest()
        return await self.receive(key, chunks(), content_type=content_type, size=len(content), sha256=sha256)

    async def receive(
        self, key: str, chunks: AsyncIterable[bytes], *, content_type: str, size: int, sha256: str
    ) -> bool:
        """Create an object from a stream; False when the key is taken.

        The file appears under its key in one step (a hard link of a finished, synced file), so that a crash leaves
        either the whole object or none.

        Raises:
            ContentMismatch: size or digest differ from what was announced; nothing is stored.
        """
        path, meta = self.path(key), self._meta / f"{key}.json"
        if path.exists():
            return False
        incoming = self._incoming / secrets.token_hex(8)
        digest, received = hashlib.sha256(), 0
        try:
            with incoming.open("wb") as out:
                async for chunk in chunks:
                    received += len(chunk)
                    if received > size:
                        break
                    digest.update(chunk)
                    out.write(chunk)
                if received != size or digest.hexdigest() != sha256:
                    raise ContentMismatch("the content does not have the announced size and SHA-256 digest")
                await asyncio.to_thread(_sync, out.fileno())
            path.parent.mkdir(parents=True, exist_ok=True)
            meta.parent.mkdir(parents=True, exist_ok=True)
            # Two writers of one key carry the same announcement only when they carry the same bytes; the
            # description is linked by the winner alone.
            try:
                os.link(incoming, path)
            except FileExistsError:
                return False
            _write_synced(meta, orjson.dumps({"sha256": sha256, "content_type": content_type}))
            _sync_folder(path.parent)
            return True
        finally:
            with contextlib.suppress(FileNotFoundError):
                incoming.unlink()

    async def check(self) -> None:
        if not os.access(self._objects, os.W_OK):
            raise OSError(f"{self._objects} is not writable")


def _secret(path: Path) -> bytes:
    """The signing key, made once: several processes may start at the same moment."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as out:
        key = secrets.token_hex(32).encode()
        out.write(key)
    return key


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
