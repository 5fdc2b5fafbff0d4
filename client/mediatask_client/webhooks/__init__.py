"""Receiving webhooks: `verify`, and modules for FastAPI, Flask and Django."""

from .verification import SECRET_PREFIX, TOLERANCE_SECONDS, WebhookError, WebhookEvent, verify

__all__ = ["SECRET_PREFIX", "TOLERANCE_SECONDS", "WebhookError", "WebhookEvent", "verify"]
