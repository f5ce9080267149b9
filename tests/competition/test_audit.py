"""The audit: every planted leak is found, and a clean competition is clean."""

import json
import re
import shutil

import pytest
from tests.competition.examples import PASSPHRASE, TRACK, built, mice, mouse, play, small_rules
from tests.competition.planted import PLANTED, Plot

import striate
from striate.competition import LEAKS, Vault, audit
from striate.competition.manifest import Manifest
from striate.errors import InputError
from striate.recordings import write


@pytest.fixture
def plot(competition, tmp_path):
    shutil.copytree(competition.folder, tmp_path / "public")
    return Plot(tmp_path / "public", competition)


@pytest.fixture(scope="session")
def vault(competition):
    return Vault.read(competition.vault, PASSPHRASE)


def above_note(report):
    return [f"{finding.rule}: {finding}" for finding in report if finding.severity != "note"]


@pytest.mark.slow
def test_a_clean_competition_has_no_finding_above_note(competition, vault):
    for report in (audit(competition.folder), audit(competition.folder, vault)):
        assert not above_note(report)
        assert report.rules <= {"order-public", "live-images-in-pretraining", "order-from-drift", "split"}
    assert {"order-public", "live-images-in-pretraining", "order-from-drift"} <= report.rules


@pytest.mark.slow
def test_a_commitment_is_no_seed_whatever_its_hash_begins_with(plot, vault):
    for first in "05af":
        document = {"digests": {"seed": first + "1234567890abcdef" * 4}}
        (plot.folder / "commitment.json").write_text(json.dumps(document))
        assert "seed-in-provenance" not in audit(plot.folder, vault).rules


@pytest.mark.slow
def test_a_competition_that_goes_on_is_as_clean_as_before(competition, vault, tmp_path):
    game = play(competition, tmp_path)
    game.submit("Alpha", 0.5)
    assert not above_note(audit(game.folder, vault))


def test_at_least_eighteen_kinds_are_planted():
    assert len({rule for _, rule, _ in PLANTED.values()}) >= 18
    assert {rule for _, rule, _ in PLANTED.values()} <= set(LEAKS)


# One kind for each principle: names, times, images and zips. All others are slow.
FAST = {
    "MD5 of numbers",
    "presentation times",
    "a test image, shifted",
    "clocks in the zip",
    "a test image in training",
}


def test_the_fast_kinds_are_planted():
    assert set(PLANTED) >= FAST


def kinds():
    """Each planted kind; those that are not among the fast ones are marked as slow."""
    for kind in PLANTED:
        yield pytest.param(kind, marks=[] if kind in FAST else [pytest.mark.slow])


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("kind", list(kinds()))
def test_a_planted_leak_is_found(kind, plot, vault):
    plant, rule, outside = PLANTED[kind]
    plant(plot)
    if rule != "changed-file":
        relist(plot)
    report = audit(plot.folder, None if outside else vault)
    found = [finding for finding in report if finding.rule == rule and finding.severity != "note"]
    assert found, [f"{f.rule} {f}" for f in report]
    assert all(finding.message and finding.fix and finding.file for finding in found)


def relist(plot):
    if all((plot.folder / file.path).is_file() for file in Manifest.read(plot.folder).files):
        plot.relist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "mention"),
    [
        ("MD5 of numbers", "md5 of a number as text"),
        ("a salted hash", "behind the word '11-1-1_'"),
        ("a guessable key", "HMAC-SHA256 of a number with the key 'sensorium2022'"),
        ("presentation times", "10:"),
        ("statistics over all trials", "those of all trials, withheld ones included"),
        ("repeat numbers", "tells the repeats"),
        ("clocks in the zip", "follow the order of the trials"),
        ("a simulation from a small seed", "seed 321"),
        ("a test image, shifted", "shifted by 9 pixels (correlation 0.99 over"),
        ("a test image, mirrored", "mirrored left to right (correlation 1.00 over"),
        ("a former version in the zip", "bytes that belong to none"),
    ],
)
def test_evidence_says_what_an_attacker_would_do(kind, mention, plot, vault):
    PLANTED[kind][0](plot)
    plot.relist()
    said = " ".join(f.message for f in audit(plot.folder, vault) if f.rule == PLANTED[kind][1])
    assert mention in said


@pytest.mark.slow
def test_what_is_not_declared_is_a_warning(tmp_path):
    made = built(tmp_path, small_rules(declared=[]))
    report = audit(made.folder, Vault.read(made.vault, PASSPHRASE))
    assert report.ok
    assert {f.rule for f in report if f.severity == "warning"} == {
        "order-public",
        "live-images-in-pretraining",
        "order-from-drift",
    }


@pytest.mark.slow
def test_an_archive_of_2022_with_its_presentation_times_is_found(tmp_path):
    """Tests zeroed, names hashed with a key, but the clock left in, as it happened; and no rules at all."""
    public = striate.open(
        built(tmp_path, small_rules("own"), [mouse(TRACK, live=8)]).folder / "archives" / archive_name()
    )
    clock = [f"Timestamp('2021-06-01 11:{i % 60:02d}:00')" for i in range(len(public.trials))]
    leaky = striate.Recording(
        TRACK, public.neurons, public.trials.assign(frame_trial_ts=clock), **public.arrays, statistics=public.statistics
    )
    (tmp_path / "as-in-2022").mkdir()
    archive = write(leaky, tmp_path / "as-in-2022")
    for place in (archive, archive.parent):
        assert "trial-time" in {f.rule for f in audit(place) if f.severity == "error"}


def archive_name():
    from striate.recordings.layout import archive_stem

    return f"{archive_stem(TRACK)}.zip"


@pytest.mark.slow
def test_presentation_times_as_datetime64_are_an_error(shared):
    report = audit(shared / "cases" / "times-as-datetime64.zip")
    (found,) = [finding for finding in report if finding.rule == "trial-time"]
    assert found.severity == "error"
    assert found.file.endswith("frame_trial_ts.npy")


def test_a_folder_of_archives_that_nobody_withheld_anything_of_leaks_nothing_by_being_full(tmp_path):
    for number, recording in enumerate(mice()[2:]):
        write(recording, tmp_path / f"{number}.zip")
    assert "withheld-responses" not in audit(tmp_path).rules


@pytest.mark.slow
def test_a_broken_archive_is_a_finding(plot):
    plot.archive().write_bytes(plot.archive().read_bytes()[:5000])
    assert "unreadable-archive" in {f.rule for f in audit(plot.folder) if f.severity == "error"}


@pytest.mark.slow
def test_drift_is_reported_with_its_interval(competition, vault):
    said = {f.file: f.message for f in audit(competition.folder, vault) if f.rule == "order-from-drift"}
    assert len(said) == 2
    (plus,) = [message for file, message in said.items() if "12-1-1" in file]
    assert re.search(r"r = 0\.[3-9]\d \[0\.\d\d, 0\.\d\d\].*of the variance of the order", plus)
    outside = [f for f in audit(competition.folder) if f.rule == "order-from-drift"]
    assert "expect the same" in outside[0].message


def test_nothing_to_audit_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="nothing at"):
        audit(tmp_path / "none")


def test_a_vault_of_another_competition_is_refused(competition, tmp_path):
    other = built(tmp_path, small_rules("own"), [mouse(TRACK, live=8)])
    with pytest.raises(InputError, match=r"'sensorium-2022'.*take the vault that was built with it"):
        audit(other.folder, Vault.read(competition.vault, PASSPHRASE))


def test_a_report_is_json(competition):
    document = json.loads(audit(competition.folder).to_json())
    assert document["ok"] is True
    assert all(finding["rule"] in LEAKS for finding in document["findings"])
