"""The response model: energy, divisive normalisation, threshold and power, behavioural gain, and noise."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.behavior import behavior_z_scores, variables_of_columns
from striate.simulate.receptive_fields import Filters

Floats = NDArray[np.float32]

_SEMI_SATURATION = 0.35  # fraction of the mean energy of a neuron
_LARGEST_LOG_GAIN = 1.5


def neuron_property(neurons: pd.DataFrame, name: str) -> Floats:
    """Return one property of every neuron as a row, shape (1, n), which broadcasts over trials."""
    return neurons[name].to_numpy(dtype=np.float32)[None, :]


def energy(neurons: pd.DataFrame, filters: Filters, retinal_images: Floats) -> Floats:
    """Return the squared output of the receptive fields for retinal images (T, cells), shape (T, n).

    A simple cell half-squares the output of its filter (Heeger 1992) and adds the squared opposite contrast with the weight
    ``on_off``. A complex cell averages the squared outputs of the quadrature pair (Adelson & Bergen 1985).
    """
    even, odd, linear = filters.amplitudes(retinal_images)
    on, off = np.maximum(linear, 0), np.minimum(linear, 0)
    simple = on * on + neuron_property(neurons, "on_off") * off * off
    complexity = neuron_property(neurons, "complexity")
    return np.asarray((1 - complexity) * simple + complexity * 0.5 * (even * even + odd * odd))


def normalise_energy(neurons: pd.DataFrame, energies: Floats, contrasts: Floats, strength: float) -> Floats:
    """Divide energies by local contrast (Heeger 1992), both relative to their means over images; shape (T, n)."""
    relative = energies / neuron_property(neurons, "energy")
    return np.asarray(
        relative / (_SEMI_SATURATION + np.float32(strength) * contrasts / neuron_property(neurons, "contrast"))
    )


def rectify(neurons: pd.DataFrame, values: Floats) -> Floats:
    """Subtract the threshold, rectify, and raise to the power; shape (T, n)."""
    return np.asarray(
        np.maximum(values - neuron_property(neurons, "threshold"), 0) ** neuron_property(neurons, "power")
    )


def add_baseline(neurons: pd.DataFrame, values: Floats) -> Floats:
    """Add the baseline and scale to a mean of 1 over images; shape (T, n)."""
    baseline = neuron_property(neurons, "baseline")
    return np.asarray(baseline + (1 - baseline) * values / neuron_property(neurons, "drive"))


def log_gain(neurons: pd.DataFrame, scores: Floats) -> Floats:
    """Return the logarithm of the gain without its offset, shape (T, n), for z-scores of behaviour (T, K)."""
    columns = [variable.gain_column for variable in variables_of_columns(neurons.columns)]
    total = sum(scores[:, [i]] * neuron_property(neurons, name) for i, name in enumerate(columns))
    total = np.broadcast_to(np.asarray(total, dtype=np.float32), (len(scores), len(neurons)))
    return np.asarray(np.clip(total, -_LARGEST_LOG_GAIN, _LARGEST_LOG_GAIN))


def gain(neurons: pd.DataFrame, behavior: NDArray[np.floating]) -> Floats:
    """Return the gain of every neuron (mean about 1), shape (T, N), for behaviour (T, K)."""
    scores = behavior_z_scores(behavior, variables_of_columns(neurons.columns))
    return np.asarray(np.exp(log_gain(neurons, scores) + neuron_property(neurons, "gain_offset")))


def draw_responses(
    expected: Floats, burst: NDArray[np.floating], shape: NDArray[np.floating], rng: np.random.Generator
) -> Floats:
    """Draw noisy responses around the expected responses, with many exact zeros and a heavy tail.

    The noise is a compound Poisson–gamma (Tweedie) distribution (Jørgensen 1987, J. R. Stat. Soc. B 49, 127), which resembles
    deconvolved calcium responses: a Poisson-distributed number of bursts, each of gamma-distributed size. The mean is
    `expected`, the variance ``expected · burst · (1 + 1/shape)``, and the probability of exactly 0
    ``exp(−expected / burst)``.

    Parameters
    ----------
    expected : (T, N)
        Expected response of each trial, ≥ 0.
    burst : (N,)
        Mean size of a burst of each neuron, in the units of its responses.
    shape : (N,)
        Shape of the gamma distribution of burst sizes; a smaller shape gives a heavier tail.
    rng
        Random generator.

    Returns
    -------
    (T, N) float32
        Responses in the units of `expected`.

    Examples
    --------
    >>> draw_responses(np.zeros((2, 3), np.float32), np.ones(3), np.ones(3), np.random.default_rng(0)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    counts = rng.poisson(expected / np.asarray(burst, dtype=np.float64))
    trial, neuron = np.nonzero(counts)
    responses = np.zeros(expected.shape, dtype=np.float32)
    sizes = rng.standard_gamma(counts[trial, neuron] * np.asarray(shape, dtype=np.float64)[neuron])
    responses[trial, neuron] = sizes * (np.asarray(burst, dtype=np.float64) / shape)[neuron]
    return responses
