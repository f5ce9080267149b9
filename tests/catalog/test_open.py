"""Fetched recordings open by name, wherever they were fetched to, and their terms stay with them."""

import json
from pathlib import Path

import pytest
import tomli_w
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording

import striate
from striate.catalog import catalogue_folder, collect_citations, locate, locate_all
from striate.errors import InputError
from striate.recordings import layout

SESSIONS = ("7-1-1", "8-1-1", "9-1-1")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recordings in a folder, described in the catalogue as `ours`, with terms accepted."""
    for name in ("CACHE", "SETTINGS"):
        monkeypatch.setenv(f"STRIATE_{name}", str(tmp_path / name))
    monkeypatch.delenv("STRIATE_CATALOG", raising=False)
    place = tmp_path / "source"
    place.mkdir()
    for number, session in enumerate(SESSIONS):
        striate.write(small_recording(session, seed=number), place / f"{layout.archive_stem(session)}.zip")
    tables = {
        "name": "ours",
        "title": "Three mice of ours",
        "addresses": [str(place)],
        "licence": {"name": "CC BY 4.0", "terms": "Name us, please."},
        "citation": {"text": "We (2026), Three mice"},
        "files": [
            {
                "name": f"{layout.archive_stem(session)}.zip",
                "session": session,
                "role": "sensorium" if session == "7-1-1" else "pre-training",
            }
            for session in SESSIONS
        ],
    }
    catalogue_folder().mkdir(parents=True)
    (catalogue_folder() / "ours.toml").write_text(tomli_w.dumps(tables))
    return place


@pytest.mark.parametrize("elsewhere", [False, True])
def test_by_name(elsewhere: bool, source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ours/8-1-1 is not on this disk yet: .*striate fetch ours 8-1-1"):
        striate.open("ours/8-1-1")
    striate.fetch("ours", ["8-1-1"], to=tmp_path / "elsewhere" if elsewhere else None, accept_licence=True)
    assert striate.open("ours/8-1-1").session == "8-1-1"
    assert striate.open(f"ours/{layout.archive_stem('8-1-1')}.zip").session == "8-1-1"
    with pytest.raises(InputError, match="ours/7-1-1 is not on this disk"):
        striate.open("ours/7-1-1")


def test_what_names_nothing(source: Path) -> None:
    with pytest.raises(InputError, match=r"ours is a dataset of 3 files: name one of them, such as ours/7-1-1"):
        striate.open("ours")
    with pytest.raises(InputError, match=r"has no recording or file '7-1-2': did you mean '7-1-1'"):
        striate.open("ours/7-1-2")
    with pytest.raises(InputError, match="There is no archive at theirs/7-1-1"):
        striate.open("theirs/7-1-1")


@pytest.mark.slow
def test_a_path_is_meant_as_a_path(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    striate.write(small_recording("5-1-1"), tmp_path / "ours" / "8-1-1")
    assert striate.open("ours/8-1-1").session == "5-1-1"


def test_several_by_one_name(source: Path) -> None:
    striate.fetch("ours", accept_licence=True)
    stems = [layout.archive_stem(session) for session in SESSIONS]
    assert [path.stem for path in locate_all(["ours"])] == stems
    assert [path.stem for path in locate_all(["ours/pre-training"])] == stems[1:]
    assert [path.stem for path in locate_all(["ours/[78]*", "ours/9-1-1"])] == stems
    assert [path.stem for path in locate_all([source / f"{stems[0]}.zip"])] == stems[:1]
    with pytest.raises(InputError, match="did you mean"):
        locate_all(["ours/7-1-2"])
    assert locate("ours/7-1-1") == locate_all(["ours/sensorium"])[0]


@pytest.mark.slow
def test_commands_take_names(source: Path) -> None:
    striate.fetch("ours", accept_licence=True)
    assert run_in_process("check", "ours/7-1-1").status == 0
    assert json.loads(run_in_process("info", "ours/7-1-1", "--json").out)["session"] == "7-1-1"
    assert (
        "ours/7-1-1" in run_in_process("catalog", "show", "ours").out
        or "3 of 3 files" in run_in_process("catalog", "show", "ours").out
    )
    assert_one_sentence(run_in_process("check", "ours/7-1-9"), "did you mean")


@pytest.mark.slow
def test_terms_stay_with_what_is_made(source: Path, tmp_path: Path) -> None:
    from striate.report import ReportData, write_report

    striate.fetch("ours", accept_licence=True)
    recording = striate.open("ours/8-1-1")
    by_hand = striate.open(source / f"{layout.archive_stem('7-1-1')}.zip")  # the same file, not fetched
    (entry,) = collect_citations([recording, by_hand, small_recording("6-1-1")])
    assert (entry["dataset"], entry["sessions"]) == ("ours", ["8-1-1", "7-1-1"])
    assert entry["licence"]["name"] == "CC BY 4.0"
    write_report(ReportData("A report", [], recording), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for part in ("CC BY 4.0", "Name us, please.", "We (2026), Three mice"):
        assert part in page
    settings = ["--set", "schedule.max_epochs=1", "--set", "data.image_size=[18,32]", "--set", "model.core.channels=4"]
    outcome = run_in_process("train", "cnn-small", "ours/pre-training", "--out", tmp_path / "run", *settings)
    assert outcome.status == 0, outcome.err
    facts = json.loads((tmp_path / "run" / "provenance.json").read_text())
    (data,) = facts["data"]
    assert data["citation"]["text"] == "We (2026), Three mice"
    assert data["sessions"] == ["8-1-1", "9-1-1"]


def test_a_recording_of_nobodys_dataset_has_no_credit() -> None:
    assert collect_citations([small_recording()]) == []
