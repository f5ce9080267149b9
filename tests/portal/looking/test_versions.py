"""Recordings that only some versions of the data hold are drawn as well: of each version, what that holds."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import striate
from tests.competition.examples import OTHER, TRACK, mouse
from tests.portal.looking.prepared import parts, prepare_all
from tests.portal.world import World

NEW = "77-1-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


def add(folder: Path, session: str, neurons: int) -> Path:
    """Put a recording into a folder."""
    file = folder / f"static{session}-preproc0.zip"
    striate.write(mouse(session, finals=0, neurons=neurons), file, overwrite=True)
    return file


def publish(folder: Path, *allow: str) -> Any:
    from striate.portal.hosting.in_place import publish_folder

    return publish_folder(folder, note="More.", allow=allow)[0]


def jobs() -> int:
    from striate.portal.models import Job

    return Job.objects.filter(kind="look").count()


@pytest.mark.slow
def test_a_recording_of_a_later_version_is_drawn_once_for_the_same_bytes(
    unprepared: World, reader: Any, folder: Path
) -> None:
    browser = unprepared.browser(reader)
    prepare_all()
    assert jobs() == 3
    add(folder, NEW, neurons=9)
    (folder / "README.md").write_text("One more.")
    publish(folder)
    waiting = browser.get(f"/data/recordings/{NEW}/").content.decode()
    assert "is being prepared" in waiting
    assert f"/data/recordings/{NEW}/state/" in waiting
    prepare_all()
    page = browser.get(f"/data/recordings/{NEW}/").content.decode()
    assert "9 neurons" in page
    assert 'As in <a href="/data/2/">version 2</a>' in page
    assert browser.get(f"{parts(page)}summary.json").status_code == 200
    assert jobs() == 4
    (folder / "README.md").write_text("One more, and said otherwise.")
    publish(folder)
    prepare_all()
    assert jobs() == 4, "the same bytes are not prepared again"
    again = browser.get(f"/data/recordings/{NEW}/").content.decode()
    assert parts(again) == parts(page)
    assert 'As in <a href="/data/3/">version 3</a>' in again
    assert 'last changed in <a href="/data/2/">version 2</a>' in again


@pytest.mark.slow
def test_one_that_changed_is_prepared_anew_and_the_old_one_stays(unprepared: World, reader: Any, folder: Path) -> None:
    browser = unprepared.browser(reader)
    for neurons in (9, 12):
        add(folder, NEW, neurons)
        publish(folder)
    waiting = browser.get(f"/data/2/recordings/{NEW}/").content.decode()
    assert f"/data/2/recordings/{NEW}/state/" in waiting, "the page waits for the archive of its own version"
    prepare_all()
    assert browser.get(f"/data/2/recordings/{NEW}/state/").headers["HX-Refresh"] == "true"
    assert jobs() == 5
    newest = browser.get(f"/data/recordings/{NEW}/").content.decode()
    assert "12 neurons" in newest
    assert "another file" not in newest
    old = browser.get(f"/data/2/recordings/{NEW}/").content.decode()
    assert "9 neurons" in old
    assert "Version 3 has another file of this recording" in old
    for page in (newest, old):
        assert browser.get(f"{parts(page)}summary.json").status_code == 200
    assert parts(newest) != parts(old)


@pytest.mark.slow
def test_one_that_was_taken_out_is_reached_through_the_versions_that_have_it(
    unprepared: World, reader: Any, folder: Path
) -> None:
    browser = unprepared.browser(reader)
    add(folder, NEW, neurons=9)
    publish(folder)
    (folder / f"static{NEW}-preproc0.zip").unlink()
    add(folder, "78-1-1", neurons=10)
    publish(folder)
    prepare_all()
    assert "Version 2 is the last that holds" in browser.get(f"/data/recordings/{NEW}/").content.decode()
    assert browser.get(f"/data/3/recordings/{NEW}/").status_code == 404
    assert browser.get(f"/data/2/recordings/{OTHER}/").status_code == 404
    everything, second, third = (
        browser.get(path).content.decode()
        for path in ("/data/recordings/", "/data/2/recordings/", "/data/3/recordings/")
    )
    for session in (TRACK, OTHER, NEW, "78-1-1"):
        assert session in everything
    assert "up to version 2" in everything
    assert NEW in second
    assert OTHER not in second
    assert NEW not in third
    assert "Recordings of version 3" in third
    assert f"/data/2/recordings/{NEW}/" in browser.get("/data/2/").content.decode()


@pytest.mark.slow
def test_of_a_track_nothing_withheld_is_shown_in_a_later_version_either(unprepared: World, folder: Path) -> None:
    from striate.portal.competition import competition
    from striate.portal.looking import store

    made = competition()
    committed = made.manifest.archive(TRACK)
    shutil.copyfile(made.folder / committed.path, folder / Path(committed.path).name)
    publish(folder)
    prepare_all()
    archive = store.recording(TRACK)
    assert archive is not None
    assert archive.snapshot.number == 2
    summary = store.summary(archive.content)
    assert summary is not None
    assert {each["name"]: each["public"] for each in summary["tiers"]}["test"] == 0


@pytest.mark.slow
def test_who_accepted_the_terms_of_one_version_looks_at_what_that_holds(
    unprepared: World, reader: Any, folder: Path
) -> None:
    browser = unprepared.browser(reader)
    add(folder, NEW, neurons=9)
    publish(folder)
    (folder / "dataset.toml").write_text('[licence]\nname = "Others"\nterms = "Ask first."\n')
    add(folder, "78-1-1", neurons=10)
    publish(folder)
    prepare_all()
    assert browser.get(f"/data/recordings/{NEW}/").status_code == 403, "of the newest version other terms hold"
    page = browser.get(f"/data/2/recordings/{NEW}/")
    assert page.status_code == 200
    assert browser.get(f"{parts(page.content.decode())}summary.json").status_code == 200
    assert browser.get("/data/recordings/78-1-1/").status_code == 403
    from striate.portal.looking import store

    later = store.recording("78-1-1")
    assert later is not None
    key = store.key(later.content)
    assert browser.get(f"/data/recordings/78-1-1/{key}/summary.json").status_code == 403
    assert browser.get(f"/data/recordings/{NEW}/{key}/summary.json").status_code == 403
    listed = browser.get("/data/recordings/").content.decode()
    assert "under other terms, which you have not accepted" in listed


@pytest.mark.slow
def test_what_cannot_be_read_is_named_as_readers_know_it(unprepared: World, reader: Any, folder: Path) -> None:
    (folder / f"static{NEW}-preproc0.zip").write_bytes(b"PK\x03\x04 and nothing more")
    publish(folder, f"static{NEW}-preproc0.zip")
    prepare_all()
    page = unprepared.browser(reader).get(f"/data/recordings/{NEW}/").content.decode()
    assert f"static{NEW}-preproc0.zip" in page
    assert str(unprepared.place.data) not in page
