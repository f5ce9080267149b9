"""Each rule finds its violations, and valid recordings have only notes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.archives import Members, array_of, members_of, replace, write_zip
from tests.fixtures.command import run_in_process
from tests.fixtures.recordings import small_recording
from tests.recordings.test_broken_archives import CASES

import striate
from striate.data.standardisation import Standardisation
from striate.errors import InputError
from striate.recordings import RULES, Recording, check, write

WIDE = {"neurons": 60, "training": 12, "validation": 3, "test_images": 2, "repeats": 3, "final_images": 2}


def test_valid_recording_has_only_notes(tmp_path: Path, recording: Recording) -> None:
    report = check(write(recording, tmp_path / "static7-1-1-x.zip"))
    assert report.rules == {"ragged-repeats"}


def test_competition_recording_has_only_notes(tmp_path: Path) -> None:
    made = small_recording("8-1-1", final_images=4, withhold=True, without_behavior=True)
    made.trials["trial_idx"] = [f"{i:032x}" for i in made.trials["trial_idx"]]
    report = check(write(made, tmp_path / "static8-1-1-x.zip"))
    assert report.rules == {"ragged-repeats", "withheld-tier", "zeroed-behavior", "zeroed-pupil-center"}
    assert {f.severity for f in report} == {"note"}


def negative(made: Recording) -> None:
    made.responses[5, 1] = -0.5


def infinite(made: Recording) -> None:
    made.behavior[4, 2] = np.inf


def too_bright(made: Recording) -> None:
    made.images = made.images.astype(np.float32)
    made.images[7, 0, 0, 0] = 300


def partly_withheld(made: Recording) -> None:
    made.responses[made.rows("test")[1:]] = 0


def open_though_hidden(made: Recording) -> None:
    made.trials["trial_idx"] = [f"{i:032x}" for i in made.trials["trial_idx"]]


def no_training_responses(made: Recording) -> None:
    made.responses[made.rows("train")] = 0


def silent_neuron(made: Recording) -> None:
    made.responses[:, 7] = 0


def integers_though_withheld(made: Recording) -> None:
    made.responses[np.isin(made.trials["tier"], ("test", "final_test"))] = 0


def clock_though_withheld(made: Recording) -> None:
    integers_though_withheld(made)
    open_though_hidden(made)
    made.trials["frame_trial_ts"] = [f"Timestamp('2021-06-01 10:{i:02}:00')" for i in range(len(made.trials))]


def counter_though_withheld(made: Recording) -> None:
    integers_though_withheld(made)
    open_though_hidden(made)
    made.trials["presentation"] = np.arange(len(made.trials))


def same_image_in_test_and_training(made: Recording) -> None:
    made.images[made.rows("train")[0]] = made.images[made.rows("test")[0]]


def same_image_in_live_and_final(made: Recording) -> None:
    live, final = made.rows("test")[0], made.rows("final_test")[0]
    made.images[final] = made.images[live]


def same_image_in_training_and_validation(made: Recording) -> None:
    made.images[made.rows("train")[0]] = made.images[made.rows("validation")[0]]


def one_id_two_images(made: Recording) -> None:
    made.images[made.rows("test")[0], 0, 0] ^= 1


def never_repeated(made: Recording) -> None:
    tests = made.rows("test")
    made.trials.loc[tests, "image_id"] = np.arange(5000, 5000 + len(tests))
    made.images[tests, 0, 0, 0] = np.arange(len(tests))


def no_validation(made: Recording) -> None:
    made.trials.loc[made.rows("validation"), "tier"] = "train"


def behavior_half_zeroed(made: Recording) -> None:
    made.behavior[: len(made.behavior) // 2] = 0


def of_another_animal(made: Recording) -> None:
    made.neurons["animal_id"] = 99


# rule: (what makes a breach, severity)
BREACHES: dict[str, list[tuple[Callable[[Recording], None], str]]] = {
    "negative-responses": [(negative, "error")],
    "non-finite": [(infinite, "error")],
    "image-range": [(too_bright, "warning")],
    "withheld-not-zero": [(partly_withheld, "error"), (open_though_hidden, "warning")],
    "withheld-training": [(no_training_responses, "error")],
    "silent-neurons": [(silent_neuron, "warning")],
    "trial-order": [
        (integers_though_withheld, "warning"),
        (clock_though_withheld, "warning"),
        (counter_though_withheld, "warning"),
    ],
    "image-across-tiers": [(same_image_in_test_and_training, "error"), (same_image_in_live_and_final, "error")],
    "image-in-training-and-validation": [(same_image_in_training_and_validation, "warning")],
    "one-id-one-image": [(same_image_in_training_and_validation, "warning")],
    "one-image-one-id": [(one_id_two_images, "error")],
    "no-repeats": [(never_repeated, "warning")],
    "missing-tier": [(no_validation, "warning")],
    "zeroed-behavior": [(behavior_half_zeroed, "warning")],
    "session-name": [(of_another_animal, "warning")],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "breach", "severity"), [(rule, *case) for rule, cases in BREACHES.items() for case in cases]
)
def test_violation_is_found(rule: str, breach: Callable[[Recording], None], severity: str, tmp_path: Path) -> None:
    made = small_recording(**WIDE)  # type: ignore[arg-type]
    breach(made)
    report = check(write(made, tmp_path / "static7-1-1-x.zip"))
    found = [f for f in report if f.rule == rule]
    assert found
    assert found[0].severity == severity
    assert report.ok == (severity != "error" and not report.with_severity("error"))


def wrong_statistics(files: Members) -> None:
    name = "meta/statistics/responses/all/std.npy"
    replace(files, name, array_of(files, name) * 1.1)


def no_statistics(files: Members) -> None:
    for name in list(files):
        if name.startswith("meta/statistics/behavior/"):
            files.pop(name)


def no_area(files: Members) -> None:
    files.pop("meta/neurons/area.npy")


def further_fields(files: Members) -> None:
    replace(files, "meta/trials/animal_state.npy", np.zeros(len(array_of(files, "meta/trials/tiers.npy"))))


def further_variable(files: Members) -> None:
    replace(files, "data/licks/0.npy", np.zeros(3))


def short_extra_field(files: Members) -> None:
    replace(files, "meta/trials/scores.npy", np.zeros(3))


def second_tier_field(files: Members) -> None:
    files["meta/trials/tier.npy"] = files["meta/trials/tiers.npy"]


def odd_file(files: Members) -> None:
    files["data/images/first.npy"] = files["data/images/0.npy"]


def pickled_extra_field(files: Members) -> None:
    files["meta/trials/notes.npy"] = b"\x80\x04]."


def no_benchmark(files: Members) -> None:
    files["meta/benchmark.toml"] = b"name = 'plain'\nchannels = 2\n"


FILE_BREACHES: dict[str, tuple[Callable[[Members], None], str]] = {
    "statistics-disagree": (wrong_statistics, "warning"),
    "missing-statistics": (no_statistics, "warning"),
    "missing-field": (no_area, "warning"),
    "unknown-field": (further_fields, "note"),
    "unknown-variable": (further_variable, "note"),
    "table-length": (short_extra_field, "note"),
    "unrelated-file": (odd_file, "note"),
    "unreadable-field": (pickled_extra_field, "warning"),
    "doubled-field": (second_tier_field, "error"),
    "benchmark": (no_benchmark, "error"),
}


@pytest.mark.slow
@pytest.mark.parametrize("rule", FILE_BREACHES)
def test_violation_in_files_is_found(rule: str, tmp_path: Path) -> None:
    change, severity = FILE_BREACHES[rule]
    files = members_of(small_recording())
    change(files)
    report = check(write_zip(tmp_path / "static7-1-1-x.zip", files))
    found = [f for f in report if f.rule == rule]
    assert found
    assert found[0].severity == severity
    assert report.ok == (severity != "error")


def test_statistics_over_all_trials_are_recognised(tmp_path: Path) -> None:
    made = small_recording(training=40, test_images=10, repeats=8)
    made.responses[made.rows("test")] *= 3
    files = members_of(made)
    replace(files, "meta/statistics/responses/all/mean.npy", made.responses.mean(0))
    replace(files, "meta/statistics/responses/all/std.npy", made.responses.std(0))
    (finding,) = (f for f in check(write_zip(tmp_path / "static7-1-1-x.zip", files)) if f.rule == "statistics-disagree")
    assert "agree with all" in finding.message


def test_every_rule_has_a_test() -> None:
    tested = set(BREACHES) | set(FILE_BREACHES) | {rule for _, rule, _ in CASES.values()}
    elsewhere = {"ragged-repeats", "withheld-tier", "zeroed-pupil-center", "overlapping-members"}
    assert set(RULES) <= tested | elsewhere


def test_overlapping_members_are_found(tmp_path: Path) -> None:
    """A quoting zip bomb: many entries of the directory share one member's bytes."""
    import struct

    path = write_zip(tmp_path / "x.zip", members_of(small_recording()))
    data = bytearray(path.read_bytes())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    offset = struct.unpack("<I", data[first + 42 : first + 46])[0]
    data[second + 42 : second + 46] = struct.pack("<I", offset + 8)
    path.write_bytes(data)
    assert "overlapping-members" in check(path).rules


def test_command_prints_text_or_json(tmp_path: Path, recording: Recording) -> None:
    path = write(recording, tmp_path / "static7-1-1-x.zip")
    outcome = run_in_process("check", path, "--json")
    assert outcome.status == 0
    document = json.loads(outcome.out)
    assert document["ok"]
    assert document["counts"] == {"error": 0, "warning": 0, "note": 1}
    assert document["findings"][0]["rule"] == "ragged-repeats"
    outcome = run_in_process("check", path, "--rules")
    assert "path-traversal" in outcome.out
    assert "valid" in outcome.out


@pytest.mark.slow
def test_shared_archives_have_the_expected_findings(shared: Path) -> None:
    expected = {
        "90001-1-1": {"ragged-repeats"},
        "90002-1-1": {"ragged-repeats", "withheld-tier", "zeroed-behavior", "zeroed-pupil-center"},
    }
    for session, rules in expected.items():
        (path,) = (shared / "archives").glob(f"static{session}-*.zip")
        report = check(path)
        assert report.ok
        assert report.rules == rules


def test_rules_are_listed_without_an_archive() -> None:
    listed = run_in_process("check", "--rules")
    assert listed.status == 0
    assert all(rule in listed.out for rule in RULES)
    assert run_in_process("check").status == 1


def test_folder_of_archives_is_refused_with_a_hint(tmp_path: Path, recording: Recording) -> None:
    write(recording, tmp_path / "static7-1-1-x.zip")
    (finding,) = [one for one in check(tmp_path) if one.rule == "no-recording"]
    assert "holds 1 zip: static7-1-1-x.zip" in finding.message
    assert finding.fix == "Give one of them."


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("variable", ["images", "responses", "behavior", "pupil_center"])
def test_check_and_training_agree_on_stored_standard_deviations(variable: str, value: float, tmp_path: Path) -> None:
    files = members_of(small_recording())
    name = f"meta/statistics/{variable}/all/std.npy"
    std = array_of(files, name)
    std[... if std.ndim == 0 else 1] = value
    replace(files, name, std)
    path = write_zip(tmp_path / "static7-1-1-x.zip", files)
    (finding,) = check(path).with_severity("error")
    assert (finding.rule, finding.file) == ("non-finite", name)
    if not np.isfinite(value):
        opened = striate.open(path)
        with pytest.raises(InputError, match="NaN or infinity"):
            standardisation = Standardisation.from_recording(opened)
            standardisation.behavior(opened.behavior)
            standardisation.pupil_center(opened.pupil_center)


def test_zero_standard_deviations_are_found(tmp_path: Path) -> None:
    files = members_of(small_recording())
    name = "meta/statistics/responses/all/std.npy"
    replace(files, name, np.zeros_like(array_of(files, name)))
    (finding,) = check(write_zip(tmp_path / "static7-1-1-x.zip", files)).with_severity("error")
    assert finding.file == name


def test_statistics_of_withheld_variables_are_not_checked(tmp_path: Path) -> None:
    files = members_of(small_recording(without_behavior=True))
    for statistic in ("mean", "std"):
        replace(files, f"meta/statistics/behavior/all/{statistic}.npy", np.full(3, np.nan))
    report = check(write_zip(tmp_path / "static7-1-1-x.zip", files))
    assert report.ok
    assert "non-finite" in report.rules


@pytest.mark.parametrize(
    ("tier", "advice"),
    [("test", "Not needed for training"), ("validation", "training needs it"), ("train", "training needs it")],
)
def test_finding_of_a_missing_tier_says_what_needs_it(tier: str, advice: str, tmp_path: Path) -> None:
    made = small_recording()
    made.trials.loc[made.rows(tier), "tier"] = "final_test"
    (finding,) = (f for f in check(write(made, tmp_path / "static7-1-1-x.zip")) if f.rule == "missing-tier")
    assert advice in finding.fix
    assert "training needs it" not in finding.fix or tier != "test"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("neurons/unit_ids", np.arange(12, dtype=np.uint64) + 2**63),
        ("neurons/unit_ids", np.arange(12) * 2.0**60),
        ("neurons/unit_ids", np.arange(12) + 0.5),
        ("trials/trial_idx", np.arange(66, dtype=np.uint64) + 2**63),
        ("trials/frame_image_id", np.full(66, 1e300)),
    ],
)
def test_ids_that_do_not_fit_int64_are_refused(field: str, values: Any, tmp_path: Path) -> None:
    files = members_of(small_recording())
    replace(files, f"meta/{field}.npy", values)
    path = write_zip(tmp_path / "static7-1-1-x.zip", files)
    assert [f.file for f in check(path).with_severity("error")] == [f"meta/{field}.npy"]
    with pytest.raises(InputError, match="are whole numbers; got"):
        striate.open(path)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_fields_of_any_float_type_are_read(dtype: type, tmp_path: Path) -> None:
    files = members_of(small_recording())
    replace(files, "meta/neurons/depth.npy", np.arange(12).astype(dtype))
    replace(files, "meta/trials/depth.npy", np.arange(66).astype(dtype))
    for trial in range(66):
        replace(files, f"data/responses/{trial}.npy", array_of(files, f"data/responses/{trial}.npy").astype(dtype))
        image = array_of(files, f"data/images/{trial}.npy").astype(dtype)
        replace(files, f"data/images/{trial}.npy", image[0, :, :, None])  # channels last
    path = write_zip(tmp_path / "static7-1-1-x.zip", files)
    opened = striate.open(path)
    assert opened.neurons["depth"].tolist() == list(range(12))
    assert opened.trials["depth"].tolist() == list(range(66))
    assert np.array_equal(opened.images, small_recording().images)
    assert check(path).with_severity("error") == []
    assert striate.open(striate.write(opened, tmp_path / "again.zip")).fingerprint == opened.fingerprint
