"""Responses to gratings and natural-like images agree with the properties of the simulated neurons."""

import numpy as np
import pytest

from striate.simulate import Population, PopulationSettings, Seed, population
from striate.simulate.behavior import PUPIL_CENTER, simulate_behavior
from striate.stimuli import gabor, grating, natural_like, to_grey

SHAPE = (72, 128)


@pytest.fixture(scope="module")
def neurons() -> Population:
    return population(PopulationSettings(neurons=300, position_scatter=2.0), 5, image_shape=SHAPE)


@pytest.fixture(scope="module")
def pictures():
    return np.stack([natural_like(SHAPE, np.random.default_rng([8, i]))[0] for i in range(150)])


def test_neurons_table_has_all_columns(neurons):
    table = neurons.neurons
    assert len(table) == 300
    assert np.isfinite(table.select_dtypes("number")).all(axis=None)
    assert (np.diff(table["unit_id"]) > 0).all()
    assert (np.diff(table["unit_id"]) > 1).any()
    assert set(table["layer"]) == {"L2/3", "L4"}
    assert (table["layer"] == "L2/3").mean() > 0.6
    assert set(table["area"]) == {"V1"}
    assert table["z"].between(100, 400).all()


@pytest.mark.slow
def test_fraction_of_complex_cells(neurons):
    assert (neurons.neurons["complexity"] > 0.5).mean() == pytest.approx(0.35, abs=0.1)
    none = population(PopulationSettings(neurons=50, complex_fraction=0), 1, image_shape=SHAPE)
    assert (none.neurons["complexity"] < 0.5).all()


@pytest.mark.slow
def test_neurons_prefer_their_orientation(neurons):
    """Gratings of the neuron's frequency, all orientations and phases: the strongest mean answer is the true one."""
    chosen = range(0, 300, 15)
    orientations = np.arange(0, 180, 15)
    pixels_per_degree = SHAPE[1] / 128
    for n in chosen:
        row = neurons.neurons.iloc[n]
        images = np.stack(
            [
                to_grey(grating(SHAPE, o, row["frequency"] / pixels_per_degree, phase), scale=80)
                for o in orientations
                for phase in range(0, 360, 45)
            ]
        )
        answers = neurons.drive(images)[:, n].reshape(len(orientations), 8).mean(axis=1)
        best = orientations[answers.argmax()]
        assert abs((best - row["orientation"] + 90) % 180 - 90) <= 15


@pytest.mark.slow
def test_only_simple_cells_depend_on_phase(neurons):
    table = neurons.neurons
    pixels_per_degree = SHAPE[1] / 128
    modulation = {}
    for n in range(0, 300, 10):
        row = table.iloc[n]
        images = np.stack(
            [
                to_grey(
                    gabor(
                        SHAPE,
                        tuple(neurons.centers[n]),
                        orientation=row["orientation"],
                        frequency=row["frequency"] / pixels_per_degree,
                        phase=phase,
                        sigma=row["size"] * pixels_per_degree,
                        aspect=row["aspect"],
                    ),
                    scale=80,
                )
                for phase in range(0, 360, 30)
            ]
        )
        answers = neurons.drive(images)[:, n]
        modulation[n] = (answers.max() - answers.min()) / (answers.max() + answers.min())
        if row["complexity"] < 0.5:  # answers most when shown its own phase
            assert abs((30 * answers.argmax() - row["phase"] + 180) % 360 - 180) <= 45
    of_complex = [m for n, m in modulation.items() if table["complexity"].iloc[n] > 0.5]
    of_simple = [m for n, m in modulation.items() if table["complexity"].iloc[n] < 0.5]
    assert np.median(of_complex) < 0.45 < np.median(of_simple)


@pytest.mark.slow
def test_local_contrast_normalises(pictures):
    """Halving the contrast around grey quarters the energy; with normalisation the answer falls far less."""
    answers = {}
    for strength in (0.0, 3.0):
        cells = population(PopulationSettings(neurons=60, normalization=strength), 2, image_shape=SHAPE)
        half = to_grey((pictures.astype(float) - 114) / 2, scale=1)
        answers[strength] = float(cells.drive(half).mean() / cells.drive(pictures).mean())
    assert answers[0.0] < 0.5
    assert answers[3.0] > answers[0.0] + 0.15


def test_retinotopic_map_is_smooth(neurons):
    """A quadratic map of the cortical coordinates explains the centres up to the scatter that was asked for."""
    xy = neurons.neurons[["x", "y"]].to_numpy() / 700
    u, v = xy.T
    smooth = np.column_stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    residual = neurons.centers - smooth @ np.linalg.lstsq(smooth, neurons.centers, rcond=None)[0]
    assert residual.std(axis=0) == pytest.approx(2.0, abs=0.3)  # degrees: here one pixel each
    assert (neurons.centers.std(axis=0) > 5 * residual.std(axis=0)).all()
    inside = (neurons.centers > 0) & (neurons.centers < np.array(SHAPE[::-1]))
    assert inside.all(axis=1).mean() > 0.98


@pytest.mark.slow
def test_receptive_fields_follow_the_eyes(neurons, pictures):
    eye = np.array(PUPIL_CENTER[0]) + np.array(PUPIL_CENTER[1]) * [[2.0, 1.0]]
    shift = neurons.gaze(eye)[0]
    assert np.hypot(*shift) == pytest.approx(1.5 * SHAPE[1] / 256 * np.hypot(2, 1))
    ahead, aside = neurons.drive(pictures[:40]), neurons.drive(pictures[:40], np.repeat(eye, 40, axis=0))
    assert not np.allclose(ahead, aside)
    still = population(PopulationSettings(neurons=20, eye_shift=0), 5, image_shape=SHAPE)
    assert np.array_equal(still.drive(pictures[:5]), still.drive(pictures[:5], np.repeat(eye, 5, axis=0)))


@pytest.mark.slow
def test_gain_follows_behavior_and_is_one_on_average(neurons):
    behavior = np.concatenate([simulate_behavior(2000, np.random.default_rng(i)) for i in range(10)])[::7]
    gain = neurons.gain(behavior)
    assert gain.mean() == pytest.approx(1, abs=0.1)
    assert 0.1 < np.log(gain).std(axis=0).mean() < 0.6
    running = behavior[:, 2] > 1
    assert gain[running].mean() > 1.2 * gain[~running].mean()
    even = population(PopulationSettings(neurons=20, behavior_gain=0), 5, image_shape=SHAPE)
    assert np.allclose(even.gain(behavior), 1)


@pytest.mark.slow
def test_expected_is_the_mean_of_drawn_responses(neurons, pictures):
    rng = np.random.default_rng(0)
    behavior = simulate_behavior(3, rng)
    eye = np.tile(np.array(PUPIL_CENTER[0]), (3, 1))
    expected = neurons.expected(pictures[:3], behavior, eye)
    drawn = np.mean([neurons.draw_responses(expected, rng) for _ in range(2000)], axis=0, dtype=np.float64)
    burst, shape = (neurons.neurons[name].to_numpy() for name in ("burst", "burst_shape"))
    error = (drawn - expected) / np.sqrt(expected * burst * (1 + 1 / shape) / 2000)
    assert np.abs(error).max() < 6.5  # rare bursts: a little further out than a Gaussian would be
    assert error.std() == pytest.approx(1, abs=0.15)


def test_mean_drive_is_one_and_amplitudes_vary(neurons, pictures):
    assert neurons.drive(pictures).mean() == pytest.approx(1, abs=0.15)
    amplitude = neurons.neurons["amplitude"]
    assert amplitude.quantile(0.95) > 15 * amplitude.quantile(0.05)


def test_more_neurons_do_not_change_the_others(neurons):
    few = population(PopulationSettings(neurons=40, position_scatter=2.0), Seed(5), image_shape=SHAPE)
    for column in few.neurons.columns:
        assert few.neurons[column].tolist() == neurons.neurons[column].tolist()[:40], column


@pytest.mark.slow
def test_other_session_or_seed_gives_other_neurons(neurons):
    for other in (
        population(PopulationSettings(neurons=40), 5, session="90002-1-1", image_shape=SHAPE),
        population(PopulationSettings(neurons=40), 6, image_shape=SHAPE),
    ):
        assert not np.allclose(other.centers, neurons.centers[:40])
        assert other.neurons["unit_id"].tolist() != neurons.neurons["unit_id"].tolist()[:40]
