"""Simulations of another benchmark than SENSORIUM 2022."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fixtures.command import run_in_process
from tests.fixtures.recordings import COLOUR_MICE

import striate
from striate.benchmarks import BenchmarkSpec, load_benchmark
from striate.errors import InputError
from striate.recordings import check
from striate.simulate import (
    PopulationSettings,
    RecordingSettings,
    SimulatedTruth,
    Simulation,
    benchmark,
    oracle_scores,
    population,
)

SMALL: dict[str, Any] = {"train": 20, "validation": 6, "test_images": 4, "final_images": 3, "repeats": 3}
SPEC = load_benchmark(COLOUR_MICE)


def simulated(**settings: Any) -> Simulation:
    return striate.simulate(benchmark=COLOUR_MICE, neurons=6, seed=1, **{**SMALL, **settings})


@pytest.fixture(scope="module")
def still() -> Simulation:
    return simulated(track="still")


def test_a_recording_is_one_of_the_benchmark(still: Simulation, tmp_path: Path) -> None:
    recording = still.recording
    assert recording.benchmark == SPEC
    assert recording.session == "mouse_a"
    assert recording.tiers == ("fit", "stop", "seen", "unseen", "gratings")
    assert recording.images.shape[1:] == (2, 32, 48)
    assert recording.withheld_tiers == {"seen", "unseen"}, "the tiers that decide a board"
    assert recording.behavior_withheld
    assert recording.pupil_center_withheld
    assert still.truth.behavior.shape == (len(recording.trials), 5)
    assert check(striate.write(recording, tmp_path / "a.zip")).ok


def test_the_truth_is_written_and_reveals_what_is_withheld(still: Simulation, tmp_path: Path) -> None:
    truth = SimulatedTruth.read(still.truth.write(tmp_path / "truth.npz"))
    full = truth.reveal(still.recording)
    assert full.benchmark == SPEC
    assert not full.withheld_tiers
    assert not full.behavior_withheld
    assert np.array_equal(full.behavior, still.truth.behavior)


@pytest.mark.slow
def test_responses_depend_on_every_channel_and_every_behaviour() -> None:
    mouse = population(PopulationSettings(neurons=30), seed=1, session="mouse_a", image_shape=(32, 48), benchmark=SPEC)
    recording = simulated().recording
    images, behavior, eye = recording.images[:6], recording.behavior[:6], recording.pupil_center[:6]
    expected = mouse.expected(images, behavior, eye)
    preferred = mouse.neurons["channel"].to_numpy()
    assert set(preferred) == {0, 1}
    effects = []
    for channel in range(2):
        changed = images.copy()
        changed[:, channel] = np.roll(changed[:, channel], 1, axis=0)
        effects.append(np.abs(mouse.expected(changed, behavior, eye) / expected - 1).mean(0))
    assert (np.array(effects) > 0).all()
    own, other = np.choose(preferred, effects), np.choose(1 - preferred, effects)
    assert (own > other).mean() > 0.8
    for variable in range(5):
        changed = behavior.copy()
        changed[:, variable] += 1
        assert (mouse.expected(images, changed, eye) != expected).any(axis=0).mean() > 0.9
    assert (mouse.expected(images, behavior, eye + 5) != expected).any()


@pytest.mark.slow
def test_the_oracle_scores_the_live_tier() -> None:
    simulation = simulated(track="moving")
    default = oracle_scores(simulation.truth, simulation.recording)
    live = oracle_scores(simulation.truth, simulation.recording, "seen")
    assert np.array_equal(default.single_trial_correlation, live.single_trial_correlation)


@pytest.mark.slow
def test_ranges_and_missing_variables_are_those_of_the_benchmark() -> None:
    spec = BenchmarkSpec(name="bare", stimulus={"range": (-1, 1)}, sessions={"pattern": "m{number}", "example": "m7"})
    simulation = striate.simulate(benchmark=spec, neurons=4, seed=1, image_shape=(16, 24), **SMALL)
    recording = simulation.recording
    assert recording.session == "m7"
    assert -1 <= recording.images.min() < 0 < recording.images.max() <= 1
    assert recording.behavior.shape[1] == recording.pupil_center.shape[1] == 0
    assert (recording.responses[recording.rows("train")] > 0).any()
    assert not simulation.truth.gaze.any()
    assert check(recording).ok


@pytest.mark.slow
def test_several_mice_share_test_images_and_have_names_of_the_pattern() -> None:
    mice = list(
        benchmark(
            pretraining=1,
            neurons=PopulationSettings(neurons=3),
            settings=RecordingSettings(benchmark=COLOUR_MICE, **SMALL),
            seed=2,
        )
    )
    assert [one.recording.session for one in mice] == ["mouse_a", "mouse_b", "mouse_c"]
    assert [one.truth.track for one in mice] == ["still", "moving", None]
    assert "unseen" not in mice[2].recording.tiers
    for tier in ("seen", "gratings"):
        shown = [set(one.recording.trials["image_id"][one.recording.rows(tier)]) for one in mice]
        assert shown[0] == shown[1] == shown[2]
    ids = [mice[0].recording.trials["image_id"][mice[0].recording.rows(tier)] for tier in SPEC.test_tiers]
    assert len(set(np.concatenate(ids))) == 4 + 3 + 4, "tiers share no image"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"session": "1-1-1"}, "does not match the pattern of benchmark colour-mice"),
        ({"image_shape": (36, 64)}, "those of benchmark colour-mice have 32×48"),
        ({"track": "sensorium"}, "There is no track 'sensorium': .*still, moving"),
        ({"benchmark": "colour-mic"}, "There is no benchmark 'colour-mic'"),
    ],
)
def test_settings_that_do_not_fit_the_benchmark_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RecordingSettings(**{"benchmark": COLOUR_MICE, **settings})


def test_neurons_of_another_benchmark_are_refused() -> None:
    mouse = population(PopulationSettings(neurons=2), seed=1, image_shape=(32, 48))
    with pytest.raises(InputError, match="drawn for benchmark sensorium2022, the recording is one of colour-mice"):
        striate.simulate.recording(RecordingSettings(benchmark=COLOUR_MICE), mouse)


@pytest.mark.slow
def test_the_command_simulates_a_benchmark(tmp_path: Path) -> None:
    done = run_in_process(
        "simulate",
        tmp_path / "public",
        *("--benchmark", COLOUR_MICE, "--truth", tmp_path / "secret", "--competition", "all", "--no-withhold"),
        *(
            "--pretraining",
            1,
            "--neurons",
            4,
            "--train",
            20,
            "--validation",
            6,
            "--test-images",
            4,
            "--final-images",
            3,
            "--repeats",
            3,
        ),
    )
    assert done.status == 0, done.err
    assert "gratings" in done.out
    assert sorted(path.name for path in (tmp_path / "public").iterdir()) == [
        "mouse_a.zip",
        "mouse_b.zip",
        "mouse_c.zip",
    ]
    assert striate.open(tmp_path / "public" / "mouse_b.zip").benchmark == SPEC
