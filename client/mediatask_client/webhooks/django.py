"""Django: a decorator that gives a view a verified webhook, and answers 400 to everything else.

@webhook(secret)
def receive(request: HttpRequest, event: WebhookEvent) -> HttpResponse: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .limits import MOST_BYTES
from .verification import TOLERANCE_SECONDS, WebhookError, verify

View = Callable[..., HttpResponse]


def webhook(secrets: str | Iterable[str], *, tolerance: float = TOLERANCE_SECONDS) -> Callable[[View], View]:
    """The decorator; arguments as of `verify`. The event comes after the request.

    The view is exempt from CSRF tokens: the signature takes their place.
    """
    known = [secrets] if isinstance(secrets, str) else list(secrets)

    def decorate(view: View) -> View:
        @wraps(view)
        def verified(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            body = request.read(MOST_BYTES + 1)
            if len(body) > MOST_BYTES:
                return HttpResponse(status=413)
            try:
                event = verify(body, request.headers, known, tolerance=tolerance)
            except WebhookError as error:
                return HttpResponse(str(error), status=400, content_type="text/plain")
            return view(request, event, *args, **kwargs)

        guarded: View = csrf_exempt(require_POST(verified))
        return guarded

    return decorate
