"""Uploads in parts: what arrived stays, whichever machine took it; nothing counts twice; what is given up is removed."""

import hashlib
import os
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from striate.errors import InputError
from tests.portal.test_limits import at_once
from tests.portal.world import World

DATA = os.urandom(300_000)


def begun(world: World, data: bytes = DATA, **about: Any) -> Any:
    from striate.portal.models import User
    from striate.portal.receiving import uploads

    by = User.objects.filter(username="ada").first() or world.person("ada", team="Ada")
    sha256 = about.pop("sha256", hashlib.sha256(data).hexdigest())
    return uploads.begin(by, filename="x", size=len(data), sha256=sha256, most=10**9, **about)


def pieces(data: bytes, size: int = 50_000) -> Iterator[bytes]:
    yield from (data[i : i + size] for i in range(0, len(data), size))


def test_what_arrived_before_a_connection_breaks_off_is_kept(world: World) -> None:
    from striate.portal.receiving import uploads

    def breaks_off() -> Iterator[bytes]:
        yield from pieces(DATA[:100_000])
        raise ConnectionResetError

    upload = begun(world)
    with pytest.raises(ConnectionResetError):
        uploads.append(upload, 0, breaks_off())
    assert uploads.received(upload) == 100_000
    assert begun(world).pk == upload.pk, "the same file goes on"
    assert uploads.append(upload, 100_000, pieces(DATA[100_000:])) == len(DATA)
    with uploads.whole(upload) as file:
        assert file.read_bytes() == DATA
    uploads.discard(upload)
    assert not world.files("uploads")


def test_a_long_request_is_kept_part_by_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is killed in the middle of a request loses at most one part."""
    from striate.portal.receiving import uploads

    monkeypatch.setattr(uploads, "_PART", 60_000)
    upload, seen = begun(world), []

    def watched() -> Iterator[bytes]:
        for piece in pieces(DATA, 20_000):
            seen.append(uploads.received(upload))
            yield piece

    assert uploads.append(upload, 0, watched()) == len(DATA)
    assert seen[-1] == 240_000
    assert upload.parts.count() == 5
    with uploads.whole(upload) as file:
        assert file.read_bytes() == DATA


def test_of_requests_for_the_same_bytes_one_counts(world: World) -> None:
    from striate.portal.receiving import uploads

    upload = begun(world)
    # they differ in length, so that two that both counted would be seen
    outcomes = at_once([lambda n=n: uploads.append(upload, 0, pieces(DATA[: 5000 * n])) for n in range(1, 7)])
    taken = [each for each in outcomes if isinstance(each, int)]
    assert len(taken) == 1, outcomes
    assert all("go on from" in str(each) for each in outcomes if not isinstance(each, int)), outcomes
    assert uploads.received(upload) == taken[0]
    assert upload.parts.count() == len(world.files("uploads")) == 1, "what did not count is removed"
    uploads.append(upload, taken[0], pieces(DATA[taken[0] :]))
    with uploads.whole(upload) as file:
        assert file.read_bytes() == DATA


def test_other_bytes_than_announced_are_thrown_away(world: World) -> None:
    from striate.portal.models import Upload
    from striate.portal.receiving import uploads

    upload = begun(world, sha256="0" * 64)
    uploads.append(upload, 0, pieces(DATA))
    with pytest.raises(InputError, match="another SHA-256"), uploads.whole(upload):
        pass
    assert not Upload.objects.exists()
    assert not world.files("uploads")


def test_a_part_that_is_damaged_or_gone_is_no_file(world: World) -> None:
    from django.core.files.storage import storages

    from striate.portal.receiving import uploads

    upload = begun(world)
    uploads.append(upload, 0, pieces(DATA))
    storages["uploads"].delete(upload.parts.get().name)
    with pytest.raises(FileNotFoundError), uploads.whole(upload):
        pass


def test_uploads_for_one_purpose_are_not_those_for_another(world: World) -> None:
    upload = begun(world, purpose="recording")
    assert begun(world).pk != upload.pk
    ada = world.api(upload.by)
    assert ada("POST", "submissions", {"upload": str(upload.pk)}).status_code == 404


def test_what_was_given_up_is_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.files.storage import storages
    from django.utils import timezone

    from striate.portal import storage as files
    from striate.portal.models import Upload
    from striate.portal.receiving import store, uploads
    from striate.portal.scoring import housekeeping

    old, kept = begun(world), begun(world, b"kept")
    for upload, data in ((old, DATA), (kept, b"kept")):
        uploads.append(upload, 0, pieces(data))
    Upload.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    stray = world.scratch / "stray"
    for name in (f"{'0' * 8}-0000-4000-8000-{'0' * 12}/000-stray", "not-an-upload/x"):
        stray.write_bytes(b"of an upload that is forgotten")
        files.put(storages["uploads"], stray, name)
    stray.write_bytes(b"of a machine that died before it wrote down the submission")
    store.put({"submission.parquet": stray}, old.pk)
    awaited = world.send(old.by, world.file(0.5))
    monkeypatch.setattr(housekeeping, "_next_cleaning", [0.0])
    monkeypatch.setattr(housekeeping, "_INCOMING_KEPT", timedelta(seconds=-5))
    housekeeping.keep_house()
    assert list(Upload.objects.all()) == [kept]
    assert world.files("uploads") == sorted([kept.parts.get().name, "not-an-upload/x"])
    assert world.files("submissions") == [f"incoming/{awaited.pk}/submission.parquet"]
    housekeeping.keep_house()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(world: World) -> None:
    from striate.portal.receiving import uploads

    data = bytes(48 * 2**20)
    upload = begun(world, data)
    tracemalloc.start()
    try:
        uploads.append(upload, 0, (bytes(2**20) for _ in range(48)))
        with uploads.whole(upload) as file:
            assert file.stat().st_size == len(data)
        if not os.environ.get("STRIATE_TEST_SERVERS"):  # else the service holds the parts, in this process
            assert tracemalloc.get_traced_memory()[1] < 12 * 2**20
    finally:
        tracemalloc.stop()


def test_what_killed_processes_left_aside_is_removed(world: World) -> None:
    """By the names that are in use: of parts, of forms (which Django names), of what is tried and copied."""
    from django.core.files.uploadedfile import TemporaryUploadedFile

    from striate.portal.receiving import uploads

    with TemporaryUploadedFile("x.parquet", "application/octet-stream", 1, None) as sent:
        form = Path(sent.temporary_file_path())
    assert form.parent == world.place.uploads
    left = [world.place.uploads / name for name in (form.name, "part-a", "data-a", "trying-a", "whole-a")]
    for each in left:
        if each.name[:1] in "pdt" and not each.name.startswith("trying"):
            each.write_bytes(b"left")
        else:
            each.mkdir()
            (each / "file").write_bytes(b"left")
        old = time.time() - 2 * 24 * 3600
        os.utime(each, (old, old))
    young = world.place.uploads / "part-b"
    young.write_bytes(b"in use")
    uploads.clean()
    assert [each for each in left if each.exists()] == []
    assert young.exists()
    young.unlink()


def test_what_goes_away_while_the_house_is_kept_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal.receiving import uploads

    real = Path.glob

    def glob(self: Path, pattern: str) -> Iterator[Path]:
        yield self / f"{pattern.strip('*')}that-has-gone"
        yield from real(self, pattern)

    monkeypatch.setattr(Path, "glob", glob)
    uploads.clean()


def test_what_a_check_of_the_storage_left_stops_no_cleaning(world: World) -> None:
    """Such as `/ready` of a process that was killed, or of a storage that did not answer any more."""
    from striate.portal.receiving import store

    world.keep("submissions", "incoming/ready-0123456789abcdef", b"ready")
    waiting = world.send(world.person("ada", team="Ada"), world.file(0.5))
    assert store.forgotten(timedelta(days=1)) == set()
    assert "incoming/ready-0123456789abcdef" in world.files("submissions"), "it may be in use"
    assert store.forgotten(timedelta(seconds=-5)) == {waiting.pk}
    assert world.files("submissions") == [f"incoming/{waiting.pk}/submission.parquet"]


def test_an_upload_that_is_forgotten_in_this_instant_is_told(world: World) -> None:
    from striate.portal.receiving import uploads

    upload = begun(world)
    uploads.discard(upload)
    for use in (uploads.received, lambda each: uploads.append(each, 0, pieces(DATA))):
        with pytest.raises(InputError, match="begin again"):
            use(upload)


def test_broken_uploads_lock_nobody_out_and_can_be_listed_and_cancelled(world: World) -> None:
    from striate.portal.models import Upload
    from striate.portal.receiving import uploads

    begins = [begun(world, bytes([n]) * 1000) for n in range(7)]
    for upload in begins[2:]:
        uploads.append(upload, 0, [bytes(1) * 500])
    left = list(Upload.objects.values_list("pk", flat=True))
    assert sorted(map(str, left)) == sorted(str(each.pk) for each in begins[2:]), "the oldest gave way"
    ada = begins[0].by
    api = world.api(ada)
    assert [each["id"] for each in api("GET", "uploads").json()] == [str(each.pk) for each in begins[2:]]
    other = world.person("bob", team="Bob")
    assert world.api(other)("DELETE", f"uploads/{begins[2].pk}").status_code == 404
    assert api("DELETE", f"uploads/{begins[2].pk}").status_code == 204
    page = world.browser(ada).get("/submit/").content.decode()
    assert f"/submit/{begins[2].pk}/cancel/" not in page
    assert world.browser(other).post(f"/submit/{begins[3].pk}/cancel/").status_code == 404
    assert f"/submit/{begins[3].pk}/cancel/" in page
    assert world.browser(ada).post(f"/submit/{begins[3].pk}/cancel/").status_code == 302
    assert Upload.objects.count() == 3
    assert len(world.files("uploads")) == 3


def test_parts_have_a_least_size_except_for_the_last(world: World) -> None:
    from striate.portal.receiving import uploads

    upload = begun(world)
    least = uploads.least_part(upload)
    assert len(DATA) / 64 <= least < len(DATA) / 63
    with pytest.raises(InputError, match=f"at least {least} bytes"):
        uploads.expect(upload, 0, least - 1)
    uploads.expect(upload, 0, least)
    for _ in range(3):  # a connection that is broken off after a byte leaves no file
        assert uploads.append(upload, 0, [DATA[:1]]) == 0
    assert not world.files("uploads")
    assert uploads.append(upload, 0, [DATA[:-1]]) == len(DATA) - 1
    uploads.expect(upload, len(DATA) - 1, 1)
    assert uploads.append(upload, len(DATA) - 1, [DATA[-1:]]) == len(DATA)
