"""Copies of everything: export, backup under writes, restore, upgrades; and what a damaged or foreign copy is told."""

import csv
import io
import json
import os
import secrets
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from striate.competition.sealed_stream import Sealing, Unsealing
from striate.errors import InputError
from tests.fixtures import servers
from tests.fixtures.command import assert_one_sentence, run_in_process, striate
from tests.fixtures.messages import assert_short
from tests.portal.world import PASSWORD, World

PASSPHRASE = "five other dull words here"


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_a_sealed_stream_opens_again(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content, file = os.urandom(size), io.BytesIO()
    with Sealing(file, PASSPHRASE) as sealing:
        for start in range(0, size, 70_001):
            sealing.write(content[start : start + 70_001])
    assert size < 50 or content[:50] not in file.getvalue()
    file.seek(0)
    assert Unsealing(file, PASSPHRASE).read() == content


def test_a_sealed_stream_that_was_changed_does_not_open(portal: World) -> None:
    file = io.BytesIO()
    with Sealing(file, PASSPHRASE) as sealing:
        sealing.write(os.urandom(2**21 + 5))
    whole = file.getvalue()
    begin = whole.index(b"\n") + 1
    piece = 2**20 + 16
    swapped = whole[:begin] + whole[begin + piece : begin + 2 * piece] + whole[begin : begin + piece]
    for harmed in (
        whole[:-1],
        whole[: begin + 2 * piece],
        whole[: begin + piece],
        swapped,
        whole + b"x",
        whole[:begin],
    ):
        with pytest.raises(InputError):
            Unsealing(io.BytesIO(harmed), PASSPHRASE).read()
    with pytest.raises(InputError, match="passphrase"):
        Unsealing(io.BytesIO(whole), "another one than that").read()
    with pytest.raises(InputError):
        Unsealing(io.BytesIO(b"nothing\n"), PASSPHRASE)


def served(world: World, folders: Path, command: str, *options: object) -> Any:
    return run_in_process("serve", command, folders / "public", "--data", world.place.data, *options)


@pytest.fixture
def full(world: World) -> World:
    """A portal with a scored submission, one that is queued, and one that is being checked."""
    from striate.portal.receiving.soon import check_soon

    ada, ben = world.person("ada", team="Ada"), world.person("ben", team="Ben")
    world.person("olga", staff=True)
    world.scored(ada, world.file(0.5))
    check_soon(world.send(ben, world.file(0.3)))
    world.send(ben, world.file(0.7))
    return world


def test_what_a_copy_leaves_out_is_referred_to_by_nothing_in_it(world: World) -> None:
    from striate.portal.organising import tables

    kept = tables.tables(tables.applied_migrations())
    names = {model._meta.db_table for model in kept}
    for model in kept:
        for field in model._meta.concrete_fields:
            if field.is_relation:
                assert field.related_model._meta.db_table in names, f"{model.__name__}.{field.name} would lead nowhere"


def test_an_export_has_everything_but_secrets(full: World, folders: Path, tmp_path: Path) -> None:
    from striate.portal.models import Submission, Team, Token, User

    olga, ada = User.objects.get(username="olga"), User.objects.get(username="ada")
    ada.set_password(PASSWORD)
    ada.save()
    token, text = Token.make(ada, "x")
    full.browser(olga)
    Submission.objects.filter(state="scored").update(note="=1+1")
    out = tmp_path / "export"
    done = served(full, folders, "export", "--out", out)
    assert done.status == 0, done.err
    everything = "".join(
        path.read_text(errors="replace") for path in out.rglob("*") if path.is_file() and path.suffix != ".parquet"
    )
    for secret in (ada.password, text, token.digest, Team.objects.first().invitation, "sessionid"):  # type: ignore[union-attr]
        assert secret not in everything
    rows = [json.loads(line) for line in (out / "tables" / "submission.jsonl").read_text().splitlines()]
    assert sorted(row["state"] for row in rows) == ["queued", "received", "scored"]
    with (out / "tables" / "submission.csv").open(newline="") as file:
        assert "'=1+1" in {row["note"] for row in csv.DictReader(file)}
    with (out / "tables" / "team.csv").open(newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} == {"Ada", "Ben"}
    assert len((out / "receipts.jsonl").read_text().splitlines()) == 2
    assert len(list((out / "submissions").glob("*.parquet"))) == 2
    board = json.loads((out / "boards" / "sensorium-image.json").read_text())
    assert [row["team"] for row in board["rows"]] == ["Ada"]
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=out, check=False)
    assert checked.returncode == 0
    assert_one_sentence(served(full, folders, "export", "--out", out), "exists")


def test_the_audit_log_is_verified_and_written_down(full: World, folders: Path, tmp_path: Path) -> None:
    from django.db import connection

    from striate.portal.models import triggers
    from striate.portal.organising import audit

    for what in ("one", "two", "three"):
        audit.note("olga", what)
    done = served(full, folders, "audit", "--out", tmp_path / "audit.jsonl")
    assert "3 entries" in done.out
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["one", "two", "three"]
    triggers.lift()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portal_auditentry WHERE number = 2")
    triggers.protect()
    assert_one_sentence(served(full, folders, "audit"), "entry 3")


def bare(**more: str) -> dict[str, str]:
    """The environment of a command, which knows nothing of this process's portal."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("STRIATE_PORTAL", "DJANGO", "DATABASE_URL"))
    }
    return kept | more


def restored(folders: Path, file: Path, data: Path, *options: object, **environment: str) -> Any:
    command = ["serve", "restore", folders / "public", file, "--data", data, *options]
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(bare()):
            patch.delenv(name)
        return striate(*command, **environment)


LOOK = """
import json, sys
from pathlib import Path
from striate.competition import LiveTruth
from striate.portal import Place
from striate.portal.running.prepare import prepare
place = Place.of(sys.argv[1], sys.argv[2])
assert prepare(place).administrator is None, "the accounts are there"
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
from striate.portal.models import AuditEntry, Score, Submission, Team, triggers
from striate.portal.organising.audit import verified
from striate.portal.receiving.chain import lines
from striate.portal.scoring.work import work
before = Client().get("/boards/sensorium-image.json").json()["rows"]
live = LiveTruth.read(Path(sys.argv[3]))
while work(live): pass
Team.objects.create(name="one more")  # rows are numbered on
ready = Client().get("/ready").json()
print(json.dumps({
    "receipts": "".join(lines()),
    "before": before,
    "states": sorted(Submission.objects.values_list("state", flat=True)),
    "scores": Score.objects.count(),
    "audit": sum(1 for _ in verified()),
    "whats": list(AuditEntry.objects.order_by("number").values_list("what", flat=True)),
    "sign-in": Client().login(username="ada", password=sys.argv[4]),
    "tables": ready["tables"],
    "triggers": len(triggers._there(__import__("django.db").db.connection)),
}))
"""


def look(folders: Path, data: Path, **environment: str) -> dict[str, Any]:
    """What a restored portal has, and does."""
    truth = folders / "public-live-truth.npz"
    command = [sys.executable, "-c", LOOK, folders / "public", data, truth, PASSWORD]
    done = subprocess.run(command, capture_output=True, text=True, env=bare(**environment), check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture
def writes(full: World) -> Iterator[list[int]]:
    """Somebody who goes on writing to the portal."""
    from django.db import connection

    from striate.portal.organising import audit

    over, count = threading.Event(), [0]

    def write() -> None:
        while not over.wait(0.002):
            audit.note("somebody", "write")
            count[0] += 1
        connection.close()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield count
    over.set()
    thread.join()


@pytest.mark.slow
def test_a_backup_under_writes_comes_back_whole_and_goes_on(
    full: World, writes: list[int], folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.models import User
    from striate.portal.receiving.chain import lines

    ada = User.objects.get(username="ada")
    with_real_hash = full.browser()
    assert with_real_hash.login(username="ada", password=PASSWORD)
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    ada.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000)
    ada.save()
    full.keep("results", "note.txt", b"x")
    full.keep("data", "ab/file", b"data")
    full.tried(ada, full.file(0.9))  # what is on its way is not in a backup
    board = full.browser().get("/boards/sensorium-image.json").json()["rows"]
    receipts = "".join(lines())
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE)
    truth = folders / "public-live-truth.npz"
    sealed = tmp_path / "sealed.backup"
    while writes[0] < 20:
        pass
    options = ("--with-live-truth", truth, "--passphrase-file", secret)
    done = served(full, folders, "backup", "--out", sealed, *options)
    assert done.status == 0, done.err
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert b"ada@example.org" not in sealed.read_bytes()
    while writes[0] < 40:
        pass
    back = tmp_path / "back"
    options = ("--passphrase-file", secret, "--live-truth", tmp_path / "truth.npz")
    done = restored(folders, sealed, back, *options)
    assert done.status == 0, done.err
    assert (tmp_path / "truth.npz").read_bytes() == truth.read_bytes()
    assert (tmp_path / "truth.npz").stat().st_mode & 0o777 == 0o600
    assert (back / "secret-key").read_text() == full.place.secret_key.read_text()
    assert (back / "results" / "note.txt").read_text() == "x"
    assert (back / "snapshots" / "ab" / "file").read_bytes() == b"data"
    assert back.stat().st_mode & 0o777 == 0o700
    found = look(folders, back)
    assert found["before"] == board
    assert found["receipts"].startswith(receipts)
    assert found["states"] == ["scored", "scored", "scored"], "what was queued and what was being checked"
    assert found["scores"] == 3
    assert found["audit"] >= 20
    assert found["whats"][-1] == "restore"
    assert found["sign-in"]
    assert found["tables"]
    assert found["triggers"] >= 10
    assert_one_sentence(restored(folders, sealed, back, *options), "is there already")


@pytest.fixture
def plain(full: World, folders: Path, tmp_path: Path) -> Path:
    """An open backup."""
    out = tmp_path / "plain.tar"
    done = served(full, folders, "backup", "--out", out)
    assert done.status == 0, done.err
    return out


def rewritten(file: Path, out: Path, **changes: Any) -> Path:
    """A backup in which files are others than they were; None leaves one out."""
    with tarfile.open(file) as source, tarfile.open(out, "w") as target:
        for entry in source:
            content = source.extractfile(entry).read()  # type: ignore[union-attr]
            for name, change in changes.items():
                if name.replace("_", "-") in entry.name.replace("_", "-"):
                    content = change(content) if change else None
            if content is not None:
                entry.size = len(content)
                target.addfile(entry, io.BytesIO(content))
    return out


@pytest.mark.slow
def test_a_backup_fills_a_bucket_once_it_is_known_to_be_whole(
    full: World, plain: Path, folders: Path, tmp_path: Path
) -> None:
    import boto3

    with servers.s3() as address:
        bucket = boto3.resource("s3", endpoint_url=address, region_name="us-east-1").Bucket(servers.BUCKET)
        there = {"STRIATE_PORTAL_STORAGE": servers.storage_setting(address, "back")}
        damaged = rewritten(plain, tmp_path / "a.tar", team=lambda content: content.replace(b"Ben", b"Bob"))
        assert_one_sentence(restored(folders, damaged, tmp_path / "back", **there), "damaged")
        assert not list(bucket.objects.filter(Prefix="back/"))
        done = restored(folders, plain, tmp_path / "back", **there)
        assert done.status == 0, done.err
        names = {each.key.removeprefix("back/submissions/") for each in bucket.objects.filter(Prefix="back/")}
        assert names == set(full.files("submissions"))
        assert not (tmp_path / "back" / "submissions").exists()
        found = look(folders, tmp_path / "back", **there)
    assert found["states"] == ["scored", "scored", "scored"]


@pytest.mark.slow
def test_what_is_restored_for_two_users_can_be_read_by_both(
    full: World, plain: Path, folders: Path, tmp_path: Path
) -> None:
    umask = os.umask(0o007)  # as the units have it
    try:
        for shared in ("yes", ""):
            data = tmp_path / f"back-{shared}"
            done = restored(folders, plain, data, STRIATE_PORTAL_SHARED=shared)
            assert done.status == 0, done.err
            files = [path for path in data.rglob("*") if path.is_file() and "sqlite3" not in path.name]
            assert {path.stat().st_mode & 0o777 for path in files} == {0o660 if shared else 0o600}
            assert data.stat().st_mode & 0o777 == (0o770 if shared else 0o700)
            if shared:
                below = [path for path in data.rglob("*") if path.is_dir()]
                assert {path.stat().st_mode & 0o777 for path in below} == {0o770}
    finally:
        os.umask(umask)


@pytest.mark.slow
def test_a_damaged_or_foreign_backup_restores_nothing(full: World, plain: Path, folders: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.tar"
    cut.write_bytes(plain.read_bytes()[: plain.stat().st_size // 2])
    newer = lambda content: content.replace(b'"0001_initial"', b'"9999_later"')  # noqa: E731
    other = lambda content: content.replace(json.loads(content)["commitment"].encode(), b"0" * 64)  # noqa: E731
    evil = tmp_path / "evil.tar"
    rewritten(plain, evil)
    with tarfile.open(evil, "a") as target:
        entry = tarfile.TarInfo("submissions/../../evil")
        entry.size = 1
        target.addfile(entry, io.BytesIO(b"x"))
    cases = {
        cut: "cut off",
        rewritten(plain, tmp_path / "a.tar", team=lambda content: content.replace(b"Ben", b"Bob")): "damaged",
        rewritten(plain, tmp_path / "b.tar", parquet=None): "damaged",
        rewritten(plain, tmp_path / "c.tar", manifest=None): "damaged",
        rewritten(plain, tmp_path / "d.tar", backup=newer): "newer version",
        rewritten(plain, tmp_path / "e.tar", backup=other): "another competition",
        evil: "damaged",
        folders / "public" / "competition.toml": "backup",
    }
    for file, mention in cases.items():
        assert_one_sentence(restored(folders, file, tmp_path / "back"), mention)
        assert not (tmp_path / "back").exists()
        assert not (tmp_path / "evil").exists()
    assert_one_sentence(
        served(
            full, folders, "backup", "--out", tmp_path / "x", "--with-live-truth", folders / "public-live-truth.npz"
        ),
        "passphrase",
    )


def test_a_portal_whose_disk_takes_nothing_can_be_copied_elsewhere(
    full: World, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    def refuses(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(tempfile, "TemporaryFile", refuses)
        done = served(full, folders, "backup", "--out", tmp_path / "copy.tar")
    assert done.status == 0, done.err
    with tarfile.open(tmp_path / "copy.tar") as made:
        assert {"tables/submission.jsonl", "manifest.json"} <= set(made.getnames())


@pytest.mark.slow
def test_no_truth_is_left_of_a_backup_that_is_damaged(full: World, folders: Path, tmp_path: Path) -> None:
    secret, sealed, truth = tmp_path / "passphrase", tmp_path / "sealed", tmp_path / "truth.npz"
    secret.write_text(PASSPHRASE)
    options = ("--with-live-truth", folders / "public-live-truth.npz", "--passphrase-file", secret)
    assert served(full, folders, "backup", "--out", sealed, *options).status == 0
    with sealed.open("rb") as file:
        opened = Unsealing(file, PASSPHRASE).read()
    (tmp_path / "open.tar").write_bytes(opened)
    damaged = rewritten(tmp_path / "open.tar", tmp_path / "damaged.tar", manifest=None)
    refused = restored(folders, damaged, tmp_path / "back", "--live-truth", truth)
    assert_one_sentence(refused, "damaged")
    assert not truth.exists()
    truth.write_bytes(b"of another competition")
    taken = restored(folders, tmp_path / "open.tar", tmp_path / "back", "--live-truth", truth)
    assert_one_sentence(taken, "is there already")
    assert truth.read_bytes() == b"of another competition"


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", ["database is locked", "attempt to write a readonly database", "unable to open database file"]
)
def test_a_command_says_in_a_sentence_that_the_database_refuses(
    full: World, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    from django.db import OperationalError

    from striate.portal.organising import audit

    def refuses(*_: object, **__: object) -> None:
        raise OperationalError(said)

    monkeypatch.setattr(audit, "note", refuses)
    for command, *options in (
        ("backup", "--out", tmp_path / "x"),
        ("export", "--out", tmp_path / "y"),
        ("password", "ada"),
    ):
        assert_one_sentence(served(full, folders, command, *options), said)


def test_a_file_that_is_lost_is_told(full: World, folders: Path, tmp_path: Path) -> None:
    from striate.portal.models import Submission

    kept = Submission.objects.filter(state="scored").get().kept
    full.lose("submissions", f"{kept}.parquet")
    done = served(full, folders, "backup", "--out", tmp_path / "x.tar")
    assert done.status == 1
    assert kept in done.err


@pytest.fixture(scope="module")
def server(database: str) -> Iterator[str]:
    """A PostgreSQL: the one that the tests run on, or one of its own."""
    if database:
        yield database
    else:
        with servers.postgresql() as address:
            yield address


@pytest.fixture
def elsewhere(server: str) -> Iterator[str]:
    """An empty database of a PostgreSQL."""
    import psycopg

    name = f"moved_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as asked:
        asked.execute(f"CREATE DATABASE {name}".encode())
    yield f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as asked:
        asked.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.mark.slow
def test_a_backup_moves_to_another_database(
    full: World, plain: Path, folders: Path, tmp_path: Path, elsewhere: str
) -> None:
    cut = tmp_path / "cut.tar"
    cut.write_bytes(plain.read_bytes()[: plain.stat().st_size * 2 // 3])
    assert_one_sentence(restored(folders, cut, tmp_path / "back", DATABASE_URL=elsewhere), "damaged")
    done = restored(folders, plain, tmp_path / "back", DATABASE_URL=elsewhere)
    assert done.status == 0, done.err
    assert not (tmp_path / "back" / "portal.sqlite3").exists()
    found = look(folders, tmp_path / "back", DATABASE_URL=elsewhere)
    assert found["states"] == ["scored", "scored", "scored"]
    assert found["scores"] == 3
    again = restored(folders, plain, tmp_path / "again", DATABASE_URL=elsewhere)
    assert_one_sentence(again, "holds a portal already")


@pytest.mark.slow
def test_a_portal_whose_secret_key_is_told_is_copied_without_it(
    full: World, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As machines that serve together have it: there is no file with the key."""
    key = full.place.secret_key
    monkeypatch.setenv("STRIATE_PORTAL_SECRET_KEY", key.read_text().strip())
    away = key.rename(tmp_path / "key")
    try:
        done = served(full, folders, "backup", "--out", tmp_path / "told.tar")
        exported = served(full, folders, "export", "--out", tmp_path / "exported")
    finally:
        away.rename(key)
    assert (done.status, exported.status) == (0, 0), done.err + exported.err
    with tarfile.open(tmp_path / "told.tar") as made:
        assert "secret-key" not in made.getnames()
    assert_one_sentence(
        run_in_process("serve", "backup", folders / "public", "--data", tmp_path / "none", "--out", tmp_path / "x"),
        "There is no portal",
    )


@pytest.mark.parametrize(
    ("table", "field", "one", "other"),
    [
        ("Team", "name", "Müller Lab", "MÜLLER LAB"),
        ("User", "username", "ada", "\u0430da"),
        ("User", "email", "ada@example.org", "ADA@example.org"),
    ],
)
def test_names_that_no_database_takes_beside_each_other_are_named_by_the_restore(
    world: World, table: str, field: str, one: str, other: str
) -> None:
    """SQLite of earlier versions told upper from lower case in ASCII alone."""
    import io

    from django.apps import apps
    from django.db import transaction

    from striate.portal.organising import tables

    model = apps.get_model("portal", table)
    rest = {"username": "x", "email": "x@example.org", "password": ""} if table == "User" else {}
    rows = [rest | {"id": 700 + number, field: name} for number, name in enumerate((one, other))]
    if table == "User":
        for number, row in enumerate(rows):
            row |= {each: f"{number}@example.org" for each in ("username", "email") if each != field}
    lines = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    with pytest.raises(InputError) as caught, transaction.atomic():
        tables.fill(model, lines)
    assert repr(one) in str(caught.value)
    assert repr(other) in str(caught.value)
    assert_short(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 10_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b'{"id": 9223372036854775808, "name": "a"}',
        b'{"id": "x", "name": "a"}',
        b'{"id": 900, "no_such_column": 1}',
        b'{"id": 900, "name": null}',
        b'{"id": 900, "name": "a", "created": "yesterday"}',
        b'{"id": 900, "name": {"a": []}}\n{"id": 900, "name": "b"}',
        b'{"id": 900, "name": "\\ud800"}',
    ],
)
def test_damaged_rows_of_a_backup_are_one_sentence(world: World, line: bytes) -> None:
    from django.db import transaction

    from striate.portal.models import Team
    from striate.portal.organising import tables

    with pytest.raises(InputError, match=r"in the backup|The backup is damaged") as caught, transaction.atomic():
        tables.fill(Team, io.BytesIO(line + b"\n"))
    assert_short(caught.value)


@pytest.mark.parametrize(
    ("about", "says"),
    [
        (b"[" * 10_000, "nested"),
        (b"[]", "expected an object"),
        (b"{}", "its format is None"),
        (b'{"format": "another"}', "its format is 'another'"),
        (b'{"format": "striate portal backup 1"}', "striate: Field required"),
        (
            b'{"format": "striate portal backup 1", "striate": "1", "made": "", "commitment": "", "migrations": 3}',
            "migrations",
        ),
    ],
)
def test_a_backup_that_begins_with_something_else_is_one_sentence(about: bytes, says: str, tmp_path: Path) -> None:
    from striate.portal.organising import restore
    from striate.portal.organising.backup_format import ABOUT
    from striate.portal.place import Place

    file = tmp_path / "a.tar"
    with tarfile.open(file, "w") as archive:
        entry = tarfile.TarInfo(ABOUT)
        entry.size = len(about)
        archive.addfile(entry, io.BytesIO(about))
    with pytest.raises(InputError, match=says) as caught:
        restore.restore(Place(tmp_path, tmp_path / "data"), file)
    assert_short(caught.value, file)
    assert not (tmp_path / "data").exists()
