"""Every file of a competition, broken: one sentence, and never a traceback."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.competition.examples import AFTER, PASSPHRASE, play
from tests.fixtures.messages import assert_short

from striate.competition import Commitment, LiveTruth, Receipts, Results, Vault, close, read_rules
from striate.competition.manifest import Manifest
from striate.competition.results import Openings
from striate.errors import InputError

READERS = {
    "competition.toml": lambda folder: read_rules(folder / "public"),
    "manifest.json": lambda folder: Manifest.read(folder / "public"),
    "commitment.json": lambda folder: Commitment.read(folder / "public"),
    "receipts.jsonl": lambda folder: Receipts.read(folder / "public"),
    "results.json": lambda folder: Results.read(folder / "results"),
    "openings.json": lambda folder: Openings.read(folder / "results"),
    "live-truth.npz": lambda folder: LiveTruth.read(folder / "live-truth.npz"),
    "vault": lambda folder: Vault.read(folder / "vault", PASSPHRASE),
}


@pytest.fixture(scope="module")
def whole(competition, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    game = play(competition, folder)
    game.submit("Alpha", 0.5)
    close(game.folder, game.vault, game.store, folder / "results", at=AFTER)
    shutil.copy(competition.live_truth, folder)
    shutil.copy(competition.vault, folder)
    return folder


def place(folder: Path, name: str) -> Path:
    return next(path for path in folder.rglob(name) if path.is_file())


@pytest.mark.parametrize("name", READERS)
def test_what_is_whole_is_read(name, whole):
    READERS[name](whole)


@pytest.mark.parametrize("name", READERS)
def test_what_is_broken_is_one_sentence(name, whole):
    file = place(whole, name)
    content = file.read_bytes()
    broken = [
        b"",
        b"\0" * 100,
        b"\xff\xfe\xfa",
        b"{}",
        b"[]",
        b"null",
        b'{"format": "striate something 9"}',
        b"PK\x03\x04 nothing",
        b"\x93NUMPY nothing",
        content[: len(content) // 2],
        content[: len(content) - 20],
    ]
    if name in ("manifest.json", "commitment.json", "results.json", "vault"):
        broken.append(content.replace(b"striate", b"strlate", 1))
    try:
        for text in broken:
            if name == "receipts.jsonl" and not text:
                continue  # nobody has submitted yet
            file.write_bytes(text)
            with pytest.raises(InputError) as refusal:
                READERS[name](whole)
            assert "\n" not in str(refusal.value), text
            assert_short(refusal.value, whole)
    finally:
        file.write_bytes(content)


@pytest.mark.parametrize("name", READERS)
def test_what_is_missing_is_one_sentence(name, whole, tmp_path):
    if name == "receipts.jsonl":
        return  # an empty chain
    shutil.copytree(whole, tmp_path / "copy")
    place(tmp_path / "copy", name).unlink()
    with pytest.raises(InputError) as refusal:
        READERS[name](tmp_path / "copy")
    assert "\n" not in str(refusal.value)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(set(READERS) - {"vault"})), data=st.data())
def test_a_changed_byte_is_read_or_refused(name, data, whole):
    """Whatever a byte is changed to: a typed result or one sentence, nothing else."""
    file = place(whole, name)
    content = file.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    byte = data.draw(st.integers(0, 255))
    try:
        file.write_bytes(content[:at] + bytes([byte]) + content[at + 1 :])
        try:
            READERS[name](whole)
        except InputError as error:
            assert "\n" not in str(error)
    finally:
        file.write_bytes(content)
