"""Versions of the data: the first by itself, others published in one step; none changes, and old ones stay."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.command import Outcome, assert_one_sentence, run_in_process
from tests.portal.world import World, on_a_port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    (made / "tables").mkdir(parents=True)
    (made / "README.md").write_text("# The mice\n\nSee [the table](tables/mice.csv).\n")
    (made / "tables" / "mice.csv").write_text("mouse,age\n1,90\n")
    (made / "empty.txt").touch()
    (made / ".DS_Store").write_text("junk")
    return made


@pytest.fixture
def olga(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    return world.person("olga", staff=True)


def publish(folder: Path, note: str = "More.") -> Any:
    from striate.portal.hosting.in_place import publish_folder

    return publish_folder(folder, note=note)


def push(world: World, address: str, user: Any, folder: Path, note: str = "More.") -> Outcome:
    token = world.scratch / "token"
    token.write_text(world.token(user))
    return run_in_process("data", "push", folder, "--to", address, "--note", note, "--token-file", token)


def accepted(world: World, name: str = "ada") -> Any:
    from striate.portal.hosting.dataset import terms_digest

    user = world.person(name, team=name.title())
    world.browser(user).post("/data/accept/", {"terms": terms_digest()})
    return user


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_the_competitions_folder_is_the_first_version_without_a_second_copy(world: World) -> None:
    from striate.portal.competition import competition
    from striate.portal.hosting.snapshots import begin
    from striate.portal.models import Snapshot

    first = begin()
    assert Snapshot.objects.count() == 1, "it begins once"
    assert first.number == 1
    listed = {each.path: each.sha256 for each in competition().manifest.files}
    assert dict(first.files.values_list("path", "content__sha256")) == listed
    assert not world.files("data")
    content = world.browser().get("/data/1/snapshot.json").content
    assert hashlib.sha256(content).hexdigest() == first.sha256
    assert {each["path"] for each in json.loads(content)["files"]} == set(listed)


def test_a_version_knows_where_each_file_last_changed_and_old_ones_stay(world: World, folder: Path) -> None:
    second, new = publish(folder)
    assert new
    assert second.number == 2
    (folder / "tables" / "mice.csv").write_text("mouse,age\n1,91\n")
    (folder / "empty.txt").unlink()
    (folder / "note.txt").write_text("new")
    third, _ = publish(folder, "Mouse 1 was older.")
    changed = dict(third.files.values_list("path", "changed__number"))
    assert changed == {"README.md": 2, "tables/mice.csv": 3, "note.txt": 3}
    browser = world.browser(accepted(world))
    assert body(browser.get("/data/2/files/tables/mice.csv")) == b"mouse,age\n1,90\n"
    assert body(browser.get(f"/data/{third.short}/files/tables/mice.csv")) == b"mouse,age\n1,91\n"
    assert browser.get("/data/3/files/empty.txt").status_code == 404
    page = browser.get("/data/3/changes/").content.decode()
    assert page.index("Added") < page.index("note.txt") < page.index("Changed") < page.index("tables/mice.csv")
    assert page.index("Removed") < page.index("empty.txt")
    history = browser.get("/data/versions/").content.decode()
    assert "Mouse 1 was older." in history
    assert "1 added, 1 changed, 1 removed" in history
    assert "tables/mice.csv" in browser.get("/data/3/changes/?since=1").content.decode()


def test_bytes_are_kept_once(world: World, folder: Path) -> None:
    from django.core.files.storage import storages

    from striate.portal.storage import opened

    publish(folder)
    (folder / "copy of mice.csv").write_bytes((folder / "tables" / "mice.csv").read_bytes())
    publish(folder)
    kept = world.files("data")
    assert len(kept) == 3
    for name in kept:
        with opened(storages["data"], name) as file:
            assert hashlib.sha256(file.read()).hexdigest() == name.rpartition("/")[2]
    for path in world.place.snapshots.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_what_becomes_of_the_folder_later_changes_nothing(world: World, folder: Path) -> None:
    publish(folder)
    with (folder / "tables" / "mice.csv").open("r+") as file:
        file.write("changed in place")
    browser = world.browser(accepted(world))
    assert body(browser.get("/data/2/files/tables/mice.csv")) == b"mouse,age\n1,90\n"


def test_the_same_folder_is_the_same_version(world: World, folder: Path) -> None:
    first, _ = publish(folder)
    again, new = publish(folder, "another note")
    assert (again.pk, new) == (first.pk, False)


def test_nothing_of_a_version_can_be_changed(world: World, folder: Path) -> None:
    from striate.portal.models import Content, Snapshot, SnapshotFile
    from striate.portal.models.unchanging import UnchangingError

    version, _ = publish(folder)
    for row in (version, version.files.first(), Content.objects.first()):
        with pytest.raises(UnchangingError):
            row.save()
        with pytest.raises(UnchangingError):
            row.delete()
    for model in (Snapshot, SnapshotFile, Content):
        with pytest.raises(UnchangingError):
            model.objects.update()


def test_a_push_over_the_network_sends_what_is_missing_and_nothing_else(world: World, olga: Any, folder: Path) -> None:
    from striate.portal.models import AuditEntry, Snapshot

    with on_a_port() as address:
        done = push(world, address, olga, folder)
        assert done.status == 0, done.err
        assert "version 2" in done.out
        (folder / "note.txt").write_text("12345")
        done = push(world, address, olga, folder)
        assert "5 B of them are new" in done.out
        again = push(world, address, olga, folder)
        assert "exists already" in again.out
        assert "version 3" in again.out
    version = Snapshot.current()
    assert (version.number, version.author, version.note) == (3, "Olga", "More.")
    entries = AuditEntry.objects.filter(what="publish version").order_by("number")
    assert [(entry.account, entry.after["number"]) for entry in entries] == [(olga.pk, 2), (olga.pk, 3)], (
        "and none for the same"
    )
    assert entries[1].after["sha256"] == version.sha256
    assert set(version.files.values_list("path", flat=True)) == {
        "README.md",
        "empty.txt",
        "note.txt",
        "tables/mice.csv",
    }


@pytest.mark.slow
def test_a_broken_push_shows_nothing_and_goes_on_where_it_was(
    world: World, olga: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib3

    from striate.fetch.auth_tokens import save_token
    from striate.portal import client, pushing
    from striate.portal.models import Snapshot
    from striate.portal.pushing import Publisher

    content = b"what takes several parts, " * 400
    (folder / "long.bin").write_bytes(content)
    monkeypatch.setattr(client, "_PART", 1000)
    monkeypatch.setattr(pushing, "_SMALL", 500)
    real, sent, broken = urllib3.PoolManager.request, [], 4

    def breaking(self: Any, method: str, url: str, **named: Any) -> Any:
        if method == "PUT":
            if len(sent) == broken:
                raise KeyboardInterrupt
            listed = b"\n" if url.endswith("/contents") else b""  # before small contents stands the list of them
            sent.append(len(named["body"].partition(listed)[2] if listed else named["body"]))
        return real(self, method, url, **named)

    monkeypatch.setattr(urllib3.PoolManager, "request", breaking)
    with on_a_port() as address:
        save_token(address, world.token(olga))
        with pytest.raises(KeyboardInterrupt):
            Publisher(address).push(folder)
        assert Snapshot.current().number == 1, "half a version is not visible"
        arrived, broken = sum(sent), -1
        assert Publisher(address).push(folder).number == 2
    assert arrived > 0
    assert sum(sent) == sum(path.stat().st_size for path in folder.rglob("[!.]*") if path.is_file()), (
        "what had arrived was sent again"
    )
    assert body(world.browser(accepted(world)).get("/data/2/files/long.bin")) == content


def test_of_small_contents_in_one_call_all_are_taken_or_none(world: World, olga: Any) -> None:
    from striate.portal.models import Arrival

    def send(*contents: bytes, **wrong: Any) -> Any:
        listed = [{"sha256": hashlib.sha256(each).hexdigest(), "size": len(each)} | wrong for each in contents]
        content = json.dumps(listed).encode() + b"\n" + b"".join(contents)
        headers = {"Authorization": f"Bearer {world.token(olga)}"}
        return world.browser().put("/api/v1/data/contents", content, "application/octet-stream", headers=headers)

    vault = world.built.vault.read_bytes()
    before = Arrival.objects.count()
    for refused in (
        send(b"one", vault),
        send(b"one", b"two", size=4),
        send(b"one", sha256="0" * 64),
        send(b"one", sha256="../../one"),
        send(*(b"%d" % number for number in range(501))),
        send(bytes(2**22)),
        send(),
    ):
        assert refused.status_code == 422, refused.content
        assert len(refused.json()["detail"]) > 20
    assert Arrival.objects.count() == before
    assert send(b"one", b"two\nlines", b"", b"one").json() == {"kept": 3}
    assert send(b"two\nlines", b"three").json() == {"kept": 2}
    assert Arrival.objects.count() == before + 4


@pytest.mark.slow
def test_many_small_files_are_pushed_in_few_calls(
    world: World, olga: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import urllib3

    from striate.portal.models import Snapshot

    for number in range(450):
        (folder / f"{number}.bin").write_bytes(b"%d" % number)
    real, asked = urllib3.PoolManager.request, []

    def noted(self: Any, method: str, url: str, **named: Any) -> Any:
        asked.append(method)
        return real(self, method, url, **named)

    monkeypatch.setattr(urllib3.PoolManager, "request", noted)
    with on_a_port() as address:
        assert push(world, address, olga, folder).status == 0
    assert asked.count("PUT") == 3
    files = Snapshot.current().files
    assert files.count() == 453
    page = world.browser(accepted(world)).get("/data/2/files/449.bin")
    assert body(page) == b"449"


def test_under_maintenance_a_push_is_told_to_wait_and_goes_on_afterwards(world: World, olga: Any, folder: Path) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from striate.portal.models import MaintenanceWindow

    now = timezone.now()
    MaintenanceWindow.objects.create(starts=now - timedelta(hours=1), ends=now + timedelta(hours=1))
    with on_a_port() as address:
        refused = push(world, address, olga, folder)
        assert_one_sentence(refused, "maintenance", "Try again in")
        assert refused.status == 75
        MaintenanceWindow.objects.all().delete()
        assert push(world, address, olga, folder).status == 0


def test_only_organisers_push(world: World, olga: Any, folder: Path) -> None:
    with on_a_port() as address:
        assert_one_sentence(push(world, address, world.person("ada"), folder), "Only organisers")


@pytest.mark.parametrize("secret", ["vault", "live-truth.npz", "vault in a zip", "truth in a zip", "truth.parquet"])
def test_no_secret_is_published(world: World, folder: Path, secret: str) -> None:
    """It is refused where it is, and by the portal, too, whatever the sender's program says."""
    import zipfile

    from striate.portal.hosting import arriving
    from striate.portal.pushing import read_folder

    source = world.built.live_truth.parent
    bad = folder / "harmless.bin"
    if secret == "truth.parquet":
        from striate.competition import LiveTruth

        truth = next(iter(LiveTruth.read(source / "live-truth.npz").truths.values()))
        truth.write(bad)
    elif " in a zip" in secret:
        with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(source / {"vault in a zip": "vault", "truth in a zip": "live-truth.npz"}[secret], "x")
    else:
        bad.write_bytes((source / secret).read_bytes())
    with pytest.raises(Exception, match="must never be published"):
        list(read_folder(folder))
    with pytest.raises(Exception, match="must never be published"):
        arriving.keep_copy(bad)


def test_another_recording_of_a_track_is_refused_whatever_its_name(world: World, folder: Path) -> None:
    """The full recording, say: only the archive that was committed to has its responses taken out."""
    import striate
    from striate.errors import InputError
    from striate.portal.competition import competition
    from tests.competition.examples import mouse

    made = competition()
    committed = made.manifest.archive("11-1-1")
    archive = folder / Path(committed.path).name
    archive.write_bytes((made.folder / committed.path).read_bytes())
    version, _ = publish(folder)
    assert version.files.get(path=archive.name).role == "sensorium"
    striate.write(mouse("11-1-1", finals=2), archive, overwrite=True)
    with pytest.raises(InputError, match="committed to"):
        publish(folder)
    archive.rename(folder / "harmless.zip")
    with pytest.raises(InputError, match="committed to"):
        publish(folder)


PATHS = ["../up", "/root", "a/../../b", "a//b", ".hidden", "a\\b", "C:x", "a/.git/config", "nul\x00", "a/ b", ""]


@pytest.mark.parametrize("path", PATHS)
def test_paths_that_lead_elsewhere_are_refused(world: World, olga: Any, path: str) -> None:
    from striate.portal.models import Content, Snapshot

    content = Content.objects.first()
    entry = {"path": path, "size": content.size, "sha256": content.sha256}
    for call in ("missing", "versions"):
        answer = world.api(olga)("POST", f"data/{call}", {"files": [entry]})
        assert answer.status_code == 422, path
    assert Snapshot.current().number == 1


@pytest.mark.parametrize("paths", [("a", "A"), ("a", "a/b"), ("a", "a")])
def test_two_files_that_are_one_on_some_disk_are_refused(world: World, olga: Any, paths: tuple[str, str]) -> None:
    from striate.portal.models import Content

    content = Content.objects.first()
    files = [{"path": path, "size": content.size, "sha256": content.sha256} for path in paths]
    answer = world.api(olga)("POST", "data/versions", {"files": files})
    assert answer.status_code == 422
    assert "rename one" in answer.json()["detail"]


def test_a_version_whose_contents_are_not_here_is_refused(world: World, olga: Any) -> None:
    file = {"path": "a", "size": 3, "sha256": "0" * 64}
    api = world.api(olga)
    assert api("POST", "data/missing", {"files": [file]}).json() == {"missing": ["0" * 64]}
    assert "send them first" in api("POST", "data/versions", {"files": [file]}).json()["detail"]
    begun = api("POST", "data/contents", {"sha256": "0" * 64, "size": 3}).json()
    assert api("PUT", f"uploads/{begun['id']}?offset=0", b"abc").json()["received"] == 3
    refused = api("POST", "data/whole-contents", {"upload": begun["id"]})
    assert "another SHA-256" in refused.json()["detail"]


def test_a_link_is_not_followed(world: World, folder: Path) -> None:
    from striate.errors import InputError

    (folder / "passwords").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="link"):
        publish(folder)


def test_other_terms_must_be_accepted_anew_and_the_old_version_stays_open(world: World, folder: Path) -> None:
    browser = world.browser(accepted(world))
    (folder / "dataset.toml").write_text('[licence]\nname = "CC BY 4.0"\nterms = "Name the authors."\n')
    publish(folder)
    assert browser.get("/data/2/files/README.md").status_code == 403
    assert browser.get("/data/manifest.json").status_code == 403
    assert browser.get("/data/1/files/competition.toml").status_code == 200
    from striate.portal.models import Acceptance, Snapshot

    browser.post("/data/accept/", {"terms": Snapshot.current().terms_sha256})
    assert browser.get("/data/2/files/README.md").status_code == 200
    assert "Name the authors." in Acceptance.objects.get(sha256=Snapshot.current().terms_sha256).terms
    (folder / "dataset.toml").unlink()
    third, _ = publish(folder)
    assert third.licence == "CC BY 4.0", "what a version does not say stays"


@pytest.mark.slow
def test_the_page_stays_readable_with_thousands_of_files(world: World, folder: Path) -> None:
    """Seven folders of hundreds of files: folded, and each folder's page shows all of it."""
    for mouse in range(7):
        (folder / f"mouse{mouse}").mkdir()
        for number in range(300):
            (folder / f"mouse{mouse}" / f"{number:03d}.txt").write_text(f"{mouse}")
    publish(folder)
    page = world.browser().get("/data/").content.decode()
    assert page.count('<details class="folder">') == 8
    assert "300 files" in page
    assert "and 100 more" in page
    assert len(page) < 2_000_000
    whole = world.browser().get("/data/2/?folder=mouse3/").content.decode()
    assert whole.count("<tr>") == 301
    assert world.browser().get("/data/2/?folder=nothing/").status_code == 404


def test_a_file_of_the_competitions_folder_that_was_changed_is_not_served(world: World) -> None:
    from striate.portal.hosting import contents
    from striate.portal.models import Content

    content = Content(sha256="0" * 64, size=1, beside="competition.toml")
    with pytest.raises(FileNotFoundError, match="another size"):
        contents.opened(content)


def test_no_receipt_waits_for_a_version_that_is_published(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes thousands of rows, and reads what describes it from a service."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection, transaction

    from striate.portal.hosting import snapshots
    from striate.portal.models import Chain

    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one lock for all who write")
    real = snapshots._described

    def lock() -> int:
        try:
            with transaction.atomic():
                return Chain.objects.select_for_update(nowait=True).get(pk=1).pk
        finally:
            connection.close()

    def described(*given: Any) -> Any:
        with ThreadPoolExecutor(1) as other:
            assert other.submit(lock).result() == 1
        return real(*given)

    monkeypatch.setattr(snapshots, "_described", described)
    assert publish(folder)[0].number == 2
