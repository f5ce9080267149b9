"""The request that is being answered, so that logs and the audit log can say whose it is without being handed it everywhere."""

from contextvars import ContextVar

from django.http import HttpRequest

request_now: ContextVar[HttpRequest | None] = ContextVar("request_now", default=None)
