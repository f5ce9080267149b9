"""Downloads: parts, tags, heads; who gets them; the manifest, taken by the real ``striate catalog add`` and ``fetch``."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.command import run_in_process
from tests.portal.world import World, on_a_port


@pytest.fixture
def reader(world: World) -> Any:
    """Somebody who has accepted the terms."""
    from striate.portal.hosting.dataset import terms_digest

    ada = world.person("ada", team="Ada")
    world.browser(ada).post("/data/accept/", {"terms": terms_digest()})
    return ada


@pytest.fixture
def archive(world: World) -> tuple[str, bytes]:
    """Address and content of a file."""
    from striate.portal.competition import competition
    from striate.portal.hosting.dataset import version

    listed = competition().manifest.archive("11-1-1")
    return f"/data/{version()}/files/{listed.path}", (world.place.competition / listed.path).read_bytes()


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_terms_are_accepted_once_with_their_text(world: World, reader: Any) -> None:
    from striate.portal.hosting.dataset import terms_digest
    from striate.portal.models import Acceptance

    world.browser(reader).post("/data/accept/", {"terms": terms_digest()})
    kept = Acceptance.objects.get()
    assert world.built.rules.licence.terms in kept.terms
    world.browser(world.person("ben")).post("/data/accept/", {"terms": "other"})
    assert Acceptance.objects.count() == 1, "terms that have changed meanwhile were not read"


def test_a_file_is_sent_whole_or_in_parts(world: World, reader: Any, archive: tuple[str, bytes]) -> None:
    path, content = archive
    browser = world.browser(reader)
    whole = browser.get(path)
    tag = whole.headers["ETag"]
    assert body(whole) == content
    assert whole.headers["Content-Length"] == str(len(content))
    assert whole.headers["Content-Disposition"].startswith("attachment")
    for asked, start, end in (
        ("bytes=0-9", 0, 9),
        ("bytes=100-", 100, len(content) - 1),
        ("bytes=-5", len(content) - 5, len(content) - 1),
    ):
        part = browser.get(path, headers={"Range": asked, "If-Range": tag})
        assert part.status_code == 206
        assert part.headers["Content-Range"] == f"bytes {start}-{end}/{len(content)}"
        assert part.headers["Content-Length"] == str(end - start + 1)
        assert body(part) == content[start : end + 1]
    assert browser.get(path, headers={"Range": "bytes=5-", "If-Range": '"another"'}).status_code == 200
    beyond = browser.get(path, headers={"Range": f"bytes={len(content)}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
    assert browser.get(path, headers={"If-None-Match": tag}).status_code == 304
    head = browser.head(path)
    assert (head.status_code, head.headers["Content-Length"], head.headers["ETag"]) == (200, str(len(content)), tag)
    assert body(head) == b""


@given(st.integers(1, 1000), st.integers(0, 1200), st.one_of(st.none(), st.integers(0, 1200)), st.booleans())
def test_a_range_lies_within_the_file_or_is_refused(size: int, first: int, last: int | None, tail: bool) -> None:
    from striate.portal.hosting.ranges import asked_range

    text = f"bytes=-{first}" if tail else f"bytes={first}-{'' if last is None else last}"
    try:
        found = asked_range(text, size)
    except ValueError:
        assert first >= size if not tail else first == 0
        return
    if found is None:
        assert last is not None
        assert last < first
        return
    start, end = found
    assert 0 <= start <= end < size
    if not tail:
        assert start == first


@given(st.text(max_size=30))
def test_nonsense_for_a_range_is_ignored_or_refused(text: str) -> None:
    from striate.portal.hosting.ranges import asked_range

    try:
        found = asked_range(text, 10)
    except ValueError:
        return
    assert found is None or 0 <= found[0] <= found[1] < 10


@pytest.mark.parametrize(
    "name", ["manifest.json", "commitment.json", "../data/portal.sqlite3", "..%2Fdata%2Fsecret-key", "archives"]
)
def test_only_what_the_manifest_lists_is_served(world: World, reader: Any, name: str) -> None:
    from striate.portal.hosting.dataset import version

    assert world.browser(reader).get(f"/data/{version()}/files/{name}").status_code == 404
    assert world.browser(reader).get("/data/0000/files/competition.toml").status_code == 404


@pytest.fixture
def address(world: World) -> Iterator[str]:
    with on_a_port() as found:
        yield found


def test_striate_adds_and_fetches_it_and_tells_what_is_missing(
    world: World, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.portal.hosting.dataset import terms_digest

    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path / "settings"))
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    ada = world.person("ada", team="Ada")
    token = tmp_path / "token"
    token.write_text("wrong")
    add = ("catalog", "add", f"{address}data/manifest.json", "--token-file", token)
    unknown = run_in_process(*add)
    assert unknown.status == 1
    assert "401" in unknown.err
    token.write_text(world.token(ada))
    unaccepted = run_in_process(*add)
    assert unaccepted.status == 1
    assert "403" in unaccepted.err
    assert "accept the terms" in unaccepted.err
    world.browser(ada).post("/data/accept/", {"terms": terms_digest()})
    added = run_in_process(*add)
    assert added.status == 0, added.err
    fetched = run_in_process("fetch", "sensorium-2022", "11-1-1", "--accept-licence", "--to", tmp_path / "mice")
    assert fetched.status == 0, fetched.err
    from striate.portal.competition import competition

    listed = competition().manifest.archive("11-1-1")
    assert (tmp_path / "mice" / listed.path).read_bytes() == (world.place.competition / listed.path).read_bytes()


def window(begin: float, end: float) -> Any:
    from django.utils import timezone

    from striate.portal.models import MaintenanceWindow

    now = timezone.now()
    return MaintenanceWindow.objects.create(
        starts=now + timedelta(hours=begin), ends=now + timedelta(hours=end), message="A new disk."
    )


def test_under_maintenance_reads_go_on_and_writes_wait(world: World, reader: Any, archive: tuple[str, bytes]) -> None:
    announced = window(1, 2)
    browser, api = world.browser(reader), world.api(reader)
    page = browser.get("/").content.decode()
    assert "is planned" in page
    assert "A new disk." in page
    assert browser.post("/accounts/tokens/", {"name": "x"}).status_code == 200
    announced.delete()
    window(-1, 1)
    assert "until" in browser.get("/").content.decode()
    assert body(browser.get(archive[0])) == archive[1]
    for answer in (browser.post("/accounts/tokens/", {"name": "x"}), api("POST", "uploads", {})):
        assert answer.status_code == 503
        assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert browser.post("/accounts/sign-out/").status_code == 302, "or no organiser could end it"
    from striate.portal.models import MaintenanceWindow

    MaintenanceWindow.objects.update(ends=MaintenanceWindow.objects.get().starts)
    assert api("POST", "uploads", {}).status_code == 422


def test_slow_downloads_leave_threads_for_everybody_else(
    world: World, reader: Any, archive: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as have a place download; others are asked to come back, until one has been read or has gone away."""
    from striate.portal.hosting import downloading
    from striate.portal.hosting.dataset import version

    path, content = archive
    monkeypatch.setattr(downloading, "SMALL", len(content) // 2)
    # other tests may have left answers unread
    monkeypatch.setattr(downloading, "_places", threading.BoundedSemaphore(downloading.PLACES))
    browser = world.browser(reader)
    whole = f"/data/{version()}/archive.tar"
    assert browser.head(whole).status_code == 200
    held = [browser.get(path if number % 2 else whole) for number in range(downloading.PLACES)]
    assert {each.status_code for each in held} == {200}
    for asked in (path, whole):
        refused = browser.get(asked)
        assert refused.status_code == 503
        assert 30 <= int(refused.headers["Retry-After"]) <= 60
        assert "As many people download large files" in refused.content.decode()
    german = browser.get(path, headers={"Accept-Language": "de"})
    assert (german.status_code, german.headers["Content-Language"]) == (503, "de")
    assert "so viele Menschen große Dateien" in german.content.decode()
    assert browser.get(path, headers={"Range": "bytes=0-9"}).status_code == 206, "what is small needs no place"
    assert browser.head(path).status_code == 200
    assert browser.get("/data/").status_code == 200
    held.pop().close()  # it went away before it had read anything
    again = browser.get(path)
    assert body(again) == content
    again.close()
    again.close()
    held.append(browser.get(whole))
    assert held[-1].status_code == 200
    assert browser.get(path).status_code == 503, "a place is given back once"
    for each in held:
        each.close()
    assert body(browser.get(path)) == content


@pytest.mark.usefixtures("portal")
def test_a_place_is_given_back_by_what_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.test import RequestFactory

    from striate.portal.hosting import downloading, ranges

    monkeypatch.setattr(downloading, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(downloading, "SMALL", 1)
    asked, gone = RequestFactory().get("/"), tmp_path / "gone"
    gone.write_bytes(b"content")

    def no_more(*_: object) -> None:
        raise FileNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", no_more)
        with pytest.raises(FileNotFoundError):
            ranges.send(asked, gone, digest="x")

    def read(_start: int, length: int) -> Iterator[bytes]:
        try:
            yield bytes(length)
        finally:
            raise ConnectionResetError  # of the service that had the bytes

    for _ in range(2):
        answer = ranges.send_made(asked, read, size=7, digest="x", filename="x")
        next(iter(answer))  # type: ignore[arg-type]
        answer.close()  # Django takes no notice of what goes wrong then
    downloading.place_for(7)()


def test_other_large_answers_need_a_place_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team's own file, and the chain, which anybody may read slowly."""
    import threading

    from striate.portal.hosting import downloading

    ada = world.person("ada", team="Ada")
    file = world.file(0.5)
    sent = f"/submissions/{world.scored(ada, file).pk}/file/"
    browser = world.browser(ada)
    for path in (sent, "/receipts.jsonl"):
        answer = browser.get(path)
        content = body(answer)
        answer.close()
        monkeypatch.setattr(downloading, "SMALL", 10)
        monkeypatch.setattr(downloading, "_places", threading.BoundedSemaphore(1))
        held = browser.get(path)
        assert browser.get(path).status_code == 503
        assert browser.head(path).status_code == 200
        held.close()
        assert body(browser.get(path)) == content
        monkeypatch.undo()
    part = browser.get(sent, headers={"Range": "bytes=4-9"})
    assert (part.status_code, body(part)) == (206, file.read_bytes()[4:10])
    assert part.headers["Cache-Control"] == "private, no-store"
