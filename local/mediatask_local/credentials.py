"""Secrets of the local mode, generated once and kept under `DIR/secrets`, readable only by their owner."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from mediatask_common.access.keys import new_secret


@dataclass(frozen=True)
class Credentials:
    """Files for the services, and the values that users need."""

    api_key: str
    webhook_secret: str
    webhook_secrets_file: Path
    store_secret_file: Path
    s3_access_key_id: str
    s3_secret_access_key: str


def ensure_credentials(folder: Path) -> Credentials:
    """Read what exists, generate what is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file = folder / "api-key"
    if not key_file.exists():
        _write(key_file, new_secret().encode())
    webhook = folder / "webhook-secrets"
    if not webhook.exists():
        _write(webhook, b"whsec_" + base64.b64encode(secrets.token_bytes(32)) + b"\n")
    for name in ("store-secret", "s3-access-key-id", "s3-secret-access-key"):
        if not (folder / name).exists():
            _write(folder / name, secrets.token_hex(32).encode())
    return Credentials(
        api_key=key_file.read_text(),
        webhook_secret=webhook.read_text().splitlines()[0],
        webhook_secrets_file=webhook,
        store_secret_file=folder / "store-secret",
        s3_access_key_id=(folder / "s3-access-key-id").read_text(),
        s3_secret_access_key=(folder / "s3-secret-access-key").read_text(),
    )


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
    partial.replace(path)
