"""Calibration: thresholds, scales and noise of simulated neurons, set by what natural-like images evoke in them."""

from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.behavior import behavior_z_scores, simulate_behavior
from striate.simulate.config import PopulationSettings
from striate.simulate.neurons import Draws
from striate.simulate.receptive_fields import Filters
from striate.simulate.response_model import add_baseline, energy, log_gain, normalise_energy, rectify
from striate.simulate.retina import Retina
from striate.stimuli import natural_like

Floats = NDArray[np.float64]

_IMAGES = 400
_TRIALS, _EVERY = 20_000, 10  # of behaviour: a long course, thinned out
_BLOCK = 512
_SMALLEST_FANO, _LARGEST_FANO = 0.05, 60.0  # variance over mean of the noise, where the mean response is 1


def calibrate(
    neurons: pd.DataFrame,
    settings: PopulationSettings,
    image_shape: tuple[int, int],
    eye_to_screen: Floats,
    draws: Draws,
) -> pd.DataFrame:
    """Complete a table of `draw_neurons`: the columns that depend on responses.

    Every neuron sees the same few hundred images twice, with two gazes: what the two responses share is its signal,
    and the noise is made such that the signal takes the fraction ``reliability`` of the variance of repeats.
    """
    retina = Retina(image_shape)
    images = _calibration_images(image_shape)
    eyes = draws("calibration gaze").standard_normal((2, _IMAGES, 2))
    seen = np.concatenate([retina.see(images, eye @ eye_to_screen.T) for eye in eyes])
    scores = behavior_z_scores(simulate_behavior(_TRIALS, draws("calibration behavior"))[::_EVERY])
    blocks = (neurons.iloc[start : start + _BLOCK] for start in range(0, len(neurons), _BLOCK))
    return pd.concat([_block(block, settings, retina, seen, scores) for block in blocks], ignore_index=True)


@lru_cache(maxsize=2)
def _calibration_images(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Images that any population sees first; no recording shows them."""
    return np.stack([natural_like(shape, np.random.default_rng([2022, i]))[0] for i in range(_IMAGES)])


def _block(
    neurons: pd.DataFrame,
    settings: PopulationSettings,
    retina: Retina,
    seen: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> pd.DataFrame:
    filters = Filters.of(neurons, retina)
    energies, contrasts = energy(neurons, filters, seen), filters.local_contrast(seen)
    done = neurons.assign(
        energy=np.maximum(energies.mean(axis=0, dtype=np.float64), 1e-3),
        contrast=np.maximum(contrasts.mean(axis=0, dtype=np.float64), 1e-3),
    )
    values = normalise_energy(done, energies, contrasts, settings.normalization)
    silent = (np.clip(neurons["threshold"].to_numpy(), 0, 1) * (len(values) - 1)).astype(np.int64)
    done["threshold"] = np.sort(values, axis=0)[silent, np.arange(len(neurons))].astype(np.float64)
    values = rectify(done, values)
    done["drive"] = np.maximum(values.mean(axis=0, dtype=np.float64), 1e-3)
    first, second = np.split(add_baseline(done, values).astype(np.float64), 2)

    gains = np.exp(log_gain(done, scores).astype(np.float64))
    done["gain_offset"] = -np.log(gains.mean(axis=0))
    # variances are relative to a mean response of 1
    signal = np.maximum(((first - first.mean(axis=0)) * (second - second.mean(axis=0))).mean(axis=0), 1e-3)
    squared_gain = (gains**2).mean(axis=0) / gains.mean(axis=0) ** 2
    smooth = (first**2 + second**2).mean(axis=0) / 2 * squared_gain - 1  # of the expected response over trials
    fano = np.clip(signal / done["reliability"].to_numpy() - smooth, _SMALLEST_FANO, _LARGEST_FANO)
    done["reliability"] = signal / (smooth + fano)
    done["burst"] = done["amplitude"].to_numpy() * fano / (1 + 1 / done["burst_shape"].to_numpy())
    return done
