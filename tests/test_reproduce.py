"""A published result is computed again, or what is missing for it is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import striate
from striate.errors import InputError
from striate.recordings import layout, write
from striate.reproduce import CNN_ALL_MICE, V1T, PublishedResult, PublishedTraining, reproduce, reproduce_training
from striate.training import Run
from tests.fixtures.command import assert_one_sentence, run_in_process
from tests.fixtures.recordings import small_recording
from tests.training.small import small_recipe

NEURONS = 12


def published_file(path: Path, session: str, neurons: int = NEURONS, channels: int = 8) -> Path:
    """Weights under the names that the baselines of 2022 were published with."""
    torch.manual_seed(0)
    state = {"core.features.layer0.conv.weight": torch.randn(channels, 1, 9, 9) / 9}
    for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
        state[f"core.features.layer0.norm.{name}"] = torch.full((channels,), value)
    state["core.features.layer0.norm.num_batches_tracked"] = torch.tensor(5)
    prefix = f"readout.{session}"
    state |= {
        f"{prefix}.sigma": torch.zeros(1, neurons, 2, 2),
        f"{prefix}._features": torch.randn(1, channels, 1, neurons),
        f"{prefix}.bias": torch.zeros(neurons),
        f"{prefix}.source_grid": torch.rand(neurons, 2) * 2 - 1,
        f"{prefix}.mu_transform.0.weight": torch.randn(30, 2),
        f"{prefix}.mu_transform.0.bias": torch.zeros(30),
        f"{prefix}.mu_transform.2.weight": torch.randn(2, 30) / 5,
        f"{prefix}.mu_transform.2.bias": torch.zeros(2),
    }
    torch.save(state, path)
    return path


@pytest.mark.slow
def test_what_is_at_hand_is_computed(tmp_path: Path) -> None:
    recording = small_recording("7-1-1", shape=(144, 256), training=10, test_images=6, repeats=4)
    write(recording, tmp_path / f"{layout.archive_stem('7-1-1')}.zip")
    weights = published_file(tmp_path / "weights.pth", "7-1-1")
    of_another = published_file(tmp_path / "other.pth", "8-1-1")
    claimed = PublishedResult("a test", "7-1-1", "test", {"single_trial_correlation": 0.5}, "nowhere", "its weights")
    outcome = reproduce(tmp_path, [of_another, weights], claimed)
    assert not outcome.missing
    assert not outcome.succeeded
    found = outcome.scores["single_trial_correlation"]
    assert np.isfinite(found)
    true = PublishedResult(
        "a test", "7-1-1", "test", {"single_trial_correlation": round(found, 3)}, "here", "its weights"
    )
    assert reproduce(tmp_path / f"{layout.archive_stem('7-1-1')}.zip", [weights], true).succeeded


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    weights = published_file(tmp_path / "weights.pth", "26872-17-20")
    outcome = run_in_process("reproduce", "--recordings", tmp_path, "--weights", weights)
    assert outcome.status == 3
    assert "21067-10-18" in outcome.out
    assert "weights.pth has a readout for 26872-17-20 only" in outcome.out
    assert run_in_process("reproduce").status == 3


def test_the_published_weights_lack_the_readout_of_the_first_row(shared: Path) -> None:
    outcome = reproduce(None, sorted((shared / "published").glob("*.pth")))
    assert len(outcome.missing) == 2
    assert not outcome.succeeded
    assert outcome.result == CNN_ALL_MICE


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"not weights")
    outcome = run_in_process("reproduce", "--weights", tmp_path / "weights.pth")
    assert outcome.status == 1
    assert "weights.pth" in outcome.err


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_a_folder_without_the_recording(tmp_path: Path, place: str) -> None:
    assert reproduce(tmp_path / place).missing[0].startswith("recording 21067-10-18")


def test_what_v1t_lacks_is_named(tmp_path: Path) -> None:
    outcome = run_in_process("reproduce", "v1t", "--recordings", tmp_path)
    assert outcome.status == 3
    for session in V1T.sessions:
        assert f"striate fetch sensorium2022 {session}" in outcome.out
    if not torch.cuda.is_available():
        assert "a GPU: V1T reads each image as 1,654 tokens" in outcome.out
    assert_one_sentence(
        run_in_process("reproduce", "v2t"), "no published result 'v2t' to reproduce: did you mean 'v1t'"
    )
    assert_one_sentence(run_in_process("reproduce", "v1t", "--weights", tmp_path), "takes no weights")


def test_a_training_is_scored_over_its_recordings_and_not_repeated(tmp_path: Path) -> None:
    sessions = ("7-1-1", "8-1-1")
    for seed, session in enumerate(sessions):
        recording = small_recording(session, seed=seed, training=24, test_images=3, repeats=2)
        write(recording, tmp_path / f"{layout.archive_stem(session)}.zip")
    result = PublishedTraining("a test", small_recipe(), sessions, "test", {"single_trial_correlation": 5.0}, "nowhere")
    outcome = reproduce_training(tmp_path, tmp_path / "run", result, progress=False)
    assert not outcome.missing
    assert not outcome.succeeded
    run = Run.open(tmp_path / "run")
    each = [score_of(run, tmp_path / f"{layout.archive_stem(session)}.zip") for session in sessions]
    assert outcome.scores["single_trial_correlation"] == pytest.approx(np.mean(each))
    before = run.provenance
    near = replace(result, scores={"single_trial_correlation": outcome.scores["single_trial_correlation"] + 0.004})
    assert reproduce_training(tmp_path, tmp_path / "run", near, progress=False).succeeded
    assert Run.open(tmp_path / "run").provenance == before, "a finished run is scored again, and not trained"
    with pytest.raises(InputError, match="another recipe or of other recordings"):
        reproduce_training(tmp_path, tmp_path / "run", replace(result, sessions=sessions[:1]), progress=False)


def score_of(run: Run, archive: Path) -> float:
    recording = striate.open(archive)
    predictions = striate.predict(run, recording, ["test"])
    found = striate.score(
        striate.Submission.from_array(recording, predictions.values, protocol=predictions.protocol, tiers=["test"]),
        recording,
    )
    return float(found.tiers["test"].single_trial_correlation.mean)
