"""A report of runs and submissions as they lie on disk, in Python and as a command."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording
from tests.training.small import TABLES

import striate
from striate.cli.report import parse_models
from striate.data import Standardisation
from striate.errors import InputError, WithheldError
from striate.recordings import Recording
from striate.report import collect_report_data, write_report
from striate.submissions import Submission, Truth
from striate.training import Run


@pytest.fixture(scope="module")
def mouse() -> Recording:
    return small_recording(final_images=4)


@pytest.fixture(scope="module")
def place(mouse: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, the same withheld and its truth, two submissions, and a finished run."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "quick.toml").write_text(tomli_w.dumps(TABLES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIATE_CACHE", str(folder / "cache"))
        striate.write(mouse, folder / "mouse.zip")
        striate.write(small_recording(final_images=4, withhold=True), folder / "withheld.zip")
        Truth.from_recording(mouse).write(folder / "truth.parquet")
        for name, share in (("weak", 0.2), ("strong", 0.9)):
            guess(mouse, share).write(folder / f"{name}.parquet")
        done = run_in_process("train", folder / "quick.toml", folder / "mouse.zip", "--out", folder / "run")
        assert done.status == 0, done.err
    return folder


def guess(recording: Recording, share: float) -> Submission:
    """Part measured, part noise."""
    rows = np.concatenate([recording.rows(tier) for tier in ("test", "final_test")])
    measured = Standardisation.from_recording(recording).responses(recording.responses[rows])
    noise = np.random.default_rng(0).gamma(2.0, 0.5, measured.shape)
    return Submission.from_array(recording, share * measured + (1 - share) * noise, protocol="image")


def test_models_are_set_in_order_whatever_order_they_are_given_in(mouse: Recording, place: Path) -> None:
    given = {"strong": place / "strong.parquet", "weak": guess(mouse, 0.2), "network": Run.open(place / "run")}
    found = collect_report_data(mouse, given, bootstrap=20)
    means = [each.scorecard.tiers["test"].correlation_to_average.mean for each in found.models]
    assert means == sorted(means)
    assert found.models[-1].name == "strong"
    assert found.positions is None, "nobody knows where a submission looks"
    assert list(found.histories) == ["network"]
    assert [(each.worse, each.better) for each in found.differences if each.tier == "test"] == [
        (found.models[0].name, found.models[1].name),
        (found.models[1].name, "strong"),
    ]
    assert "show the best one, strong" in found.summary[0]
    assert list(found.provenance) == [each.name for each in found.models]


def test_of_a_run_that_is_the_strongest_it_is_shown_where_it_looks(mouse: Recording, place: Path) -> None:
    found = collect_report_data(mouse, {"network": place / "run"}, bootstrap=0)
    assert found.positions is not None
    assert found.positions.shape == (len(mouse.neurons), 2)
    assert found.unit_ids is not None
    np.testing.assert_array_equal(found.unit_ids, mouse.unit_ids)
    assert found.differences == ()


def test_what_is_withheld_needs_a_truth(mouse: Recording, place: Path) -> None:
    withheld = small_recording(final_images=4, withhold=True)
    with pytest.raises(WithheldError):
        collect_report_data(withheld, {"weak": place / "weak.parquet"}, bootstrap=0)
    scored = collect_report_data(
        withheld, {"weak": place / "weak.parquet"}, truth=Truth.from_recording(mouse), bootstrap=0
    )
    known = collect_report_data(mouse, {"weak": place / "weak.parquet"}, bootstrap=0)
    assert scored.models[0].scorecard.tiers == known.models[0].scorecard.tiers


def test_what_does_not_fit_is_refused(mouse: Recording, place: Path) -> None:
    with pytest.raises(InputError, match="needs a model"):
        collect_report_data(mouse, {})
    other = small_recording("8-1-1", final_images=4, seed=2)
    with pytest.raises(InputError, match="for recording 7-1-1, but the report is about 8-1-1"):
        collect_report_data(other, {"weak": guess(mouse, 0.2)}, bootstrap=0)
    with pytest.raises(InputError, match="was not trained on recording 8-1-1"):
        collect_report_data(other, {"network": place / "run"}, bootstrap=0)


@pytest.mark.slow
def test_the_command_writes_the_page_and_prints_the_scores(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    models = (place / "strong.parquet", f"my network={place / 'run'}")
    given = ("report", *models, place / "mouse.zip", "--out", page, "--bootstrap", 50)
    done = run_in_process(*given)
    assert done.status == 0, done.err
    text = page.read_text()
    assert re.findall(r"<h1>(.*?)</h1>", text) == ["7-1-1, predicted"]
    assert text.index(">my network<") < text.index(">strong<")
    for tier in ("test", "final_test"):
        assert f"Tier {tier}" in done.out
    assert "strong − my" in done.out
    assert_one_sentence(run_in_process(*given), "--overwrite")
    assert run_in_process(*given, "--overwrite", "--title", "A mouse").status == 0
    assert "<h1>A mouse</h1>" in page.read_text()


@pytest.mark.slow
def test_the_command_refuses_in_one_sentence(place: Path, tmp_path: Path) -> None:
    out, archive = ("--out", tmp_path / "report.html"), place / "mouse.zip"
    weak = place / "weak.parquet"
    assert_one_sentence(run_in_process("report", weak, weak, archive, *out), "'weak'", "NAME=PATH")
    assert_one_sentence(run_in_process("report", tmp_path / "none", archive, *out), "does not exist")
    assert_one_sentence(run_in_process("report", weak, place / "withheld.zip", *out), "withh", "--truth")
    assert_one_sentence(run_in_process("report", weak, archive, *out, "--bootstrap", 3), "at least 20")
    truth = ("--truth", place / "truth.parquet")
    assert run_in_process("report", weak, place / "withheld.zip", *truth, *out, "--bootstrap", 0).status == 0


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/lr0.002-s0", "runs/lr0.002-s1"], ["lr0.002-s0", "lr0.002-s1"]),
        (["a/v1.5.parquet", "b/v1.6.PQ", "c/v1.7.csv"], ["v1.5", "v1.6", "v1.7"]),
        (["runs/2022.", "runs/.hidden/"], ["2022.", ".hidden"]),
        (["new=runs/a.b"], ["new"]),
    ],
)
def test_names_keep_what_stands_behind_a_dot(paths: list[str], names: list[str]) -> None:
    assert list(parse_models(paths)) == names


@pytest.mark.slow
def test_a_report_of_folders_with_dots(place: Path, tmp_path: Path) -> None:
    for name in ("lr0.002-s0", "lr0.002-s1"):
        shutil.copytree(place / "run", tmp_path / name)
    models = (tmp_path / "lr0.002-s0", tmp_path / "lr0.002-s1")
    page = tmp_path / "report.html"
    done = run_in_process("report", *models, place / "mouse.zip", "--out", page, "--bootstrap", 0)
    assert done.status == 0, done.err
    assert "lr0.002-s0" in page.read_text()
    assert "lr0.002-s1" in page.read_text()


@pytest.mark.slow
def test_models_of_different_protocols_share_no_table_and_no_difference(
    mouse: Recording, place: Path, tmp_path: Path
) -> None:
    seeing = {
        name: replace(guess(mouse, share), protocol=protocol)
        for name, share, protocol in (
            ("a", 0.9, "image"),
            ("b", 0.5, "image + behaviour"),
            ("c", 0.2, "image"),
            ("d", 0.3, "image + behaviour"),
            ("e", 0.4, None),
        )
    }
    found = collect_report_data(mouse, seeing, bootstrap=20)
    assert [each.name for each in found.models] == ["c", "a", "d", "b", "e"]
    assert {(each.better, each.worse) for each in found.differences} == {("a", "c"), ("b", "d")}
    assert "not compared with each other" in found.summary[0]
    write_report(found, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    titled = re.split(r"<h2>(.*?)</h2>", text)
    sections = dict(zip(titled[1::2], titled[2::2], strict=True))
    for protocol, names in (
        ("protocol image", "ac"),
        ("protocol image + behaviour", "bd"),
        ("protocol not stated", "e"),
    ):
        section = sections[f"Scores: live test, {protocol}"]
        rows = re.findall(r"<tr[^>]*><t[hd][^>]*>([a-e])</t", section)
        assert set(rows) == set(names)
        assert ("sees behaviour can exceed" in section) is (protocol != "protocol image")
        assert f"Scores against their ceiling, {protocol}" in sections


@pytest.mark.slow
def test_the_command_prints_a_table_for_each_protocol(mouse: Recording, place: Path, tmp_path: Path) -> None:
    replace(guess(mouse, 0.5), protocol="image + behaviour").write(tmp_path / "behaving.parquet")
    done = run_in_process(
        "report", place / "strong.parquet", tmp_path / "behaving.parquet", place / "mouse.zip",
        "--out", tmp_path / "report.html", "--bootstrap", "20",
    )  # fmt: skip
    assert done.status == 0, done.err
    said = " ".join(done.out.split())
    assert "Tier test, protocol image:" in said
    assert "Tier test, protocol image + behaviour:" in said
    assert "(paired)" not in said
    assert "[95 % interval over images]" in said


@pytest.mark.slow
def test_the_tables_of_a_report_fit_80_columns(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside each other where there is room, below each other where there is not; no number is broken."""
    said = {}
    for columns in (80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        models = (f"constant={place / 'weak.parquet'}", f"LN={place / 'strong.parquet'}")
        out = tmp_path / f"{columns}.html"
        done = run_in_process("report", *models, place / "mouse.zip", "--out", out, "--bootstrap", 20)
        assert done.status == 0, done.err
        said[columns] = done.out
        tables = [line for line in done.out.splitlines() if line.startswith(("┃", "│"))]
        assert tables
        assert max(map(len, tables)) <= columns
    intervals = {columns: re.findall(r"\[-?\+?\d\.\d{3}, -?\+?\d\.\d{3}\]", text) for columns, text in said.items()}
    assert sorted(intervals[80]) == sorted(intervals[200])
    assert len(intervals[80]) >= 8


def test_a_recording_that_was_forgotten_is_asked_for(place: Path) -> None:
    done = run_in_process("report", place / "weak.parquet", place / "run", "--out", place / "forgotten.html")
    assert_one_sentence(done, "is a run, but must be a recording")
    assert not (place / "forgotten.html").exists()
