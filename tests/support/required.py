"""What a test needs of the machine and does not find: a skip on a laptop, a failure where a skip would be a lie."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

ENV = "MEDIATASK_REQUIRE_CLUSTER"


def unavailable(reason: str) -> NoReturn:
    """Skips the test; MEDIATASK_REQUIRE_CLUSTER=1, for CI, makes that a failure."""
    if os.environ.get(ENV) == "1":
        pytest.fail(f"a cluster is required: {reason}", pytrace=False)
    pytest.skip(f"no cluster: {reason}")
