"""Notes that striate keeps for itself: a damaged one counts as none, and no traceback comes of it."""

from pathlib import Path

import pytest

from striate._internal.safe_parsing import MAX_BYTES
from striate.errors import InputError

DAMAGED = [
    b"",
    b"[]",
    b"{}",
    b"[" * 100_000,
    b'{"file": ' * 100 + b"1" + b"}" * 100,
    b"9" * 5000,
    b'{"file": "\\ud800"}',
    b"\xff",
    b" " * (MAX_BYTES + 1),
]


@pytest.fixture(params=DAMAGED, ids=range(len(DAMAGED)))
def note(request: pytest.FixtureRequest) -> bytes:
    return bytes(request.param)


def test_a_damaged_record_of_a_fetched_file_is_none(note: bytes, tmp_path: Path) -> None:
    from striate.catalog import DataFile
    from striate.catalog.local_files import DatasetFolder

    folder, file = DatasetFolder(tmp_path), DataFile(name="a.zip")
    (tmp_path / ".striate").mkdir()
    folder.state_path(file, ".json").write_bytes(note)
    folder.file_path(file).write_bytes(b"content")
    assert folder.read_record(file) is None
    assert not folder.is_complete(file)


def test_damaged_notes_of_a_file_on_its_way_are_none(note: bytes, tmp_path: Path) -> None:
    from striate.fetch.partial_file import PartialFile

    (tmp_path / "a.part").write_bytes(b"12345")
    (tmp_path / "a.part.json").write_bytes(note)
    assert PartialFile(tmp_path / "a.part").size == 0


def test_terms_whose_acceptance_is_damaged_must_be_accepted_again(
    note: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from striate.catalog import get_dataset
    from striate.fetch import data_terms

    monkeypatch.setenv("STRIATE_SETTINGS", str(tmp_path))
    of = get_dataset("sensorium2022")
    data_terms.accept_terms(of)
    assert data_terms.find_acceptance(of) is not None
    data_terms._acceptance_path(of).write_bytes(note)
    assert data_terms.find_acceptance(of) is None
    with pytest.raises(InputError, match="have not been accepted"):
        data_terms.require_acceptance(of)
