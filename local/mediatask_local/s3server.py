"""The S3 server that `mediatask up --store s3` runs: versitygw on a local folder.

https://github.com/versity/versitygw: a real S3 service in one Go binary. It checks signatures, expiry and checksums,
creates objects atomically under `If-None-Match: *`, and stores each as a plain file in its bucket's folder.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .child import StartError
from .ports import HOST

PACKAGE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
CACHED = Path.home() / ".cache/mediatask/cluster-bin/versitygw"
"""The tests on real clusters keep theirs here, too."""
ENV_PROGRAM = "MEDIATASK_VERSITYGW"
"""Program of the S3 server that `--store s3` starts; the one on PATH, or that of `make s3-server`, when absent."""
HEALTH_PATH = "/health"


@dataclass(frozen=True)
class S3Server:
    """A server: its address and its only account."""

    program: str
    folder: Path
    """Holds one folder per bucket. Its file system must support extended attributes, as all common ones do."""
    port: int
    access_key_id: str
    secret_access_key: str
    bucket: str = "mediatask"
    region: str = "us-east-1"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def command(self) -> list[str]:
        options = ["--port", f"{HOST}:{self.port}", "--region", self.region, "--health", HEALTH_PATH]
        # Clients reuse connections; a log line per request would help nobody.
        return [self.program, *options, "--keep-alive", "--quiet", "posix", str(self.folder)]

    @property
    def environment(self) -> dict[str, str]:
        """The complete environment. Anyone could read keys in arguments; VGW_* variables of the user are left out."""
        return {"ROOT_ACCESS_KEY_ID": self.access_key_id, "ROOT_SECRET_ACCESS_KEY": self.secret_access_key}

    @property
    def store_variables(self) -> dict[str, str]:
        """Settings with which operator and API reach it."""
        return {
            "MEDIATASK_STORE_KIND": "s3",
            "MEDIATASK_STORE_ENDPOINT_URL": self.url,
            "MEDIATASK_STORE_BUCKET": self.bucket,
            "MEDIATASK_STORE_REGION": self.region,
            "MEDIATASK_STORE_ADDRESSING": "path",
            "MEDIATASK_STORE_ACCESS_KEY_ID": self.access_key_id,
            "MEDIATASK_STORE_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def make_bucket(self) -> None:
        """Create the bucket: to versitygw, a folder below the root is one."""
        (self.folder / self.bucket).mkdir(parents=True, exist_ok=True)


def find_program() -> str:
    """Path of versitygw: from MEDIATASK_VERSITYGW, else on PATH, else in the user's cache.

    Raises:
        StartError: there is none; the message says how to get it.
    """
    if chosen := os.environ.get(ENV_PROGRAM):
        if program := shutil.which(chosen):
            return program
        raise StartError(f"{ENV_PROGRAM} is {chosen}, which is not an executable")
    if program := shutil.which("versitygw") or shutil.which(CACHED):
        return program
    raise StartError(
        f"no S3 server on this machine: versitygw is neither on PATH nor at {CACHED}. With Go 1.26 or newer, run\n"
        f"  GOBIN={CACHED.parent} CGO_ENABLED=0 go install {PACKAGE}\n"
        f"or use an existing S3 service: set MEDIATASK_STORE_ENDPOINT_URL and MEDIATASK_STORE_BUCKET"
    )
