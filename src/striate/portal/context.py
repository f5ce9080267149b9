"""What every page shows: the competition's name, the banners of a maintenance window and of announcements."""

from typing import Any

from django.http import HttpRequest

from striate.portal.competition import competition
from striate.portal.models import MaintenanceWindow
from striate.portal.organising.announcing import banners


def everywhere(request: HttpRequest) -> dict[str, Any]:
    """Variables of every template."""
    return {
        "competition": competition(),
        "rules": competition().rules,
        "maintenance": MaintenanceWindow.announced(),
        "announced": banners(),
    }
