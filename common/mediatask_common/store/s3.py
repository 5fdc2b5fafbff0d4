"""S3 and what speaks its protocol (R2, MinIO, versitygw) as artifact store.

The account needs s3:GetObject and s3:PutObject on the objects and s3:ListBucket on the bucket; without the last one S3
answers 403 for what is absent.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
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
from .base import Stored, UploadGrant, check_key, public_url

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

_THREADS = 32
"""Requests at one time."""


class S3Store:
    """Objects in one bucket; creation is conditional (`If-None-Match: *`)."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        session = _session(settings)
        self._client = _client(session, settings, settings.endpoint_url, "s3v4")
        # Signatures cover the host: callers outside the cluster need URLs signed for the address they use. These are
        # signed here, since the client signs as of now alone.
        self._external = _client(session, settings, settings.external_endpoint_url or settings.endpoint_url, UNSIGNED)
        self._credentials = session.get_credentials()
        # Of its own: a service that hangs must not take the threads that others look up names in.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")

    def upload_grant(self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600) -> UploadGrant:
        check_key(key)
        checksum = _checksum(sha256)
        url = self._client.generate_presigned_url(
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

    def public_url(self, key: str) -> str | None:
        return public_url(self._settings.public_url, check_key(key))

    def download_url(self, key: str, *, expires: int | None = None, at: datetime | None = None) -> str:
        public = self.public_url(key)
        if public is not None:
            return public
        plain = self._external.generate_presigned_url("get_object", Params={"Bucket": self._bucket, "Key": key})
        request = AWSRequest("GET", plain)
        region = self._external.meta.region_name
        lifetime = expires or self._settings.url_expiry_seconds
        _SignedAt(self._credentials, region, lifetime, at or datetime.now(UTC)).add_auth(request)
        return str(request.url)

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
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        match code:
            case "NoSuchBucket":
                return OSError(self._no_bucket())
            case "NoSuchKey" | "404":
                return FileNotFoundError(key)
            case "PreconditionFailed" | "412":
                return FileExistsError(key)
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
            # As many as there are threads: the default of 10 would drop and reopen connections.
            max_pool_connections=_THREADS,
        ),
    )
    return client
