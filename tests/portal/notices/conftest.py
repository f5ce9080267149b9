"""Who decides, and the portal's clock."""

from datetime import datetime
from typing import Any

import pytest

from tests.portal.notices.moves import At
from tests.portal.world import World


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the portal's clock, as if that of a database server went with it."""
    from django.utils import timezone

    from striate.portal.receiving import clock as trusted

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)
        monkeypatch.setattr(trusted, "_against_the_database", lambda: "")

    return set_to


@pytest.fixture
def olga(world: World) -> Any:
    return world.person("olga", staff=True)
