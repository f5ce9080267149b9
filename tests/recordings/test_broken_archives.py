"""Broken and malicious archives are refused in one sentence, and no files are left."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.archives import TOP, Members, array_of, members_of, replace, write_zip
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording

import striate
from striate.errors import InputError
from striate.recordings import check
from striate.recordings.npy_format import dump

FILES = members_of(small_recording(neurons=5, training=6, validation=2, test_images=2, repeats=2))
TRIALS = 6 + 2 + 3


def changed(change: Callable[[Members], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        files = dict(FILES)
        change(files)
        return write_zip(folder / f"{TOP}.zip", files)

    return make


def without(name: str) -> Callable[[Path], Path]:
    return changed(lambda files: files.pop(name) and None)


def with_bytes(name: str, data: bytes) -> Callable[[Path], Path]:
    return changed(lambda files: files.update({name: data}))


def with_array(name: str, array: object) -> Callable[[Path], Path]:
    return changed(lambda files: replace(files, name, array))


def raw(data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"{TOP}.zip"
        path.write_bytes(data)
        return path

    return make


def edited(edit: Callable[[bytearray], None]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = write_zip(folder / f"{TOP}.zip", FILES)
        data = bytearray(path.read_bytes())
        edit(data)
        path.write_bytes(data)
        return path

    return make


def cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def flip_in_a_member(data: bytearray) -> None:
    start = data.index(b"data/responses/3.npy") + len("data/responses/3.npy") + 20
    for i in range(4):
        data[start + i] ^= 0xFF


def declare_more(data: bytearray) -> None:
    """The central directory declares 1 GB for one image."""
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 2**30)


def declare_less(data: bytearray) -> None:
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 100)


def two_of_one_name(folder: Path) -> Path:
    path = write_zip(folder / f"{TOP}.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"{TOP}/data/images/0.npy", FILES["data/images/0.npy"])
    return path


def leading_out(folder: Path) -> Path:
    path = write_zip(folder / f"{TOP}.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../evil.npy", b"x")
    return path


def two_recordings(folder: Path) -> Path:
    path = write_zip(folder / f"{TOP}.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        for name, data in FILES.items():
            archive.writestr(f"another/{name}", data)
    return path


def encrypted(data: bytearray) -> None:
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(mark) + offset] |= 1


def pickled(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(array, dtype=object), allow_pickle=True)
    return stream.getvalue()


def with_a_nan(files: Members) -> None:
    responses = array_of(files, "data/responses/1.npy")
    responses[2] = np.nan
    replace(files, "data/responses/1.npy", responses)


def dangling_link(folder: Path) -> Path:
    from tests.fixtures.archives import write_folder

    path = write_folder(folder / "recording", FILES)
    (path / "data/images/4.npy").unlink()
    (path / "data/images/4.npy").symlink_to("../../.git/annex/objects/missing")
    return path


def doubled_ids(name: str) -> Callable[[Members], None]:
    def change(files: Members) -> None:
        ids = array_of(files, name)
        ids[1] = ids[0]
        replace(files, name, ids)

    return change


HEADER_BOMB = b"\x93NUMPY\x01\x00\xff\xff{'descr': '" + b"(" * 70000

# name: (how to make it, the rule that finds it, whether it can still be opened)
CASES: dict[str, tuple[Callable[[Path], Path], str, bool]] = {
    "nothing there": (lambda folder: folder / "missing.zip", "", False),
    "empty file": (raw(b""), "not-an-archive", False),
    "web page": (raw(b"<!DOCTYPE html><html>Scheduled maintenance</html>"), "not-an-archive", False),
    "annex pointer": (raw(b"/annex/objects/MD5-s416000000--d41d8cd98f00b204e9800998ecf8427e\n"), "not-an-archive", False),
    "text": (raw(b"some text"), "not-an-archive", False),
    "zip cut in half": (edited(cut), "not-an-archive", False),
    "zip of something else": (lambda f: write_zip(f / "x.zip", {"holiday.jpg": b"x"}), "no-recording", False),
    "empty folder": (lambda f: (f / "empty").mkdir() or f / "empty", "no-recording", False),
    "flipped bytes in a member": (edited(flip_in_a_member), "truncated-member", False),
    "member declares a gigabyte": (edited(declare_more), "oversized-member", False),
    "member declares too little": (edited(declare_less), "oversized-member", False),
    "encrypted member": (edited(encrypted), "encrypted-member", False),
    "two members of one name": (two_of_one_name, "duplicate-member", False),
    "member that leads out": (leading_out, "path-traversal", False),
    "two recordings in one": (two_recordings, "several-recordings", False),
    "no tiers": (without("meta/trials/tiers.npy"), "missing-file", False),
    "no coordinates": (without("meta/neurons/cell_motor_coordinates.npy"), "missing-file", False),
    "a missing trial": (without("data/images/3.npy"), "missing-trial", False),
    "an extra trial": (with_array("data/responses/99.npy", np.zeros(5)), "extra-trial", False),
    "pickled responses": (with_bytes("data/responses/2.npy", pickled([1.0] * 5)), "pickled-array", False),
    "pickled tiers": (with_bytes("meta/trials/tiers.npy", pickled(["train"] * TRIALS)), "pickled-array", False),
    "a bare pickle": (with_bytes("data/images/0.npy", pickle.dumps([1])), "pickled-array", False),
    "array cut off": (changed(lambda f: f.update({"data/images/1.npy": f["data/images/1.npy"][:-7]})), "truncated-member", False),
    "array too long": (changed(lambda f: f.update({"data/images/1.npy": f["data/images/1.npy"] + b"x"})), "oversized-member", False),
    "text for an array": (with_bytes("data/behavior/0.npy", b"1,2,3"), "not-an-array", False),
    "damaged header": (with_bytes("data/behavior/0.npy", HEADER_BOMB), "not-an-array", False),
    "empty array file": (with_bytes("data/behavior/0.npy", b""), "not-an-array", False),
    "annex pointer for an array": (
        with_bytes("data/images/2.npy", b"../../.git/annex/objects/xx/MD5-s1--0"), "not-an-array", False,
    ),
    "an image of another size": (with_array("data/images/5.npy", np.zeros((1, 9, 9), np.uint8)), "shape", False),
    "responses of another length": (with_array("data/responses/5.npy", np.zeros(4, np.float32)), "shape", False),
    "complex behaviour": (with_array("data/behavior/5.npy", np.zeros(3, complex)), "dtype", False),
    "words for responses": (with_array("data/responses/5.npy", np.array(["a"] * 5)), "dtype", False),
    "unknown tier": (with_array("meta/trials/tiers.npy", ["live_test"] * TRIALS), "tiers", False),
    "tables of different length": (with_array("meta/trials/trial_idx.npy", np.arange(TRIALS + 2)), "table-length", False),
    "doubled unit id": (changed(doubled_ids("meta/neurons/unit_ids.npy")), "unit-ids", False),
    "doubled trial index": (changed(doubled_ids("meta/trials/trial_idx.npy")), "trial-ids", False),
    "unit ids that are no numbers": (with_array("meta/neurons/unit_ids.npy", np.arange(5) + 0.5), "unit-ids", False),
    "coordinates in two dimensions": (with_array("meta/neurons/cell_motor_coordinates.npy", np.zeros((5, 2))), "shape", False),
    "coordinates that are not finite": (
        with_array("meta/neurons/cell_motor_coordinates.npy", np.full((5, 3), np.nan)), "coordinates", False,
    ),
    "statistics of another length": (with_array("meta/statistics/responses/all/std.npy", np.ones(4)), "shape", False),
    "dangling link": (dangling_link, "not-an-array", False),
    "responses that are not finite": (changed(with_a_nan), "non-finite", True),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_broken_archive_is_refused_in_one_sentence(name: str, tmp_path: Path, own_cache: Path) -> None:
    make, rule, opens = CASES[name]
    path = make(tmp_path)
    before = sorted(os.walk(tmp_path))
    outcome = run_in_process("info", path)
    if opens:
        assert outcome.status == 0
    else:
        assert_one_sentence(outcome, "." if rule else "no archive at")
        assert not list(own_cache.rglob("*.npy")), "no half-packed recording is left"
        assert not list(own_cache.rglob("*.partial"))
    if rule:
        report = check(path)
        assert rule in report.rules, report.findings
        assert not report.ok
        found = next(f for f in report if f.rule == rule)
        assert found.file
        assert found.fix, "an error says how to fix it"
        checked = run_in_process("check", path)
        assert checked.status == 1
        assert rule in checked.out
        assert "Traceback" not in checked.err + checked.out
    assert sorted(os.walk(tmp_path)) == before, "the archive's folder is left as it was"


def test_message_names_the_damaged_file(tmp_path: Path) -> None:
    make, _, _ = CASES["array cut off"]
    assert_one_sentence(run_in_process("info", make(tmp_path)), "data/images/1.npy", "header declares")


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/exploded",)

    make = with_bytes("meta/trials/notes.npy", pickled([Bomb()] * TRIALS))
    assert run_in_process("check", make(tmp_path)).status == 0
    assert not (tmp_path / "exploded").exists()


def test_message_names_the_broken_archive(tmp_path: Path) -> None:
    archive = with_bytes("data/images/3.npy", b"no array")(tmp_path)
    with pytest.raises(InputError, match=f"^{archive.name}: data/images/3.npy: "):
        striate.open(archive)


@pytest.mark.slow
def test_any_header_is_parsed_or_refused() -> None:
    """Random damage to the first 200 bytes of an array file never escapes as another exception."""
    from striate.recordings.checks.report import UnreadableError
    from striate.recordings.npy_format import parse

    rng = np.random.default_rng(0)
    whole = dump(np.arange(24, dtype=np.float32).reshape(4, 6))
    for _ in range(3000):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        try:
            array = parse(bytes(data), "x.npy")
        except UnreadableError as error:
            assert error.finding.message
        else:
            assert not array.dtype.hasobject
