"""Scopes, roles and keys as they are stored."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from mediatask_common.access.keys import PREFIX, ApiKey, digest, new_key, rotated
from mediatask_common.access.keysecret import read_secret
from mediatask_common.access.roles import ROLES, SCOPES, Grant, of_roles, of_scopes
from mediatask_common.times import utcnow


def test_new_keys_are_long_random_and_stored_as_digests() -> None:
    made = [new_key(["film"], role="viewer") for _ in range(20)]
    assert len({secret for secret, _ in made}) == 20
    for secret, stored in made:
        assert secret.startswith(PREFIX)
        assert len(secret) >= len(PREFIX) + 43
        assert secret not in stored.model_dump_json()
        assert stored.valid(digest(secret), utcnow())
        assert not stored.valid(digest(secret + "x"), utcnow())


def test_a_rotated_key_keeps_two_secrets_and_no_third() -> None:
    now = utcnow()
    first, key = new_key(["film"], role="viewer")
    second, key = rotated(key, now + timedelta(hours=1))
    assert key.valid(digest(first), now)
    assert key.valid(digest(second), now)
    assert not key.valid(digest(first), now + timedelta(hours=1))
    third, key = rotated(key, now + timedelta(hours=1))
    assert [key.valid(digest(each), now) for each in (first, second, third)] == [False, True, True]


def test_an_expired_key_is_not_valid_with_either_secret() -> None:
    now = utcnow()
    first, key = new_key(["film"], role="viewer", expires_at=now)
    second, key = rotated(key, now + timedelta(hours=1))
    assert not key.valid(digest(first), now)
    assert not key.valid(digest(second), now)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"role": "viewer", "scopes": []},
        {"role": "king"},
        {"role": "viewer", "projects": []},
        {"role": "viewer", "projects": ["../film"]},
        {"role": "viewer", "expires_at": "2030-01-01T00:00:00"},
        {"role": "viewer", "sha256": "00"},
    ],
)
def test_what_is_no_key_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ApiKey.model_validate({"sha256": "0" * 64, "projects": ["film"], **fields})


def test_faults_of_a_secret_do_not_show_its_content() -> None:
    secret = {"metadata": {}, "data": {"a.json": "bXRrX3NlY3JldA==", "b.json": "!", "bad name.json": "e30="}}
    stored = read_secret(secret)
    assert stored.faults.keys() == secret["data"].keys()
    assert "mtk_secret" not in str(stored.faults)


def test_each_role_may_do_all_that_the_one_before_may() -> None:
    viewer, writer, director, producer = ROLES.values()
    assert viewer.scopes < writer.scopes < director.scopes < producer.scopes == SCOPES.keys()
    assert producer.scopes - director.scopes == {"keys:admin", "results:review"}


def test_several_roles_are_their_union() -> None:
    assert of_roles(["Viewer", "WRITER", "admin"]) == ROLES["writer"]
    assert of_roles(["writer", "director"]) == ROLES["director"]
    assert of_roles(["king"]).scopes == set()


def test_nobody_hands_out_more_than_it_has() -> None:
    assert ROLES["producer"].covers(ROLES["writer"])
    assert not ROLES["director"].covers(ROLES["producer"])
    own = Grant(ROLES["director"].scopes, own_tasks_only=True)
    assert not own.covers(ROLES["director"])
    assert own.covers(ROLES["writer"])
    assert of_scopes(["keys:admin"]).covers(of_scopes(["keys:admin"]))
    assert not of_scopes(["keys:admin"]).covers(ROLES["viewer"])
