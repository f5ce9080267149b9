"""The page about the API, for people: made of the same description as ``/api/v1/openapi.json``."""

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from striate.portal.api import api


@require_safe
def reference(request: HttpRequest) -> HttpResponseBase:
    """Every call of the API: method, address, what it does, what it takes, and whether it needs a token."""
    described = api.get_openapi_schema()
    calls = [
        {
            "method": method.upper(),
            "path": path,
            "about": call.get("description", call.get("summary", "")),
            "takes": [each["name"] for each in call.get("parameters", ()) if each["in"] == "query"],
            "token": bool(call.get("security")),
        }
        for path, calls in described["paths"].items()
        for method, call in calls.items()
    ]
    return render(request, "portal/api.html", {"calls": calls, "root": request.build_absolute_uri("/")})
