"""The secrets that sign the webhooks of a service."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from pathlib import Path

from ..errors import NotConfigured, UsageError
from ..webhooks import SECRET_PREFIX


def signing_secrets(given: Sequence[str] | None, folder: Path) -> list[str]:
    """Those given, else the one of a local mode that runs on the folder.

    Raises:
        UsageError: one of them is none; it is not shown.
        NotConfigured: there is none.
    """
    secrets = list(given or _local(folder))
    for secret in secrets:
        try:
            base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError) as error:
            raise UsageError("a webhook secret reads whsec_ followed by base64") from error
    return secrets


def _local(folder: Path) -> list[str]:
    try:
        return [str(json.loads((folder / "up.json").read_bytes())["webhook_secret"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotConfigured(
            "no signing secret: give --secret or set MEDIATASK_WEBHOOK_SECRETS, or run beside a started `mediatask up`"
        ) from error
