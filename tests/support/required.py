"""What a test needs of the machine and does not find: a skip on a laptop, a failure where a skip would be a lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NoReturn

import pytest


@dataclass(frozen=True)
class Requirement:
    """Something that machines may lack."""

    name: str

    @property
    def variable(self) -> str:
        """Set to 1, as in CI, it makes a skip a failure."""
        return f"MEDIATASK_REQUIRE_{self.name.upper()}"

    @property
    def is_demanded(self) -> bool:
        return os.environ.get(self.variable) == "1"

    def unavailable(self, reason: str) -> NoReturn:
        """Skip the test in one line; a failure, which has room for all of the reason, where it is demanded."""
        if self.is_demanded:
            pytest.fail(f"{self.variable}=1, but {reason}", pytrace=False)
        pytest.skip(f"no {self.name}: {reason.splitlines()[0]}")


CLUSTER = Requirement("cluster")
S3 = Requirement("S3")
REDIS = Requirement("Redis")
BROWSER = Requirement("browser")
NODE = Requirement("Node")
PAYLOAD = Requirement("Payload")
