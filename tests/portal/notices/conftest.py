"""Who decides, and the portal's clock."""

from datetime import datetime
from typing import Any

import pytest

from tests.portal.notices.moves import At
from tests.portal.world import World


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the portal's clock."""
    from django.utils import timezone

    def set_to(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    return set_to


@pytest.fixture
def olga(world: World) -> Any:
    return world.person("olga", staff=True)
