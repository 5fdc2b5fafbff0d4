"""S3 and what speaks its protocol (R2, MinIO, versitygw) as artifact store.

The account needs s3:GetObject and s3:PutObject on the objects and s3:ListBucket on the bucket; without the last one S3
answers 403 for what is absent.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..settings import StoreSettings
from .base import Stored, UploadGrant

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")


class S3Store:
    """Objects in one bucket; creation is conditional (`If-None-Match: *`)."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._client = _client(settings, settings.endpoint_url)
        # Signatures cover the host: callers outside the cluster need URLs signed for the address they use.
        external = settings.external_endpoint_url
        self._external = _client(settings, external) if external else self._client

    def upload_grant(self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600) -> UploadGrant:
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

    def download_url(self, key: str, *, expires: int | None = None) -> str:
        if self._settings.public_url:
            return f"{self._settings.public_url.rstrip('/')}/{quote(key)}"
        return self._external.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=expires or self._settings.url_expiry_seconds,
        )

    async def head(self, key: str) -> Stored | None:
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

        return await self._call(key, fetch)

    async def create(self, key: str, content: bytes, content_type: str) -> bool:
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
            return await asyncio.to_thread(operation)
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


def _checksum(sha256: str) -> str:
    """A hexadecimal digest as S3 writes it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _client(settings: StoreSettings, endpoint: str | None) -> S3Client:
    secret = settings.secret_access_key
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": settings.addressing},
            connect_timeout=5,
            read_timeout=20,
            retries={"max_attempts": 3, "mode": "standard"},
            # As many as there are threads: the default of 10 would drop and reopen connections.
            max_pool_connections=32,
        ),
    )
    return client
