"""PayloadCMS's REST API, as much of it as is needed: look a document up, create one with its file.

The service is one that the installation has chosen, and yet it may answer late, with gigabytes or with nonsense. The
file passes through a piece at a time, with its length announced: what breaks off is no document.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from mediatask_common.times import utcnow

from ..post import guarded_session, is_refusal, plain, retry_after

ANSWER_LIMIT = 1024**2
"""Bytes of an answer."""
CONNECT_SECONDS = 10.0
LOOKUP_SECONDS = 30.0
_ID_LIMIT = 128
_QUOTED = 300
"""Characters of an error of PayloadCMS that are passed on."""


class PayloadAway(Exception):
    """No answer, or one that says to try again."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = wait


class PayloadRefused(Exception):
    """It will answer so again until somebody changes something."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def of_all(self) -> bool:
        """Whether any other request would be refused as well: key, address or collection are wrong."""
        return self.status in (401, 403, 404) or 300 <= self.status < 400


@dataclass(frozen=True)
class Document:
    """What there is to know of a document."""

    id: str | int
    """Opaque: a number or text, as the database has it."""
    values: Mapping[str, Any]


@dataclass(frozen=True)
class File:
    """A file to upload."""

    name: str
    content_type: str
    size: int
    """Bytes."""
    content: AsyncGenerator[bytes, None]


class PayloadClient:
    """One PayloadCMS. Belongs to one event loop."""

    def __init__(self, api_url: str, api_key: Callable[[], str], auth_collection: str, timeout: float) -> None:
        """The client of a service; nothing is asked yet.

        Args:
            api_url: base of its REST API, for example `https://cms.example.com/api`.
            api_key: asked before each request, so that the key may be rotated.
            auth_collection: slug of the collection that the API key's user is in.
            timeout: seconds for an upload.
        """
        self._url = api_url.rstrip("/")
        self._key = api_key
        self._scheme = f"{auth_collection} API-Key"
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "mediatask/1",
        }
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def find(self, collection: str, field: str, value: str, select: tuple[str, ...] = ()) -> Document | None:
        """The oldest document whose field has this value.

        Raises:
            PayloadAway, PayloadRefused: see there.
        """
        query = {f"where[{field}][equals]": value, "limit": "1", "depth": "0", "sort": "createdAt"}
        query |= {f"select[{name}]": "true" for name in select}
        answer = await self._ask("GET", collection, query, min(LOOKUP_SECONDS, self._timeout))
        docs = answer.get("docs")
        if not isinstance(docs, list):
            raise PayloadAway("PayloadCMS answers a search without documents")
        return _document(docs[0]) if docs else None

    async def create(self, collection: str, fields: Mapping[str, Any], file: File) -> Document:
        """Create a document with its file.

        Raises:
            PayloadAway, PayloadRefused: see there; the document may have been created nevertheless.
        """
        body = _Multipart(fields, file)
        headers = {"Content-Type": body.content_type, "Content-Length": str(body.size)}
        answer = await self._ask("POST", collection, {"depth": "0"}, self._timeout, headers, body.pieces())
        return _document(answer.get("doc"))

    async def close(self) -> None:
        """End its connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(
        self,
        method: str,
        collection: str,
        query: Mapping[str, str],
        seconds: float,
        headers: Mapping[str, str] | None = None,
        data: AsyncIterator[bytes] | None = None,
    ) -> dict[str, Any]:
        if self._session is None:
            self._session = guarded_session(headers=self._headers)
        url = URL(f"{self._url}/{quote(collection)}").with_query(query)
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        key = self._key()
        headers = {"Authorization": f"{self._scheme} {key}", **(headers or {})}
        try:
            async with self._session.request(
                method, url, headers=headers, data=data, timeout=timeout, allow_redirects=False
            ) as response:
                return _understood(response, await _limited(response), key)
        except TimeoutError:
            raise PayloadAway(f"no answer within {seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise PayloadAway(plain(f"{type(error).__name__}: {error}", _QUOTED, key)) from error


def _understood(response: aiohttp.ClientResponse, content: bytes, key: str) -> dict[str, Any]:
    status = response.status
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if status in (200, 201) and isinstance(answer, dict):
        return answer
    why = plain(f"PayloadCMS answered {status}{_reason(answer)}", _QUOTED, key)
    if is_refusal(status):
        raise PayloadRefused(why, status)
    raise PayloadAway(why, retry_after(response.headers.get("Retry-After"), utcnow()))


class _Multipart:
    """`multipart/form-data` whose length is known beforehand: the document's fields, and its file."""

    def __init__(self, fields: Mapping[str, Any], file: File) -> None:
        boundary = secrets.token_hex(16).encode()
        # The names are ours: no quote or line break is in any.
        self._head = b"".join(
            (
                b"--%s\r\n" % boundary,
                b'Content-Disposition: form-data; name="_payload"\r\n\r\n%s\r\n' % orjson.dumps(fields),
                b"--%s\r\n" % boundary,
                b'Content-Disposition: form-data; name="file"; filename="%s"\r\n' % file.name.encode(),
                b"Content-Type: %s\r\n\r\n" % file.content_type.encode(),
            )
        )
        self._tail = b"\r\n--%s--\r\n" % boundary
        self._file = file
        self.content_type = f"multipart/form-data; boundary={boundary.decode()}"
        self.size = len(self._head) + file.size + len(self._tail)

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self._head
        async with aclosing(self._file.content) as content:
            async for piece in content:
                yield piece
        yield self._tail


async def _limited(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > ANSWER_LIMIT:
            raise PayloadAway(f"PayloadCMS answered {response.status} with more than {ANSWER_LIMIT} bytes")
    return bytes(content)


def _document(found: Any) -> Document:
    key = found.get("id") if isinstance(found, dict) else None
    if isinstance(key, bool) or not isinstance(key, str | int) or not 0 < len(str(key)) <= _ID_LIMIT:
        raise PayloadAway("PayloadCMS answered with a document that has no id")
    return Document(key, found)


def _reason(answer: Any) -> str:
    """What PayloadCMS says of an error, where it does: `: message (field: message)`."""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else answer
    if not isinstance(first, dict) or not isinstance(first.get("message"), str):
        return ""
    data = first.get("data")
    faults = data.get("errors") if isinstance(data, dict) else None
    details = [
        f"{str(fault.get('path'))[:64]}: {str(fault.get('message'))[:128]}"
        for fault in (faults if isinstance(faults, list) else [])[:3]
        if isinstance(fault, dict)
    ]
    return f": {first['message'][:_QUOTED]}" + (f" ({'; '.join(details)})" if details else "")
