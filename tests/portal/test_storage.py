"""Files in a folder and on S3: whole or not at all, read in ranges, and a service that is dead is an error and not a wait."""

import io
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from striate.errors import InputError
from striate.portal.bucket import Bucket
from striate.portal.unavailable import StorageUnavailableError
from tests.fixtures import servers
from tests.portal.world import World

DATA = os.urandom(3 * 2**20 + 17)
KEY = "of-the-tests"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """A service that speaks S3."""
    with servers.s3() as address:
        yield address


def bucket(address: str, name: str = servers.BUCKET) -> Bucket:
    return Bucket(name, "some/prefix", address, "us-east-1")


def on(address: str, folder: str = "data") -> Any:
    """The storage of a folder of the bucket."""
    from striate.portal.s3 import S3

    return S3(**bucket(address).folder(folder)["OPTIONS"])


@pytest.fixture(params=["folder", "s3"])
def kept(request: pytest.FixtureRequest, portal: World, tmp_path: Path) -> Any:
    """A storage of each kind."""
    from django.core.files.storage import FileSystemStorage

    if request.param == "folder":
        return FileSystemStorage(tmp_path / "kept")
    return on(request.getfixturevalue("service"), f"data-{time.monotonic_ns()}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.mark.slow
def test_what_is_put_is_there_under_its_name_and_replaces_what_had_it(kept: Any, file: Path) -> None:
    from striate.portal import storage as files

    files.put(kept, file, "a/b.parquet", copy=True)
    assert file.exists()
    file.write_bytes(b"other")
    files.put(kept, file, "a/b.parquet")
    assert not file.exists(), "it was moved"
    files.copy(kept, "a/b.parquet", "c/d")
    assert [name for name, _ in files.below(kept, "")] == ["a/b.parquet", "c/d"]
    with files.opened(kept, "c/d") as copied, files.on_disk(kept, "a/b.parquet") as (path,):
        assert copied.read() == path.read_bytes() == b"other"
        assert path.name == "b.parquet"
    files.remove(kept, "a")
    files.remove(kept, "nothing")
    assert [name for name, _ in files.below(kept, "")] == ["c/d"]
    assert files.below(kept, "nothing") == []
    with pytest.raises(FileNotFoundError):
        files.opened(kept, "a/b.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, 1, 2**20, len(DATA) - 1, len(DATA)])
def test_a_file_is_read_from_any_byte_on(kept: Any, file: Path, start: int) -> None:
    from striate.portal import storage as files

    files.put(kept, file, "x", copy=True)
    with files.opened(kept, "x", start) as opened:
        assert opened.tell() == start
        assert opened.read(10) == DATA[start : start + 10]
        assert opened.read() == DATA[start + 10 :]
        assert opened.read(1) == b""
        assert opened.seek(0, io.SEEK_END) == len(DATA)
        opened.seek(100)
        assert opened.read(5) == DATA[100:105]


def test_an_empty_file_is_a_file(kept: Any, file: Path) -> None:
    from striate.portal import storage as files

    file.write_bytes(b"")
    files.put(kept, file, "empty")
    with files.opened(kept, "empty") as opened:
        assert opened.read() == b""


def test_of_a_large_object_only_what_is_read_is_asked_for(portal: World, service: str, file: Path) -> None:
    from striate.portal import storage as files

    storage, asked = on(service), []
    files.put(storage, file, "x", copy=True)
    events = storage._client.meta.events
    note = lambda params, **_: asked.append(params["Range"])  # noqa: E731
    events.register("provide-client-params.s3.GetObject", note)
    try:
        with files.opened(storage, "x", 2**20) as opened:
            assert opened.read(7) == DATA[2**20 : 2**20 + 7]
            opened.seek(0, io.SEEK_END)
            opened.seek(2**20 + 7)
            assert opened.read(7) == DATA[2**20 + 7 : 2**20 + 14]
            assert opened._body.tell() < 2**18, "the rest stays where it is"
    finally:
        events.unregister("provide-client-params.s3.GetObject", note)
    assert asked == [f"bytes={2**20}-"], "to look for its end costs no request"


@pytest.mark.slow
def test_a_file_that_breaks_off_is_not_there(portal: World, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.portal import s3

    class BreaksOff(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            some = super().read(size)
            if self.tell() > 11 * 2**20:
                raise OSError("a disk is gone")
            return some

    monkeypatch.setattr(s3, "_PART", 5 * 2**20)
    monkeypatch.setattr(s3, "_AT_ONCE", 1)
    storage = on(service)
    with pytest.raises(OSError, match="a disk is gone"):
        storage.put(BreaksOff(bytes(25 * 2**20)), "large", 25 * 2**20)
    assert not storage.exists("large")
    assert "Uploads" not in storage._client.list_multipart_uploads(Bucket=servers.BUCKET), "nor its parts"
    storage.put(io.BytesIO(bytes(25 * 2**20)), "large", 25 * 2**20)
    assert storage.size("large") == 25 * 2**20
    with pytest.raises(StorageUnavailableError, match="1 of 2 bytes"):
        storage.put(io.BytesIO(b"!"), "short", 2)


class _Breaking(BaseHTTPRequestHandler):
    """Answers for an object, and breaks off after a MiB each time."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self.asked.append(self.headers["Range"])
        self.send_response(206)
        self.send_header("ETag", '"x"')
        self.send_header("Content-Length", str(len(DATA) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.end_headers()
        self.wfile.write(DATA[start : start + 2**20])

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_a_read_that_breaks_off_goes_on_where_it_was(portal: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Breaking)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        with on(f"http://127.0.0.1:{server.server_port}").opened("x") as opened:
            assert opened.read() == DATA
    finally:
        server.shutdown()
        server.server_close()
    assert len(_Breaking.asked) >= 4


@pytest.fixture(params=["refuses", "is silent"])
def dead(request: pytest.FixtureRequest, portal: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a service that is dead in some way."""
    from striate.portal import s3

    monkeypatch.setattr(s3, "_CONNECT", 0.3)
    monkeypatch.setattr(s3, "_ANSWER", 0.3)
    monkeypatch.setattr(s3, "_TRIES", 1)
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "a-very-secret-key")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listening.listen(50)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.slow
def test_a_dead_service_is_an_error_and_not_a_wait(dead: str, file: Path) -> None:
    from striate.portal import storage as files

    storage, begin = on(dead), time.monotonic()
    for act in (
        lambda: files.put(storage, file, "x"),
        lambda: files.opened(storage, "x"),
        lambda: storage.exists("x"),
        lambda: storage.listdir("x"),
        lambda: storage.delete("x"),
        lambda: files.below(storage, "x"),
        lambda: files.copy(storage, "x", "y"),
    ):
        with pytest.raises(StorageUnavailableError, match=r"does not (answer|take)") as raised:
            act()
        assert "secret" not in str(raised.value)
    assert time.monotonic() - begin < 60
    assert file.exists()
    with pytest.raises(InputError, match="cannot be used") as refused:
        bucket(dead).require()
    assert "secret" not in str(refused.value)


def test_the_limits_of_time_are_short_enough_for_a_page() -> None:
    from striate.portal import s3

    assert s3._TRIES * (s3._CONNECT + s3._ANSWER) < 60
    assert s3._TRIES * s3._CONNECT < 15


@pytest.mark.slow
def test_while_the_service_is_dead_pages_say_so_and_nothing_is_lost_or_charged(
    world: World, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.core.files.storage import storages

    from striate.portal.models import Job, Submission
    from striate.portal.scoring.work import work

    ada = world.person("ada", team="Ada")
    scored = world.scored(ada, world.file(0.5))
    waiting = world.send(ada, world.file(0.5, seed=1))
    with monkeypatch.context() as fault:
        for name in ("submissions", "uploads"):
            storages[name]  # so that there is one to be put back
            fault.setitem(storages._storages, name, on(dead, name))
        page = world.browser(ada).get(f"/submissions/{scored.pk}/file/")
        assert (page.status_code, page.headers["Retry-After"]) == (503, "20")
        assert "does not answer" in page.content.decode()
        refused = world.api(ada).submit
        with pytest.raises(AssertionError):  # its PUT
            refused(world.file(0.5, seed=2))
        assert world.browser().get("/boards/sensorium-image/").status_code == 200, "what needs no file goes on"
        assert work(world.live)
        waiting.refresh_from_db()
        assert waiting.state == "received"
    assert not list(world.place.uploads.iterdir())
    Job.objects.filter(done_at=None).update(due_at=waiting.received_at)
    world.work()
    waiting.refresh_from_db()
    assert waiting.state == "scored"
    assert world.api(ada).submit(world.file(0.5, seed=2)).status_code == 201
    assert Submission.objects.count() == 3


def test_what_was_damaged_in_the_storage_is_not_scored(world: World) -> None:
    from django.core.files.storage import storages

    from striate.portal import storage as files
    from striate.portal.models import Score
    from striate.portal.scoring.work import work

    sent = world.send(world.person("ada", team="Ada"), world.file(0.5))
    assert work(world.live)
    sent.refresh_from_db()
    other = world.scratch / "other"
    other.write_bytes(world.file(0.5, seed=1).read_bytes())
    files.put(storages["submissions"], other, f"{sent.kept}.parquet")
    assert work(world.live)
    assert not Score.objects.exists()
    assert sent.jobs.get(kind="score").done_at is None, "it is tried again, and in the end the platform has failed"


def test_a_setting_names_a_bucket() -> None:
    assert Bucket.of("s3://b/a/c/?endpoint=https://s3.example.org&region=eu") == Bucket(
        "b", "a/c", "https://s3.example.org", "eu"
    )
    assert Bucket.of("s3://b") == Bucket("b", "", None, None)
    assert Bucket.of("s3://b").folder("data")["OPTIONS"]["location"] == "data"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("ftp://bucket", "begins with ftp:"),
        ("bucket/prefix", "begins with no scheme"),
        ("s3:///prefix", "names no bucket"),
        ("s3://b?endpint=https://x", "did you mean 'endpoint'"),
        ("s3://b?endpoint=s3.example.org", "address such as https://"),
        ("s3://b?endpoint=ftp://s3.example.org", "address such as https://"),
        ("s3://AKIA:verysecret@b", "must not hold a key"),
    ],
)
def test_a_setting_that_names_none_is_refused_in_a_sentence(setting: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        Bucket.of(setting)
    assert said in str(refused.value)
    assert "verysecret" not in str(refused.value)


def test_a_bucket_that_cannot_be_used_is_refused(portal: World, service: str) -> None:
    bucket(service).require()
    assert ".access" not in "".join(name for name, _ in on(service, "").below("")), "nothing is left of the try"
    with pytest.raises(InputError, match=r"'no-such-bucket' at http.*404 NoSuchBucket"):
        bucket(service, "no-such-bucket").require()
