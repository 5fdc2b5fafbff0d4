"""The page at /docs in a real browser: it comes up, signs in and calls, within what the headers allow it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from support.browser import browser_page
from support.front import open_front  # noqa: F401
from support.issuer import issuer


async def authorize(page: Page, scheme: str, secret: str) -> None:
    """Give the credentials of one scheme, and forget those before."""
    await page.click(".scheme-container .btn.authorize")
    for logout in await page.locator(".auth-container button", has_text="Logout").all():
        await logout.click()
    form = page.locator(".auth-container", has_text=scheme)
    await form.locator("input").fill(secret)
    await form.locator("button.authorize").click()
    await page.click(".btn-done")


async def execute(page: Page, operation: str) -> str:
    """Try an operation out with what the page proposes; its status code."""
    block = page.locator(f"#operations-{operation}")
    if "is-open" not in (await block.get_attribute("class") or ""):
        await block.locator(".opblock-summary-control").click()
        await block.locator(".try-out__btn").click()
    else:
        await block.locator(".btn-clear").click()
    await block.locator(".execute").click()
    return (await block.locator(".live-responses-table tbody .response-col_status").first.inner_text()).strip()


@pytest.mark.timeout(300)
async def test_the_page_signs_in_and_calls(open_front: Any) -> None:  # noqa: F811
    async with issuer() as provider:
        environment = {f"JWT_{name.upper()}": value for name, value in provider.settings.items()}
        async with open_front(**environment) as front, browser_page() as page:
            troubles: list[str] = []
            asked: list[str] = []
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
            page.on("request", lambda request: asked.append(request.url))
            await page.goto(f"{front.urls[0]}/docs")
            assert await execute(page, "monitoring-getStats") == "401"
            await authorize(page, "X-API-Key", front.admin)
            assert await execute(page, "monitoring-getStats") == "200"
            assert await execute(page, "tasks-submitTask") == "202", "the example of the document is a task"
            await authorize(page, "HTTPBearer", provider.token(role="viewer", projects=["film"]))
            assert await execute(page, "monitoring-listWorkers") == "200"
            assert await execute(page, "tasks-getTaskStatus") == "404", "the sample in the path is no task here"
    outside = [url for url in asked if not url.startswith((front.urls[0], "data:"))]
    assert not outside, "the page needs nothing from elsewhere"
    unexpected = [text for text in troubles if "status of 401" not in text and "status of 404" not in text]
    assert not unexpected, unexpected
