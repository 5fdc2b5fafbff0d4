"""docs/identity.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from mediatask_common.access.keys import ApiKey
from mediatask_common.access.roles import ROLES, SCOPES

TEXT = (Path(__file__).parents[3] / "docs" / "identity.md").read_text()
ROW = re.compile(r"^\| `([a-z]+:[a-z]+)` \| (.*?) \| (.*) \|$", re.M)
CHANGES = {"tasks:cancel", "tasks:retry"}


def test_the_table_of_scopes_and_roles_is_that_of_the_code() -> None:
    rows = {scope: (about, cells.split("|")) for scope, about, cells in ROW.findall(TEXT)}
    assert rows.keys() == SCOPES.keys()
    for scope, (about, cells) in rows.items():
        assert about == SCOPES[scope]
        for grant, cell in zip(ROLES.values(), cells, strict=True):
            own = grant.own_tasks_only and scope in CHANGES
            assert cell.strip() == ("" if scope not in grant.scopes else "own" if own else "yes"), scope


def test_the_entry_of_a_key_is_one() -> None:
    [entry] = re.findall(r'^\{"sha256".*$', TEXT, re.M)
    key = ApiKey.model_validate_json(entry.replace("9f86d0...", "0" * 64))
    assert key.role == "writer"
