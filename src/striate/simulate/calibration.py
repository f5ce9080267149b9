"""Calibration of thresholds, scales and noise of simulated neurons by their responses to natural-like images."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.behavior import behavior_variables, behavior_z_scores, simulate_behavior
from striate.simulate.config import PopulationSettings
from striate.simulate.neurons import GeneratorFactory
from striate.simulate.receptive_fields import Filters
from striate.simulate.response_model import add_baseline, energy, log_gain, normalise_energy, rectify
from striate.simulate.retina import Retina
from striate.stimuli import natural_like

Floats = NDArray[np.float64]

_IMAGES = 400
_BEHAVIOR_TRIALS, _BEHAVIOR_STEP = 20_000, 10  # every 10th of 20,000 trials of behaviour
_BLOCK = 512  # neurons
_SMALLEST_FANO, _LARGEST_FANO = 0.05, 60.0  # variance of the noise divided by its mean, for a mean response of 1


def calibrate(
    neurons: pd.DataFrame,
    settings: PopulationSettings,
    image_shape: tuple[int, int],
    eye_to_screen: Floats,
    generator: GeneratorFactory,
    behavior_names: Sequence[str],
) -> pd.DataFrame:
    """Add the columns that depend on responses to a table of `draw_neurons`.

    Every neuron is shown the same 400 images twice, with two gaze positions. The covariance of the two responses is its
    signal variance. The noise is set so that the signal is the fraction ``reliability`` of the variance over trials.

    Parameters
    ----------
    neurons
        Table of `draw_neurons`, one row per neuron.
    settings
        Settings of the population.
    image_shape
        Height and width of the images in pixels.
    eye_to_screen : (2, 2)
        Shift of the gaze in pixels for one standard deviation of the eye position.
    generator
        Function that returns a random generator by the name of its purpose.
    behavior_names
        Names of the behaviour variables.

    Returns
    -------
    DataFrame
        Table with the columns of `Population.neurons`.
    """
    retina = Retina(image_shape)
    images = _calibration_images(image_shape)
    eyes = generator("calibration gaze").standard_normal((2, _IMAGES, 2))
    retinal_images = np.concatenate([retina.sample(images, eye @ eye_to_screen.T) for eye in eyes])
    behavior = simulate_behavior(_BEHAVIOR_TRIALS, generator("calibration behavior"), behavior_names)[::_BEHAVIOR_STEP]
    scores = behavior_z_scores(behavior, behavior_variables(behavior_names))
    blocks = (neurons.iloc[start : start + _BLOCK] for start in range(0, len(neurons), _BLOCK))
    return pd.concat(
        [_calibrate_block(block, settings, retina, retinal_images, scores) for block in blocks], ignore_index=True
    )


@lru_cache(maxsize=8)
def _calibration_images(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Images for the calibration of all populations, which no recording shows."""
    return np.stack([natural_like(shape, np.random.default_rng([2022, i]))[0] for i in range(_IMAGES)])


def _calibrate_block(
    neurons: pd.DataFrame,
    settings: PopulationSettings,
    retina: Retina,
    retinal_images: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> pd.DataFrame:
    filters = Filters.from_neurons(neurons, retina)
    energies, contrasts = energy(neurons, filters, retinal_images), filters.local_contrast(retinal_images)
    calibrated = neurons.assign(
        energy=np.maximum(energies.mean(axis=0, dtype=np.float64), 1e-3),
        contrast=np.maximum(contrasts.mean(axis=0, dtype=np.float64), 1e-3),
    )
    values = normalise_energy(calibrated, energies, contrasts, settings.normalization)
    silent = (np.clip(neurons["threshold"].to_numpy(), 0, 1) * (len(values) - 1)).astype(np.int64)
    calibrated["threshold"] = np.sort(values, axis=0)[silent, np.arange(len(neurons))].astype(np.float64)
    values = rectify(calibrated, values)
    calibrated["drive"] = np.maximum(values.mean(axis=0, dtype=np.float64), 1e-3)
    first, second = np.split(add_baseline(calibrated, values).astype(np.float64), 2)

    gains = np.exp(log_gain(calibrated, scores).astype(np.float64))
    calibrated["gain_offset"] = -np.log(gains.mean(axis=0))
    # variances are relative to a mean response of 1
    signal = np.maximum(((first - first.mean(axis=0)) * (second - second.mean(axis=0))).mean(axis=0), 1e-3)
    squared_gain = (gains**2).mean(axis=0) / gains.mean(axis=0) ** 2
    expected_variance = (first**2 + second**2).mean(axis=0) / 2 * squared_gain - 1
    fano = np.clip(signal / calibrated["reliability"].to_numpy() - expected_variance, _SMALLEST_FANO, _LARGEST_FANO)
    calibrated["reliability"] = signal / (expected_variance + fano)
    calibrated["burst"] = calibrated["amplitude"].to_numpy() * fano / (1 + 1 / calibrated["burst_shape"].to_numpy())
    return calibrated
