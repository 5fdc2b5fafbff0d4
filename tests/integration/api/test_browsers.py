"""What browsers are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from mediatask_api.settings import ApiSettings

APP = "https://app.example.com"


def preflight(origin: str, **headers: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "POST", **headers}


async def test_pages_of_no_other_origin_may_call_unless_it_is_listed(open_world: Callable[..., Any]) -> None:
    async with open_world() as world:
        answer = await world.api.get("/task-types", headers={"Origin": APP})
        assert "access-control-allow-origin" not in answer.headers
    async with open_world(cors_origins=[APP]) as world:
        asked = {"Access-Control-Request-Headers": "x-api-key, idempotency-key, content-type"}
        allowed = await world.api.options("/tasks/submit", headers=preflight(APP, **asked))
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, APP)
        assert "access-control-allow-credentials" not in allowed.headers
        stranger = await world.api.options("/tasks/submit", headers=preflight("https://evil.example"))
        assert "access-control-allow-origin" not in stranger.headers
        refused = await world.api.get("/tasks/nothing/status", headers={"Origin": APP})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (404, APP)
        assert "Retry-After" in refused.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/", "https://*.example.com", "null", ""])
def test_an_origin_that_no_browser_sends_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        ApiSettings(cors_origins=[origin])


async def test_answers_are_not_run_framed_or_guessed_at(open_world: Callable[..., Any]) -> None:
    async with open_world(public_url="https://media.example.com") as world:
        for path, status in (("/task-types", 200), ("/tasks/nothing/status", 404), ("/nowhere", 404)):
            answer = await world.api.get(path)
            assert answer.status_code == status
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        page = await world.api.get("http://api/docs")
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]
        script = await world.api.get("http://api/static-offline-docs/swagger-ui-bundle.js")
        assert script.status_code == 200
    async with open_world() as world:
        assert "Strict-Transport-Security" not in (await world.api.get("/task-types")).headers
