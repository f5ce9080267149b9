"""Fixture of all tests and doctests: a separate cache and separate settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Replace the user's cache and settings by temporary folders."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIATE_CACHE", str(cache))
        patch.setenv("STRIATE_SETTINGS", str(tmp_path_factory.mktemp("settings")))
        yield cache
