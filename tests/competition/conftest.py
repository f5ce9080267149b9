"""Vaults that cost little, and a small competition for the tests that only look at one."""

from collections.abc import Iterator

import pytest
from tests.competition.examples import built

from striate.competition import Built, sealed


@pytest.fixture(scope="session", autouse=True)
def cheap_vaults() -> Iterator[None]:
    """Let scrypt cost 4 MiB instead of 128."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "COST", 12)
        yield


@pytest.fixture(scope="session")
def competition(tmp_path_factory: pytest.TempPathFactory, cheap_vaults: None) -> Built:
    """A small competition in the structure of 2022; look, and do not touch."""
    return built(tmp_path_factory.mktemp("competition"))


@pytest.fixture(scope="session", autouse=True)
def few_seeds() -> Iterator[None]:
    """Let the audit try fewer seeds than it does outside of tests."""
    from striate.competition.probes import seeds

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeds, "_SMALL", 400)
        patch.setattr(seeds, "_SHUFFLES", 20)
        patch.setattr(seeds, "_YEARS", range(2021, 2022))
        yield
