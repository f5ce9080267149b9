"""What every page shows: the competition's name, the banner of a maintenance window."""

from typing import Any

from django.http import HttpRequest

from striate.portal.competition import competition
from striate.portal.models import MaintenanceWindow


def everywhere(request: HttpRequest) -> dict[str, Any]:
    """Variables of every template."""
    return {"competition": competition(), "rules": competition().rules, "maintenance": MaintenanceWindow.announced()}
