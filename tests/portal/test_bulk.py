"""The whole as one stream: any part is what stands there in the whole, and every reader of tar unpacks it."""

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.world import World, on_a_port

NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/"), min_size=1, max_size=130)
CONTENTS = st.one_of(
    st.binary(max_size=40), st.sampled_from([0, 1, 511, 512, 513, 1024, 5000, 2**18, 300_000]).map(lambda n: b"x" * n)
)


def tar_of(files: dict[str, bytes]) -> Any:
    from striate.portal.hosting.tar import Member, Tar, of

    def member(name: str, content: bytes) -> Any:
        return Member(name, len(content), hashlib.sha256(content).hexdigest(), 1_700_000_000, of(lambda: content))

    return Tar([member(name, content) for name, content in files.items()])


@pytest.mark.slow
@given(st.dictionaries(NAMES, CONTENTS, max_size=6), st.data())
@settings(max_examples=150)
def test_any_part_is_what_stands_in_the_whole(files: dict[str, bytes], data: Any) -> None:
    tar = tar_of(files)
    whole = b"".join(tar.read(0, tar.size))
    assert len(whole) == tar.size
    start = data.draw(st.integers(0, tar.size - 1))
    length = data.draw(st.integers(0, tar.size - start))
    assert b"".join(tar.read(start, length)) == whole[start : start + length]
    with tarfile.open(fileobj=io.BytesIO(whole)) as opened:
        read = {each.name: opened.extractfile(each).read() for each in opened.getmembers()}  # type: ignore[union-attr]
    assert read == {name.rstrip("/"): content for name, content in files.items()}


def test_small_files_come_in_few_pieces_and_large_ones_are_not_copied() -> None:
    large = bytes(2**20)
    small = tar_of({f"{number}": b"abc" for number in range(1000)})
    assert len(list(small.read(0, small.size))) <= small.size // 2**18 + 1
    whole = tar_of({"a": b"abc", "large": large, "z": b"abc"})
    assert any(piece is large for piece in whole.read(0, whole.size))


def test_a_file_of_more_than_8_gib_has_its_place() -> None:
    """No byte of it is read: what stands after it can be had at once."""
    from striate.portal.hosting.tar import Member, Tar, of

    def never(start: int, length: int) -> Iterator[bytes]:
        raise AssertionError("nothing of it was asked for")

    large = Member("large", 9 * 2**30 + 1, "0" * 64, 0, never)
    after = Member("after", 3, "1" * 64, 0, of(lambda: b"abc"))
    tar = Tar([large, after])
    head = b"".join(tar.read(0, large.header_size))
    with tarfile.open(fileobj=io.BytesIO(head)) as opened:
        about = opened.next()
    assert about is not None
    assert about.size == large.size
    assert b"".join(tar.read(large.length + 512, 3)) == b"abc"


def test_its_bytes_are_these_for_ever() -> None:
    """A download that was begun with one version of the portal, or of Python, goes on with another."""
    tar = tar_of({"a": b"1", "ä/" + "x" * 120: b"22", "b/c": bytes(513)})
    whole = b"".join(tar.read(0, tar.size))
    assert hashlib.sha256(whole).hexdigest() == GOLDEN


GOLDEN = "18158d41238bd278f5c8a47e1fbc0a07d98405d6b6911ce40e6a98ae6480984a"


@pytest.fixture
def reader(world: World) -> Any:
    from striate.portal.hosting.dataset import terms_digest

    ada = world.person("ada", team="Ada")
    world.browser(ada).post("/data/accept/", {"terms": terms_digest()})
    return ada


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_gnu_tar_unpacks_it_and_the_hashes_are_right(world: World, reader: Any, tmp_path: Path) -> None:
    answer = world.browser(reader).get("/data/1/archive.tar")
    whole = body(answer)
    assert answer.headers["Content-Length"] == str(len(whole))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="sensorium-2022-v1.tar"'
    (tmp_path / "all.tar").write_bytes(whole)
    subprocess.run(["tar", "-xf", "all.tar"], cwd=tmp_path, check=True)
    folder = tmp_path / "sensorium-2022-v1"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    from striate.portal.models import Snapshot

    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "SHA256SUMS",
        *Snapshot.current().files.values_list("path", flat=True),
    }


@pytest.mark.slow
@given(start=st.integers(0, 10**6), length=st.integers(1, 10**6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_parts_are_served(world: World, reader: Any, start: int, length: int) -> None:
    browser = world.browser(reader)
    whole = body(browser.get("/data/1/archive.tar"))
    start %= len(whole)
    part = browser.get("/data/1/archive.tar", headers={"Range": f"bytes={start}-{start + length - 1}"})
    assert part.status_code == 206
    assert body(part) == whole[start : start + length]


def test_a_selection_has_a_name_of_its_own(world: World, reader: Any) -> None:
    browser = world.browser(reader)
    whole, one = browser.get("/data/1/archive.tar"), browser.get("/data/1/archive.tar?recording=11-1-1")
    assert whole.headers["ETag"] != one.headers["ETag"]
    with tarfile.open(fileobj=io.BytesIO(body(one))) as opened:
        names = opened.getnames()
    assert len(names) == 2
    assert "11-1-1" in names[1]
    both = browser.get("/data/1/archive.tar?recording=11-1-1&file=competition.toml&file=competition.toml")
    same = browser.get("/data/1/archive.tar?file=competition.toml&recording=11-1-1")
    assert both.headers["ETag"] == same.headers["ETag"], "the order in which it is asked for does not matter"
    roles = browser.get("/data/1/archive.tar?role=pre-training")
    assert b"13-1-1" in body(roles)
    unknown = browser.get("/data/1/archive.tar?recording=11-1-2")
    assert unknown.status_code == 404
    assert "11-1-1" in unknown.content.decode()
    head = browser.head("/data/1/archive.tar")
    assert (head.headers["ETag"], head.headers["Content-Length"]) == (
        whole.headers["ETag"],
        whole.headers["Content-Length"],
    )
    assert browser.get("/data/1/archive.tar", headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_curl_goes_on_where_it_was(world: World, reader: Any, tmp_path: Path) -> None:
    whole = body(world.browser(reader).get("/data/1/archive.tar"))
    (tmp_path / "all.tar").write_bytes(whole[: len(whole) // 3])
    with on_a_port() as address:
        subprocess.run(
            ["curl", "-sSf", "-C", "-", "-H", f"Authorization: Bearer {world.token(reader)}", "-o", "all.tar",
             f"{address}data/1/archive.tar"],
            cwd=tmp_path, check=True, timeout=60,
        )  # fmt: skip
    assert (tmp_path / "all.tar").read_bytes() == whole
