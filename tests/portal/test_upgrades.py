"""A portal of an earlier version is started by this one: with its data, after a backup, or not at all."""

import hashlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from striate.portal import migrations
from tests.fixtures.command import assert_one_sentence, striate
from tests.portal import earlier
from tests.portal.test_copies import bare, restored
from tests.portal.world import World

# What a migration does to tables is what they are where it was done. One that is changed afterwards leaves portals that cannot be
# upgraded: change tables by a new migration, and add its hash here.
PUBLISHED = {
    "0001_initial": "33a587217526bc43",
    "0002_organising": "d6e5aa834704c801",
    "0003_looking": "a8df29be645754e1",
    "0004_storage_and_parts": "04e5a23a8233666c",
    "0005_entries": "b63602f7bdbb1299",
    "0006_uploads_that_became_submissions": "88d05d1d1b635252",
    "0007_data_versions": "4a054d73c1fd94a4",
    "0008_words": "20241f3ad961b446",
    "0009_notices": "d293c223bfbfca7f",
    "0010_arrivals": "ac3082e2b9ed47eb",
    "0011_announced_notices": "5580713ed33ab84c",
    "0012_name_keys": "2b3be911455aeba3",
    "0013_withdrawals": "adfd3a8c67273f87",
}


def test_migrations_that_portals_have_seen_do_not_change() -> None:
    folder = Path(str(migrations.__file__)).parent
    assert {file.stem: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in folder.glob("0*.py")} == PUBLISHED


@pytest.fixture
def empty(database: str) -> Iterator[dict[str, str]]:
    """The setting of an empty database: a file of the portal's folder, or one of the server that the tests run on."""
    if not database:
        yield {}
        return
    import psycopg

    name = f"earlier_{secrets.token_hex(4)}"
    with psycopg.connect(database, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
    yield {"DATABASE_URL": f"{database.rpartition('/')[0]}/{name}"}
    with psycopg.connect(database, autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def started(
    world: World, folders: Path, data: Path, migration: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    truth, file = folders / "public-live-truth.npz", world.file(0.5)
    command = [sys.executable, "-m", "tests.portal.earlier", folders / "public", data, migration, truth, file]
    return subprocess.run(command, capture_output=True, text=True, env=bare(**environment), check=False, timeout=180)


def upgraded(*arguments: Any, **environment: str) -> Any:
    done = started(*arguments, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def called(command: str, *arguments: object) -> Any:
    """Run a command of ``serve`` that knows nothing of this process's portal."""
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(bare()):
            patch.delenv(name)
        return striate("serve", command, *arguments)


def assert_all_is_there(found: Any, *, disqualified: bool) -> None:
    bad = {page: status for page, status in found["pages"].items() if status != 200}
    assert not bad
    lines = [json.loads(line) for line in found["receipts"].splitlines()]
    assert [each["kind"] for each in lines] == ["submission"] * 3 + ["disqualification"] * disqualified
    assert all(b["previous"] == a["digest"] for a, b in pairwise(lines))
    assert found["submissions"] == {earlier.SCORED: "scored", earlier.REFUSED: "refused", earlier.QUEUED: "scored"}
    assert found["states"] == ["refused", "scored", "scored", "scored"]
    assert found["sign-in"]
    assert found["protected"]


@pytest.mark.slow
@pytest.mark.parametrize("migration", ["0001_initial", "0005_entries", "0009_notices"])
def test_rows_of_an_earlier_version_are_there_after_an_upgrade(
    world: World, folders: Path, tmp_path: Path, empty: dict[str, str], migration: str
) -> None:
    found = upgraded(world, folders, tmp_path / "data", migration, **empty)
    missing = [table for table, count in found["before"].items() if count == 0]
    assert set(missing) <= {"Publication"}, "rows for each table stand in tests/portal/earlier.py"
    changed = {
        table: (count, found["after"][table])
        for table, count in found["before"].items()
        if found["after"][table] != count
    }
    notices = 0 if migration == "0001_initial" else 1
    expected = {"AuditEntry": (1, 2 + 0), "Link": (3, 3 + notices)}
    expected |= {"Content": (5, 4), "Arrival": (0, 1)}
    assert {table: counts for table, counts in expected.items() if table in changed} == changed
    assert Path(found["backup"]).is_file()
    assert "upgrade tables" in found["audit"]
    assert_all_is_there(found, disqualified=bool(notices))


@pytest.mark.slow
def test_a_backup_with_tables_that_are_left_out_by_now_is_restored(world: World, folders: Path, tmp_path: Path) -> None:
    backup = tmp_path / "earlier.tar"
    upgraded(world, folders, tmp_path / "data", "0005_entries", STRIATE_TEST_EARLIER_BACKUP=str(backup))
    done = restored(folders, backup, tmp_path / "back")
    assert done.status == 0, done.err
    (tmp_path / "back" / "submissions").rmdir()
    (tmp_path / "data" / "submissions").rename(tmp_path / "back" / "submissions")
    assert_all_is_there(upgraded(world, folders, tmp_path / "back", "now"), disqualified=True)


@pytest.mark.slow
def test_what_was_before_an_upgrade_comes_back_and_a_newer_database_is_refused(
    world: World, folders: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    upgraded(world, folders, data, "0001_initial")
    assert upgraded(world, folders, data, "now")["backup"] is None, "what is of this version is left alone"
    (made,) = (data / "before-upgrades").glob("*.tar")
    done = restored(folders, made, tmp_path / "back")
    assert done.status == 0, done.err
    assert "holds no files" in done.out
    (tmp_path / "back" / "submissions").rmdir()
    (data / "submissions").rename(tmp_path / "back" / "submissions")
    assert_all_is_there(upgraded(world, folders, tmp_path / "back", "now"), disqualified=False)
    with sqlite3.connect(data / "portal.sqlite3") as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('portal', '9999_later', '2030-01-01')"
        )
    database.close()
    for command in (("web",), ("export", "--out", tmp_path / "x"), ("password", "ada")):
        done = called(command[0], folders / "public", "--data", data, *command[1:])
        assert_one_sentence(done, "newer version", "9999_later")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "mention"),
    [
        ("CREATE TABLE portal_worker (name TEXT)", "portal_worker"),  # a later migration stumbles
        ("ALTER TABLE portal_standing DROP COLUMN job", "job"),  # already the backup does
    ],
)
def test_an_upgrade_that_fails_is_one_sentence_and_changes_nothing(
    world: World, folders: Path, tmp_path: Path, change: str, mention: str
) -> None:
    data = tmp_path / "data"
    done = started(world, folders, data, "0001_initial", STRIATE_TEST_EARLIER_CHANGE=change)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("striate.errors.InputError: The database cannot be brought to")
    assert mention in done.stderr.splitlines()[-1]
    assert "nothing was changed" in done.stderr.splitlines()[-1]
    assert "Exception ignored" not in done.stderr
    assert not list((data / "before-upgrades").iterdir()), (
        "a service that is started again and again writes no backup each time"
    )
    with sqlite3.connect(data / "portal.sqlite3") as database:
        seen = database.execute("SELECT name FROM django_migrations WHERE app = 'portal'").fetchall()
    database.close()
    assert seen == [("0001_initial",)]


TWINS = {
    "team": ("Müller Lab", "MÜLLER LAB", "UPDATE portal_team SET name = '{}' WHERE name = 'Ada';", "Cheat"),
    "user": ("olga", "OLGA", "", "ada"),
}


@pytest.mark.slow
@pytest.mark.parametrize("migration", ["0005_entries", "0011_announced_notices"])
@pytest.mark.parametrize("table", ["team", "user"])
def test_names_that_are_taken_for_the_same_are_named_and_nothing_is_changed(
    world: World, folders: Path, tmp_path: Path, empty: dict[str, str], migration: str, table: str
) -> None:
    """Earlier versions told names apart that this one takes for the same."""
    one, other, first, renamed = TWINS[table]
    field = "username" if table == "user" else "name"
    change = first.format(one) + f"UPDATE portal_{table} SET {field} = '{other}' WHERE {field} = '{renamed}'"
    data = tmp_path / "data"
    done = started(world, folders, data, migration, STRIATE_TEST_EARLIER_CHANGE=change, **empty)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("striate.errors.InputError: ")
    assert all(repr(name) in said for name in (one, other))
    assert "rename one of them" in said
    assert "nothing was changed" in said
    assert not list((data / "before-upgrades").iterdir())
    assert seen_migrations(data, **empty)[-1] == migration, "the earlier version would refuse later tables"


def seen_migrations(data: Path, DATABASE_URL: str = "") -> list[str]:
    asked = "SELECT name FROM django_migrations WHERE app = 'portal' ORDER BY name"
    if DATABASE_URL:
        import psycopg

        with psycopg.connect(DATABASE_URL) as server:
            return [name for (name,) in server.execute(asked.encode())]
    with closing(sqlite3.connect(data / "portal.sqlite3")) as file:
        return [name for (name,) in file.execute(asked)]


@pytest.mark.slow
def test_commands_beside_a_running_portal_of_an_earlier_version_leave_its_tables_alone(
    world: World, folders: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    done = started(
        world, folders, data, "0001_initial", STRIATE_TEST_EARLIER_CHANGE="ALTER TABLE portal_standing DROP COLUMN job"
    )
    assert done.returncode == 1
    done = called("password", folders / "public", "ada", "--data", data)
    assert_one_sentence(done, "older version", "start the portal once")


def test_results_that_were_not_brought_along_are_said_at_the_start(world: World) -> None:
    from django.utils import timezone

    from striate.errors import InputError
    from striate.portal.models import Publication
    from striate.portal.running.prepare import _require_results

    _require_results()
    Publication.objects.create(digest="6" * 64, at=timezone.now())
    with pytest.raises(InputError, match="bring results/ along"):
        _require_results()
