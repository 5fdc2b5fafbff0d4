"""S3 and what speaks its protocol (R2, MinIO, versitygw) as artifact store."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..settings import StoreSettings
from .base import Stored, UploadGrant

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class S3Store:
    """Objects in one bucket; creation is conditional (`If-None-Match: *`)."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._client = _client(settings, settings.endpoint_url)
        # Signatures cover the host: callers outside the cluster need URLs signed for the address they use.
        external = settings.external_endpoint_url
        self._external = _client(settings, external) if external else self._client

    def upload_grant(self, key: str, *, content_type: str, size: int, sha256: str, expires: int = 3600) -> UploadGrant:
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        url = self._client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._settings.bucket,
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
            Params={"Bucket": self._settings.bucket, "Key": key},
            ExpiresIn=expires or self._settings.url_expiry_seconds,
        )

    async def head(self, key: str) -> Stored | None:
        try:
            found = await _call(self._client.head_object, Bucket=self._settings.bucket, Key=key)
        except FileNotFoundError:
            return None
        return Stored(key, found["ContentLength"], found["Metadata"].get("sha256"), found["ContentType"])

    async def read(self, key: str, *, limit: int = 8 * 1024**2) -> bytes:
        found = await _call(self._client.get_object, Bucket=self._settings.bucket, Key=key)
        if found["ContentLength"] > limit:
            found["Body"].close()
            raise ValueError(f"{key} is larger than {limit} bytes")
        content: bytes = await asyncio.to_thread(found["Body"].read)
        return content

    async def create(self, key: str, content: bytes, content_type: str) -> bool:
        try:
            await _call(
                self._client.put_object,
                Bucket=self._settings.bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                IfNoneMatch="*",
                Metadata={"sha256": hashlib.sha256(content).hexdigest()},
            )
        except FileExistsError:
            return False
        return True

    async def check(self) -> None:
        await _call(self._client.head_bucket, Bucket=self._settings.bucket)


def _client(settings: StoreSettings, endpoint: str | None) -> S3Client:
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": settings.addressing},
            connect_timeout=5,
            read_timeout=20,
            retries={"max_attempts": 3, "mode": "standard"},
        ),
    )
    return client


async def _call(operation: Any, **params: Any) -> Any:
    """One call in a thread. Raises FileNotFoundError, FileExistsError, or OSError for the rest."""
    try:
        return await asyncio.to_thread(operation, **params)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 404:
            raise FileNotFoundError(params.get("Key") or params.get("Bucket")) from error
        if status == 412 or code in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise FileExistsError(params.get("Key")) from error
        raise OSError(f"artifact store: {error}") from error
    except BotoCoreError as error:
        raise OSError(f"artifact store: {error}") from error
