"""Recordings that are looked at, and a portal that has prepared none."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.recordings import Recording, write
from tests.competition.examples import OTHER, TRACK, mouse
from tests.fixtures.recordings import colour_recording
from tests.portal.looking.prepared import Looked, forget, looked
from tests.portal.world import World


@pytest.fixture(scope="module")
def full() -> Recording:
    return mouse(TRACK, finals=5, neurons=14)


@pytest.fixture(scope="module")
def shown(full: Recording, tmp_path_factory: pytest.TempPathFactory) -> Looked:
    """A recording for pre-training, of which everything is public."""
    return looked(full, tmp_path_factory.mktemp("shown"))


@pytest.fixture
def unprepared(world: World) -> Iterator[World]:
    """A portal that has prepared nothing."""
    from striate.portal.looking import store

    forget("looking")
    store._summary.cache_clear()
    yield world
    forget("looking")


@pytest.fixture
def colourful(unprepared: World, tmp_path: Path) -> str:
    """A hosted recording, not prepared, of a benchmark of which nothing is like SENSORIUM 2022."""
    from striate.portal.competition import competition
    from striate.portal.hosting.in_place import publish_folder

    folder = tmp_path / "data"
    folder.mkdir()
    write(colour_recording(neurons=9), folder / "mouse_a.zip")
    for session in (OTHER, TRACK):
        archive = competition().manifest.archive(session)
        shutil.copyfile(competition().folder / archive.path, folder / Path(archive.path).name)
    publish_folder(folder, note="One in colour.", allow=())
    return "mouse_a"


@pytest.fixture
def reader(world: World) -> Any:
    """Somebody who accepted the terms."""
    from striate.portal.hosting.dataset import terms_digest, terms_text
    from striate.portal.models import Acceptance

    ada = world.person("ada", team="Ada")
    Acceptance.objects.create(user=ada, sha256=terms_digest(), terms=terms_text())
    return ada
