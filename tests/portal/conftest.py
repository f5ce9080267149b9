"""One portal for all tests of it; each test finds it without people and submissions.

It runs on SQLite and in a folder; with ``STRIATE_TEST_SERVERS=1`` on a PostgreSQL and a service that speaks S3, which are started and
thrown away. ``STRIATE_TEST_DATABASE_URL=postgresql://…`` names an empty database, to be thrown away, that is used instead.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from striate.competition import LiveTruth, Vault, build, commit, sealed
from striate.competition.rules import Rules
from tests.competition.examples import PASSPHRASE, SEED, mice, small_rules
from tests.fixtures import servers
from tests.portal.world import World

pytest.importorskip("django", reason="the portal is an extra: pip install 'striate[portal]'")


def rules_of_now(**changes: object) -> Rules:
    """Rules of a competition that began some days ago."""
    today = datetime.now(UTC).replace(microsecond=0)
    days = [(today + timedelta(days=n)).isoformat() for n in (-10, 100, 130)]
    phases = [
        {"name": "live", "starts": days[0], "ends": days[1], "submissions": True},
        {"name": "evaluation", "starts": days[1], "ends": days[2], "submissions": False},
    ]
    return small_rules(**{"phases": phases, "limits__per_day": 3, "limits__in_total": 5, **changes})


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with ``public``, ``public-live-truth.npz``, and the rest of the secrets out of the portal's sight."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "COST", 12)
        away, here = tmp_path_factory.mktemp("away"), tmp_path_factory.mktemp("portal")
        made = build(rules_of_now(), mice(), here / "public", away / "deep" / "secret", PASSPHRASE, seed=SEED)
        commit(made.folder, Vault.read(made.vault, PASSPHRASE), at=datetime.now(UTC) - timedelta(days=11))
        shutil.copy(made.live_truth, here / "public-live-truth.npz")
        (here / "public-live-truth.npz").chmod(0o600)
        (here / "built").write_text(str(away / "deep" / "secret"))
        yield here


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """Address of the database; empty for SQLite."""
    if address := os.environ.get("STRIATE_TEST_DATABASE_URL"):
        yield address
    elif os.environ.get("STRIATE_TEST_SERVERS"):
        with servers.postgresql() as address:
            yield address
    else:
        yield ""


@pytest.fixture(scope="session")
def storage() -> Iterator[str]:
    """The portal's setting of where files are kept; empty for a folder."""
    if os.environ.get("STRIATE_TEST_SERVERS"):
        with servers.s3() as address:
            yield servers.storage_setting(address)
    else:
        yield ""


@pytest.fixture(scope="session")
def portal(folders: Path, database: str, storage: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The portal, prepared; Django is loaded only for these tests."""
    from striate.competition import Built
    from striate.competition.rules import read_rules
    from striate.portal import Place
    from striate.portal.running.prepare import prepare

    secret = Path((folders / "built").read_text())
    rules, _ = read_rules(folders / "public")
    made = Built(rules, folders / "public", secret / "live-truth.npz", secret / "vault", {}, {})
    place = Place.of(folders / "public", folders / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "COST", 12)
        for name, value in (("DATABASE_URL", database), ("STRIATE_PORTAL_STORAGE", storage)):
            patch.delenv(name, raising=False)
            if value:
                patch.setenv(name, value)
        for name, value in place.environment.items():  # so that they are taken back in the end
            patch.setenv(name, value)
        patch.setenv("DJANGO_SETTINGS_MODULE", "striate.portal.settings")
        prepare(place)
        from django.test.utils import override_settings, setup_test_environment, teardown_test_environment

        setup_test_environment()
        live = LiveTruth.read(folders / "public-live-truth.npz")
        quick = override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
        with quick:
            yield World(place, made, live, tmp_path_factory.mktemp("scratch"))
        teardown_test_environment()


def _decoded_here(source: Path, keys_file: Path, out: Path, _keys: object, told: dict[str, str]) -> dict[str, str]:
    """What the child process does, without starting Python anew."""
    from striate.errors import StriateError
    from striate.portal.receiving.decode import decode

    try:
        return decode(source, keys_file, out, told)
    except StriateError as error:
        return {"refused": str(error)}


@pytest.fixture(autouse=True)
def children(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode files in this process, but where a test is about the child process."""
    if "real_children" not in request.fixturenames:
        from striate.portal.receiving import decoding

        monkeypatch.setattr(decoding, "_child", _decoded_here)


@pytest.fixture(autouse=True)
def default_language() -> None:
    """Forget the language of the last request of the test before: it stays in this thread."""
    from django.conf import settings
    from django.utils import translation

    if settings.configured:  # not before the first test that needs the portal
        translation.deactivate()


@pytest.fixture
def real_children() -> Iterator[None]:
    """Decode files in child processes, as the portal does."""
    from striate.portal.receiving import decoding

    yield
    decoding._spare.end()


@pytest.fixture
def world(portal: World) -> Iterator[World]:
    """The portal, without people and submissions."""
    from django.contrib.contenttypes.models import ContentType
    from django.core import mail
    from django.core.cache import cache
    from django.db import connection

    from striate.portal.looking import jobs
    from striate.portal.models import Chain
    from striate.portal.running.prepare import _begin_chain, _begin_data

    _begin_chain()
    _begin_data()
    yield portal
    mail.outbox.clear()
    portal.empty()
    assert not Chain.objects.exists()
    cache.clear()
    jobs._found.clear()  # with the files of the storage below
    ContentType.objects.clear_cache()  # it has numbers of rows that are gone
    connection.close()
    for name in ("submissions", "uploads", "results", "data"):
        empty(name)
    shutil.rmtree(portal.place.uploads, ignore_errors=True)  # what tests sent twice is left there
    portal.place.uploads.mkdir(mode=0o700)


def empty(name: str) -> None:
    """Remove all files of a storage."""
    from django.core.files.storage import storages

    from striate.portal import storage as files

    for file, _ in files.below(storages[name], ""):
        storages[name].delete(file)
    if not os.environ.get("STRIATE_TEST_SERVERS"):
        folder = Path(storages[name].path(""))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
