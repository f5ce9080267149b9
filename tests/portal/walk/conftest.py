"""A browser, and a portal to walk through."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("django", reason="the portal is an extra: pip install 'striate[portal]'")
pytest.importorskip("playwright", reason="a browser is led by Playwright: pip install 'striate[dev]'")

from tests.portal.walk.stage import Stage, stage
from tests.portal.walk.visitor import Visitor, browsing, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    if chromium() is None:
        pytest.skip("there is no Chromium: install it, or say where it is with STRIATE_CHROMIUM")
    with browsing() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The portal; a team may submit once a day."""
    with stage(tmp_path_factory.mktemp("walk"), limits__per_day=1) as running:
        yield running


@pytest.fixture
def visit(browser: Any, site: Stage) -> Iterator[Callable[..., Visitor]]:
    """Opens windows."""
    windows: list[Visitor] = []

    def opened(*arguments: Any, **options: Any) -> Visitor:
        windows.append(Visitor(browser, site.address, *arguments, **options))
        return windows[-1]

    yield opened
    for each in windows:
        each.close()
