"""S3 and what speaks its protocol (R2, MinIO, versitygw) as artifact store.

The account needs s3:GetObject and s3:PutObject on the objects and s3:ListBucket on the bucket; without the last one S3
answers 403 for what is absent. Uploads of callers need s3:DeleteObject, s3:AbortMultipartUpload and
s3:ListMultipartUploadParts below `uploads/`, and s3:ListBucketMultipartUploads on the bucket.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore import UNSIGNED
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..settings import StoreSettings
from .base import PIECE_BYTES, Incomplete, Listed, Part, Stored, UploadGrant, check_key, public_url

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

_THREADS = 32
"""Requests at one time."""
PAGE = 1000
"""Objects that one request lists; S3 gives no more."""


class S3Store:
    """Objects in one bucket; creation is conditional (`If-None-Match: *`)."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        session = _session(settings)
        self._client = _client(session, settings, settings.endpoint_url, "s3v4")
        # Signatures cover the host: callers outside the cluster need URLs signed for the address they use. Downloads
        # are signed here, since the client signs as of now alone.
        outside = settings.external_endpoint_url or settings.endpoint_url
        self._unsigned = _client(session, settings, outside, UNSIGNED)
        self._outside = (
            self._client if outside == settings.endpoint_url else _client(session, settings, outside, "s3v4")
        )
        self._credentials = session.get_credentials()
        # Of its own: a service that hangs must not take the threads that others look up names in.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")

    def upload_grant(
        self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600, outside: bool = False
    ) -> UploadGrant:
        check_key(key)
        checksum = _checksum(sha256)
        url = (self._outside if outside else self._client).generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ContentType": content_type,
                "ContentLength": size,
                "ChecksumSHA256": checksum,
                "IfNoneMatch": "*",
                "Metadata": {"sha256": sha256},
            },
            ExpiresIn=expires,
            HttpMethod="PUT",
        )
        headers = {
            "Content-Type": content_type,
            "If-None-Match": "*",
            "x-amz-checksum-sha256": checksum,
            "x-amz-meta-sha256": sha256,
        }
        return UploadGrant(url, headers)

    async def part_grants(
        self, key: str, parts: Sequence[Part], *, content_type: str, sha256: str, expires: int = 3600
    ) -> list[UploadGrant]:
        check_key(key)
        begun = await self._call(
            key,
            lambda: self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                ContentType=content_type,
                Metadata={"sha256": sha256},
                ChecksumAlgorithm="SHA256",
            ),
        )
        return [self._part_grant(key, begun["UploadId"], *numbered, expires) for numbered in enumerate(parts, 1)]

    def _part_grant(self, key: str, upload: str, number: int, part: Part, expires: int) -> UploadGrant:
        checksum = _checksum(part.sha256)
        url = self._outside.generate_presigned_url(
            "upload_part",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "UploadId": upload,
                "PartNumber": number,
                "ContentLength": part.bytes,
                "ChecksumSHA256": checksum,
            },
            ExpiresIn=expires,
            HttpMethod="PUT",
        )
        return UploadGrant(url, {"x-amz-checksum-sha256": checksum})

    async def join_parts(self, key: str, sizes: Sequence[int]) -> bool:
        check_key(key)
        uploads = await self._uploads_in_parts(key)
        if not uploads:
            raise FileNotFoundError(key)
        return await self._call(key, lambda: self._join(key, uploads[0], sizes))

    def _join(self, key: str, upload: str, sizes: Sequence[int]) -> bool:
        found = self._client.list_parts(Bucket=self._bucket, Key=key, UploadId=upload)
        parts = {part["PartNumber"]: part for part in found.get("Parts", [])}
        missing = [
            number for number, size in enumerate(sizes, 1) if number not in parts or parts[number]["Size"] != size
        ]
        if missing:
            raise Incomplete(missing)
        listed: list[Any] = [
            {name: parts[number][name] for name in ("PartNumber", "ETag", "ChecksumSHA256") if name in parts[number]}
            for number in range(1, len(sizes) + 1)
        ]
        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": listed}, IfNoneMatch="*"
            )
        except ClientError as error:
            if _code(error) in ("PreconditionFailed", "412"):
                return False
            raise
        return True

    async def drop_parts(self, key: str) -> None:
        check_key(key)
        uploads = await self._uploads_in_parts(key)

        def abort() -> None:
            for upload in uploads:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)

        with contextlib.suppress(FileNotFoundError):
            await self._call(key, abort)

    async def _uploads_in_parts(self, key: str) -> list[str]:
        """Ids of the unfinished uploads of a key."""
        found = await self._call(
            key, lambda: self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=key, MaxUploads=100)
        )
        return [upload["UploadId"] for upload in found.get("Uploads", []) if upload["Key"] == key]

    def public_url(self, key: str) -> str | None:
        return public_url(self._settings.public_url, check_key(key))

    def download_url(self, key: str, *, expires: int | None = None, at: datetime | None = None) -> str:
        public = self.public_url(key)
        if public is not None:
            return public
        plain = self._unsigned.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": key})
        request = AWSRequest("GET", plain)
        region = self._unsigned.meta.region_name
        lifetime = expires or self._settings.url_expiry_seconds
        _SignedAt(self._credentials, region, lifetime, at or datetime.now(UTC)).add_auth(request)
        return str(request.url)

    def pod_url(self, key: str, *, expires: int) -> str:
        check_key(key)
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=expires
        )

    async def head(self, key: str) -> Stored | None:
        check_key(key)
        try:
            found = await self._call(key, lambda: self._client.head_object(Bucket=self._bucket, Key=key))
        except FileNotFoundError:
            # The same 404 means that there is no bucket, and then nothing is known of the object.
            await self.check()
            return None
        return Stored(key, found["ContentLength"], found["Metadata"].get("sha256"), found["ContentType"])

    async def read(self, key: str, *, limit: int = 8 * 1024**2) -> bytes:
        def fetch() -> bytes:
            found = self._client.get_object(Bucket=self._bucket, Key=key)
            if found["ContentLength"] > limit:
                found["Body"].close()
                raise ValueError(f"{key} is larger than {limit} bytes")
            return found["Body"].read()

        check_key(key)
        return await self._call(key, fetch)

    async def stream(self, key: str) -> AsyncGenerator[bytes, None]:
        check_key(key)
        found = await self._call(key, lambda: self._client.get_object(Bucket=self._bucket, Key=key))
        body = found["Body"]
        try:
            while piece := await self._call(key, lambda: body.read(PIECE_BYTES)):
                yield piece
        finally:
            body.close()

    async def start(self, key: str, limit: int) -> tuple[Stored, bytes]:
        def fetch() -> tuple[Stored, bytes]:
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=0-{limit - 1}")
            except ClientError as error:
                if _code(error) not in ("InvalidRange", "416"):
                    raise
                found = self._client.get_object(Bucket=self._bucket, Key=key)  # it is empty
            # `bytes 0-63/4711`; without it the service has sent all of it.
            size = int(found.get("ContentRange", "").rpartition("/")[2] or found["ContentLength"])
            try:
                content = found["Body"].read(limit)
            finally:
                found["Body"].close()
            return Stored(key, size, found["Metadata"].get("sha256"), found["ContentType"]), content

        check_key(key)
        return await self._call(key, fetch)

    async def objects(self, prefix: str) -> AsyncIterator[Listed]:
        check_key(prefix.removesuffix("/"))
        after = ""

        def fetch() -> Any:
            return self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, StartAfter=after, MaxKeys=PAGE)

        while True:
            page = await self._call(None, fetch)
            for item in page.get("Contents", []):
                after = item["Key"]
                yield Listed(after, item["Size"], item["LastModified"])
            if not page.get("IsTruncated"):
                return

    async def delete(self, key: str) -> None:
        check_key(key)
        with contextlib.suppress(FileNotFoundError):
            await self._call(key, lambda: self._client.delete_object(Bucket=self._bucket, Key=key))

    async def create(self, key: str, content: bytes, content_type: str) -> bool:
        check_key(key)
        sha256 = hashlib.sha256(content).hexdigest()
        try:
            await self._call(
                key,
                lambda: self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=content,
                    ContentType=content_type,
                    ChecksumSHA256=_checksum(sha256),
                    IfNoneMatch="*",
                    Metadata={"sha256": sha256},
                ),
            )
        except FileExistsError:
            return False
        return True

    async def check(self) -> None:
        try:
            await self._call(None, lambda: self._client.head_bucket(Bucket=self._bucket))
        except FileNotFoundError as error:
            raise OSError(self._no_bucket()) from error

    async def _call(self, key: str | None, operation: Callable[[], T]) -> T:
        """One operation in a thread. Raises FileNotFoundError, FileExistsError, or OSError for the rest."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, operation)
        except ClientError as error:
            raise self._translated(error, key) from error
        except BotoCoreError as error:
            raise OSError(f"artifact store: {error}") from error

    def _translated(self, error: ClientError, key: str | None) -> OSError:
        """What an error answer means. Answers to HEAD have no body: their code is the HTTP status."""
        code, message = _code(error), error.response["Error"].get("Message", "")
        match code:
            case "NoSuchBucket":
                return OSError(self._no_bucket())
            case "NoSuchKey" | "NoSuchUpload" | "404":
                return FileNotFoundError(key)
            case "PreconditionFailed" | "412":
                return FileExistsError(key)
            case "RequestTimeTooSkewed":
                message = "the clock of this machine is not that of the service"
            case "400":
                message = f"the service refuses the request; is the region {self._settings.region} right?"
            case "403":
                message = f"the credentials are wrong, or may not use the bucket {self._bucket}"
        # A ConditionalRequestConflict stays an error: another upload is under way, and may yet come to nothing.
        return OSError(f"artifact store: {error.operation_name} at {self._address}: {code}: {message}")

    def _no_bucket(self) -> str:
        return f"artifact store: there is no bucket {self._bucket} at {self._address}"

    @property
    def _address(self) -> str:
        return self._client.meta.endpoint_url


class _SignedAt(S3SigV4QueryAuth):
    """Signs a URL as of a given moment."""

    def __init__(self, credentials: Any, region: str, expires: int, at: datetime) -> None:
        super().__init__(credentials, "s3", region, expires)
        self._at = at

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        # Called by `add_auth` after it has set the time and before it signs.
        request.context["timestamp"] = self._at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # the stubs lack it


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def _checksum(sha256: str) -> str:
    """A hexadecimal digest as S3 writes it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _session(settings: StoreSettings) -> boto3.Session:
    secret = settings.secret_access_key
    return boto3.Session(
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
    )


def _client(session: boto3.Session, settings: StoreSettings, endpoint: str | None, signature: Any) -> S3Client:
    client: S3Client = session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            signature_version=signature,
            s3={"addressing_style": settings.addressing},
            connect_timeout=5,
            read_timeout=20,
            retries={"max_attempts": 3, "mode": "standard"},
            # Not on every request, as boto3 does since 1.36: R2 and older services refuse what they do not know.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # As many as there are threads: the default of 10 would drop and reopen connections.
            max_pool_connections=_THREADS,
        ),
    )
    return client
