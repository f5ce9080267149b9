"""One simulated recording: tiers, images, and withheld data."""

import hashlib
import hmac
from dataclasses import replace

import numpy as np
import pytest

from striate.metrics import Repeats, cc_max, fraction_explainable_variance
from striate.recordings import write
from striate.recordings.recording import content_hash
from striate.simulate import (
    PopulationSettings,
    RecordingSettings,
    Seed,
    expected_given_image,
    measured_responses,
    oracle_scores,
    population,
    recording,
)
from striate.simulate.response_model import gain

SEED = 0xC0FFEE_0DDBA11_5EED_15_5EC8E7
NEURONS = PopulationSettings(neurons=40)


def settings(**changes):
    small = {"image_shape": (36, 64), "train": 80, "validation": 12, "test_images": 8, "final_images": 6}
    return RecordingSettings(**{**small, **changes})


@pytest.fixture(scope="module")
def pretraining():
    return recording(settings(), NEURONS, SEED)


@pytest.fixture(scope="module")
def sensorium():
    return recording(settings(track="sensorium"), NEURONS, SEED)


@pytest.fixture(scope="module")
def sensorium_plus():
    return recording(settings(track="sensorium+"), NEURONS, SEED)


@pytest.fixture(scope="module")
def large():
    """Large enough for statistics over neurons."""
    return recording(settings(train=400, test_images=60), PopulationSettings(neurons=400), 3)


def test_tiers_and_repeats(pretraining, sensorium):
    trials = pretraining.recording.trials
    counts = trials["tier"].value_counts()
    assert (counts["train"], counts["validation"]) == (80, 12)
    assert "final_test" not in counts
    once = trials[trials["tier"].isin(["train", "validation"])]
    assert once["image_id"].is_unique
    repeats = trials[trials["tier"] == "test"]["image_id"].value_counts()
    assert len(repeats) == 8
    assert set(repeats) <= {9, 10}
    assert not set(repeats.index) & set(once["image_id"])
    assert (sensorium.recording.trials["tier"] == "final_test").sum() in range(54, 61)


def test_repeats_are_ragged(large):
    repeats = large.recording.trials.query("tier == 'test'")["image_id"].value_counts()
    assert set(repeats) == {9, 10}
    assert (repeats == 9).mean() < 0.3


def test_same_image_id_has_same_image(pretraining):
    one = pretraining.recording
    for _, rows in one.trials.groupby("image_id").groups.items():
        assert (one.images[rows] == one.images[rows[0]]).all()
    assert len(np.unique(one.images.reshape(len(one.images), -1), axis=0)) == one.trials["image_id"].nunique()


def test_order_of_rows_does_not_reveal_presentation_order(large):
    order = large.truth.order
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.12
    assert large.recording.trials["trial_idx"].tolist() == order.tolist()
    lost = set(range(order.max() + 1)) - set(order.tolist())
    assert 0 < len(lost) < 20  # trials that were shown and lost
    by_time = np.argsort(order)
    dilation = large.recording.behavior[:, 0]
    assert np.corrcoef(dilation[by_time][1:], dilation[by_time][:-1])[0, 1] > 0.8
    assert abs(np.corrcoef(dilation[1:], dilation[:-1])[0, 1]) < 0.15
    tiers = large.recording.trials["tier"].to_numpy()[by_time]
    halves = [(half == "test").mean() for half in np.array_split(tiers, 2)]
    assert abs(halves[0] - halves[1]) < 0.1


@pytest.mark.slow
def test_recording_depends_on_seed_only(pretraining):
    again, other = recording(settings(), NEURONS, SEED), recording(settings(), NEURONS, SEED + 1)
    assert content_hash(again.recording) == content_hash(pretraining.recording)
    assert np.array_equal(again.truth.expected, pretraining.truth.expected)
    for name in ("images", "responses", "behavior", "pupil_center"):
        assert not np.array_equal(getattr(other.recording, name), getattr(pretraining.recording, name))
    assert not np.array_equal(other.recording.trials["image_id"], pretraining.recording.trials["image_id"])


@pytest.mark.slow
def test_more_neurons_change_neither_images_nor_behavior(pretraining):
    more = recording(settings(), PopulationSettings(neurons=45), SEED)
    for name in ("images", "behavior", "pupil_center"):
        assert np.array_equal(getattr(more.recording, name), getattr(pretraining.recording, name))
    assert np.array_equal(more.truth.expected[:, :40], pretraining.truth.expected)


@pytest.mark.slow
def test_recording_of_a_given_population(pretraining):
    cells = population(NEURONS, Seed(SEED), image_shape=(36, 64))
    assert content_hash(recording(settings(), cells, SEED).recording) == content_hash(pretraining.recording)


def test_pretraining_recordings_withhold_nothing(pretraining):
    one = pretraining.recording
    assert not one.withheld_tiers
    assert not one.behavior_withheld
    assert not one.pupil_center_withheld
    assert pretraining.truth.withheld.size == 0


def test_competition_recordings_withhold_responses(sensorium, sensorium_plus):
    for simulation in (sensorium, sensorium_plus):
        one, truth = simulation.recording, simulation.truth
        assert one.withheld_tiers == {"test", "final_test"}
        hidden = np.flatnonzero(one.trials["tier"].isin(["test", "final_test"]))
        assert not one.responses[hidden].any()
        assert truth.withheld.tolist() == hidden.tolist()
        assert truth.withheld_responses.any(axis=1).mean() > 0.9
        assert one.responses[one.rows("train")].any(axis=1).mean() > 0.9
    assert sensorium.recording.behavior_withheld
    assert sensorium.recording.pupil_center_withheld
    assert not sensorium_plus.recording.behavior_withheld
    assert not sensorium_plus.recording.pupil_center_withheld
    assert sensorium.truth.behavior.any()


def test_statistics_do_not_depend_on_withheld_trials(sensorium_plus):
    one, full = sensorium_plus.recording, sensorium_plus.truth.reveal(sensorium_plus.recording)
    train = full.responses[full.rows("train")]
    assert np.allclose(one.statistics["responses"].max, train.max(axis=0))
    assert np.allclose(one.statistics["responses"].mean, train.mean(axis=0))


@pytest.mark.slow
def test_trial_indices_of_competition_recordings_are_keyed_hashes(sensorium, sensorium_plus):
    names = sensorium.recording.trials["trial_idx"].tolist()
    assert len(set(names)) == len(names)
    assert all(len(n) == 32 and set(n) <= set("0123456789abcdef") for n in names)
    numbers = [str(i) for i in range(max(sensorium.truth.order) + 1)]
    unkeyed = {h(n.encode()).hexdigest()[:32] for n in numbers for h in (hashlib.md5, hashlib.sha1, hashlib.sha256)}
    session = sensorium.recording.session.encode()
    unkeyed |= {hmac.digest(session, n.encode(), h)[:16].hex() for n in numbers for h in ("md5", "sha256")}
    assert not unkeyed & set(names)
    other = recording(settings(track="sensorium"), NEURONS, SEED + 1)
    assert not set(names) & set(other.recording.trials["trial_idx"])


@pytest.mark.slow
def test_withholding_changes_nothing_else(sensorium):
    full = recording(settings(track="sensorium", withhold=False), NEURONS, SEED)
    assert not full.recording.withheld_tiers
    assert full.recording.trials["trial_idx"].tolist() == sensorium.truth.order.tolist()
    assert np.array_equal(full.recording.images, sensorium.recording.images)
    revealed = sensorium.truth.reveal(sensorium.recording)
    for name in ("responses", "behavior", "pupil_center"):
        assert np.array_equal(getattr(full.recording, name), getattr(revealed, name))
    assert np.array_equal(full.truth.expected, sensorium.truth.expected)


@pytest.mark.slow
def test_public_files_contain_neither_seed_nor_truth(sensorium_plus, tmp_path):
    folder = write(sensorium_plus.recording, tmp_path / "public")
    content = b"".join(file.read_bytes() for file in sorted(folder.rglob("*.npy")))
    names = "".join(str(file) for file in folder.rglob("*"))
    for secret in (str(SEED), f"{SEED:x}", f"{SEED:X}"):
        assert secret not in names
        assert secret.encode() not in content
        assert secret.encode("utf-32-le") not in content
    length = (SEED.bit_length() + 7) // 8
    for secret in (SEED.to_bytes(length, "big"), SEED.to_bytes(length, "little"), SEED.to_bytes(length, "big")[:8]):
        assert secret not in content
    truth = sensorium_plus.truth
    for secret in (truth.withheld_responses[0], truth.expected[0], truth.centers[:, 0]):
        values = secret[secret > 0].astype(np.float32)
        assert values.size > 3
        assert not any(v.tobytes() in content and v not in sensorium_plus.recording.responses for v in values[:5])
    columns = {file.stem for file in (folder / "meta" / "neurons").iterdir()}
    assert columns == {"area", "layer", "unit_ids", "cell_motor_coordinates", "animal_ids", "sessions", "scan_idx"}


@pytest.mark.slow
def test_noise_of_withheld_tiers_is_independent_of_public_noise(sensorium):
    """Longer training recordings draw more noise; what is withheld stays as it is."""
    cells = population(NEURONS, SEED, image_shape=(36, 64))
    a = recording(settings(track="sensorium", validation=12), cells, SEED)
    assert np.array_equal(a.truth.withheld_responses, sensorium.truth.withheld_responses)


def test_reliabilities_vary_between_neurons(large):
    one = large.recording
    rows = one.rows("test")
    fev = fraction_explainable_variance(one.responses[rows], one.trials["image_id"].to_numpy()[rows])
    assert (fev < 0.1).mean() > 0.15
    assert (fev > 0.6).mean() > 0.005
    assert 0.15 < np.nanmean(fev) < 0.3
    assert np.corrcoef(fev, large.truth.neurons["reliability"])[0, 1] > 0.7
    train = one.responses[one.rows("train")]
    assert 0.4 < (train == 0).mean() < 0.9
    assert (train.std(axis=0) > 0).all()
    assert np.quantile(train.std(axis=0), 0.95) > 10 * np.quantile(train.std(axis=0), 0.05)


@pytest.mark.slow
def test_reliability_can_be_chosen():
    means = []
    for reliability in (0.1, 0.5):
        simulation = recording(settings(test_images=40), PopulationSettings(neurons=100, reliability=reliability), 8)
        rows = simulation.recording.rows("test")
        image_ids = simulation.recording.trials["image_id"].to_numpy()[rows]
        means.append(np.nanmean(fraction_explainable_variance(simulation.recording.responses[rows], image_ids)))
    assert means[0] < 0.18
    assert 0.35 < means[1] < 0.6


def test_oracle_scores_are_between_zero_and_one(large):
    both = oracle_scores(large.truth, large.recording).means
    image = oracle_scores(large.truth, large.recording, inputs="image").means
    assert 0.4 < both["single_trial_correlation"] < 0.6
    assert 0.35 < image["single_trial_correlation"] < both["single_trial_correlation"]
    assert 0.7 < image["correlation_to_average"] < 0.9
    assert image["feve"] == pytest.approx(1, abs=0.15)


def test_image_oracle_does_not_use_behavior(large):
    """Two repeats of an image that differ in behaviour alone are expected to evoke the same."""
    recording, truth = large.recording, large.truth
    rows = recording.rows("test")
    given = expected_given_image(truth, recording, rows)
    quiet = replace(
        truth, behavior=np.broadcast_to(truth.behavior.mean(axis=0), truth.behavior.shape).astype(np.float32)
    )
    gains = gain(truth.neurons, truth.behavior)
    ungained = replace(quiet, expected=(truth.expected / gains).astype(np.float32))
    ratio = given / expected_given_image(ungained, recording, rows)
    np.testing.assert_allclose(ratio, np.broadcast_to(gains.mean(axis=0), ratio.shape), rtol=1e-4)


@pytest.mark.slow
def test_image_oracle_reaches_the_ceiling():
    """Of reliable neurons, whose ceiling can be estimated well."""
    simulation = recording(
        settings(train=200, test_images=100), PopulationSettings(neurons=150, reliability=0.5, eye_shift=0.0), 1
    )
    image_ids = simulation.recording.trials["image_id"].to_numpy()[simulation.recording.rows("test")]
    ceiling = cc_max(measured_responses(simulation.truth, simulation.recording, "test"), Repeats(image_ids))
    image = oracle_scores(simulation.truth, simulation.recording, inputs="image").means
    assert image["correlation_to_average"] == pytest.approx(ceiling.mean, abs=0.01)


@pytest.mark.slow
def test_oracle_scores_do_not_depend_on_withholding(sensorium):
    full = recording(settings(track="sensorium", withhold=False), NEURONS, SEED)
    for tier in ("test", "final_test"):
        hidden = oracle_scores(sensorium.truth, sensorium.recording, tier).means
        assert hidden == oracle_scores(full.truth, full.recording, tier).means
        assert np.array_equal(
            measured_responses(sensorium.truth, sensorium.recording, tier),
            full.recording.measured_responses(tier),
        )


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 8), (18, 32), (50, 31), (20, 80)])
def test_images_of_any_shape(shape):
    simulation = recording(settings(image_shape=shape, train=20), PopulationSettings(neurons=10), 1)
    assert simulation.recording.image_shape == shape
    assert np.isfinite(simulation.truth.expected).all()
    assert simulation.recording.responses.any()


@pytest.mark.slow
def test_smallest_recording():
    tiny = RecordingSettings(
        image_shape=(8, 8), train=1, validation=0, test_images=0, final_images=0, repeats=1, track="sensorium"
    )
    simulation = recording(tiny, PopulationSettings(neurons=1), 0)
    assert simulation.recording.responses.shape == (1, 1)
    assert simulation.truth.withheld.size == 0
