"""Flask: a decorator that gives a view a verified webhook, and answers 400 to everything else.

@app.post("/webhooks")
@webhook(secret)
def receive(event: WebhookEvent) -> tuple[str, int]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from flask import abort, request

from .limits import MOST_BYTES
from .verification import TOLERANCE_SECONDS, WebhookError, verify

Answer = TypeVar("Answer")


def webhook(
    secrets: str | Iterable[str], *, tolerance: float = TOLERANCE_SECONDS
) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    """The decorator; arguments as of `verify`. The event is the view's first argument."""
    known = [secrets] if isinstance(secrets, str) else list(secrets)

    def decorate(view: Callable[..., Answer]) -> Callable[..., Answer]:
        @wraps(view)
        def verified(*args: Any, **kwargs: Any) -> Answer:
            body = request.stream.read(MOST_BYTES + 1)
            if len(body) > MOST_BYTES:
                abort(413)
            try:
                event = verify(body, dict(request.headers), known, tolerance=tolerance)
            except WebhookError as error:
                abort(400, str(error))
            return view(event, *args, **kwargs)

        return verified

    return decorate
