"""A real browser without a window."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

from .required import BROWSER

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@asynccontextmanager
async def browser_page(patience: float = 60) -> AsyncIterator[Page]:
    """A page of a new browser. Skips the test where none is installed.

    Args:
        patience: seconds for each step.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        BROWSER.unavailable("apt-get install chromium-headless-shell")
    async with async_playwright() as playwright:
        # Its sandbox does not start for root.
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page()
        page.set_default_timeout(patience * 1000)
        yield page
        await browser.close()
