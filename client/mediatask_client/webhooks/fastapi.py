"""FastAPI: a dependency that gives a verified webhook, and answers 400 to everything else.

@app.post("/webhooks", status_code=204)
async def receive(event: Annotated[WebhookEvent, Depends(webhook(secret))]) -> None: ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from fastapi import HTTPException, Request

from .limits import MOST_BYTES
from .verification import TOLERANCE_SECONDS, WebhookError, WebhookEvent, verify


def webhook(
    secrets: str | Iterable[str], *, tolerance: float = TOLERANCE_SECONDS
) -> Callable[[Request], Awaitable[WebhookEvent]]:
    """The dependency; arguments as of `verify`."""
    known = [secrets] if isinstance(secrets, str) else list(secrets)

    async def verified(request: Request) -> WebhookEvent:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_BYTES:
                raise HTTPException(413)
        try:
            return verify(bytes(body), request.headers, known, tolerance=tolerance)
        except WebhookError as error:
            raise HTTPException(400, str(error)) from error

    return verified
