"""The catalogue: what comes with striate, a user's own, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from tests.submissions.command import run

from striate.catalog import Dataset, get_dataset, list_datasets
from striate.errors import InputError

OWN: dict[str, Any] = {
    "name": "ours",
    "title": "Two mice of ours",
    "addresses": ["https://example.org/data/", "/srv/data"],
    "licence": {"name": "CC BY 4.0", "terms": "Name us."},
    "files": [{"name": "a.zip", "session": "1-1-1"}, {"name": "more/b.zip", "size": 12, "sha256": "0" * 64}],
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STRIATE_CATALOG", str(tmp_path))
    return tmp_path / "ours.toml"


def test_the_recordings_of_2022() -> None:
    found = get_dataset("sensorium2022")
    assert len(found.files) == 7
    assert sum(file.neurons or 0 for file in found.files) == 54_569
    assert sum(file.trials or 0 for file in found.files) == 43_805
    assert found.tracks == ("sensorium", "sensorium+")
    assert all(not file.confirmed and file.sha256 for file in found.files)
    assert all(
        file.name == f"static{file.session}-GrayImageNet-94c6ff995dac583098847cfecd43e7b6.zip" for file in found.files
    )


def sessions(**asked: Any) -> list[str | None]:
    return [file.session for file in get_dataset("sensorium2022").select(asked.pop("names", ()), **asked)]


def test_files_are_selected_by_what_is_asked_for() -> None:
    assert len(sessions()) == 7
    assert sessions(tracks=["sensorium+"]) == ["27204-5-13"]
    assert sessions(mice=[7, 1]) == ["26872-17-20", "23964-4-22"]
    assert len(sessions(pretraining=True)) == 5
    assert len(sessions(pretraining=True, tracks=["sensorium"], names=["27204-5-13"], mice=[3])) == 7
    name = "static22846-10-16-GrayImageNet-94c6ff995dac583098847cfecd43e7b6.zip"
    assert sessions(names=[name]) == ["22846-10-16"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"tracks": ["sensorium-plus"]}, "has no track 'sensorium-plus': did you mean"),
        ({"mice": [8]}, "has no mouse 8; it has 1, 2, 3, 4, 5, 6, 7"),
        ({"names": ["27204-5-31"]}, "did you mean '27204-5-13'"),
    ],
)
def test_what_is_not_there_is_said(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        sessions(**asked)


def test_an_unknown_dataset_has_a_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'sensorium2022'"):
        get_dataset("sensorium2023")


def test_a_dataset_of_ones_own(own: Path) -> None:
    own.write_text(tomli_w.dumps(OWN))
    assert list_datasets() == ("ours", "sensorium2022")
    found = get_dataset("ours")
    assert (found.tracks, found.file("1-1-1").name, found.file("more/b.zip").best_known_size) == ((), "a.zip", 12)
    with pytest.raises(InputError, match="no pre-training recordings"):
        found.select(pretraining=True)


def test_an_acceptance_is_of_one_text() -> None:
    changed = OWN | {"licence": {"name": "CC BY 4.0", "terms": "Name us twice."}}
    first, second = (Dataset.model_validate(tables).licence.digest for tables in (OWN, changed))
    assert len(first) == 64
    assert first != second


def file_(**changes: Any) -> dict[str, Any]:
    return {"files": [{"name": "a.zip"} | changes]}


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "leaves the folder": (file_(name="../a.zip"), "path below the dataset's folder"),
    "leaves it later": (file_(name="b/../../a.zip"), "path below the dataset's folder"),
    "absolute": (file_(name="/etc/passwd"), "path below the dataset's folder"),
    "of another system": (file_(name="C:\\a.zip"), "path below the dataset's folder"),
    "hidden": (file_(name=".ssh/a"), "path below the dataset's folder"),
    "control character": (file_(name="a\nb.zip"), "path below the dataset's folder"),
    "empty name": (file_(name=""), "path below the dataset's folder"),
    "session": (file_(session="../1"), "should be a session"),
    "hash": (file_(sha256="12"), "sha256"),
    "negative size": (file_(size=-1), "size = -1"),
    "twice": ({"files": [{"name": "a.zip"}, {"name": "A.zip"}]}, "same name"),
    "same session": ({"files": [{"name": "a", "session": "1"}, {"name": "b", "session": "1"}]}, "same session"),
    "no files": ({"files": []}, "files"),
    "unknown key": ({"licens": 1}, "no key 'licens': did you mean 'licence'"),
    "address of another kind": ({"addresses": ["ftp://example.org/"]}, "should begin with http"),
    "address without a slash": ({"addresses": ["https://example.org/data"]}, "slash at its end"),
    "another name": ({"name": "theirs"}, "name the file theirs.toml"),
    "bad name": ({"name": "Our Data"}, "lower-case"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_entries(case: str, own: Path) -> None:
    changes, says = BROKEN[case]
    own.write_text(tomli_w.dumps(OWN | changes))
    with pytest.raises(InputError, match=says) as caught:
        get_dataset("ours")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b""])
def test_what_is_no_toml(content: bytes, own: Path) -> None:
    own.write_bytes(content)
    with pytest.raises(InputError, match=r"ours\.toml"):
        get_dataset("ours")


@pytest.mark.slow
def test_the_commands(own: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    own.write_text(tomli_w.dumps(OWN))

    def said(*arguments: str) -> str:
        code, out, _ = run(capsys, monkeypatch, "catalog", *arguments)
        assert code == 0
        return out

    assert "sensorium2022" in said("list")
    assert "Two mice of ours" in said("list")
    for fact in ("27204-5-13", "about 412 MB", "CC BY-NC-ND 4.0", "arXiv:2206.08666"):
        assert fact in said("show", "sensorium2022")
    assert json.loads(said("show", "ours", "--json"))["files"][1]["size"] == 12
    assert [each["name"] for each in json.loads(said("list", "--json"))] == ["ours", "sensorium2022"]
