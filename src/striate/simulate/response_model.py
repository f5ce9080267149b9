"""The response model: energy, divisive normalisation, threshold and power, and the gain of behaviour."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate.simulate.behavior import behavior_z_scores
from striate.simulate.receptive_fields import Filters

Floats = NDArray[np.float32]

_SEMI_SATURATION = 0.35  # of the mean energy of a neuron
_LARGEST_LOG_GAIN = 1.5
GAIN_COLUMNS = ("gain_dilation", "gain_derivative", "gain_running")


def neuron_property(neurons: pd.DataFrame, name: str) -> Floats:
    """One property of every neuron, as a row to broadcast over trials."""
    return neurons[name].to_numpy(dtype=np.float32)[None, :]


def energy(neurons: pd.DataFrame, filters: Filters, seen: Floats) -> Floats:
    """Squared response of the receptive fields to what the retina has seen; (T, n).

    A simple cell half-squares its field (Heeger 1992), with the opposite contrast weighed by ``on_off``; a complex
    cell adds up the squares of the quadrature pair (Adelson & Bergen 1985).
    """
    even, odd, one = filters.amplitudes(seen)
    on, off = np.maximum(one, 0), np.minimum(one, 0)
    simple = on * on + neuron_property(neurons, "on_off") * off * off
    complexity = neuron_property(neurons, "complexity")
    return np.asarray((1 - complexity) * simple + complexity * 0.5 * (even * even + odd * odd))


def normalise_energy(neurons: pd.DataFrame, energies: Floats, contrasts: Floats, strength: float) -> Floats:
    """Divide energies by local contrast (Heeger 1992), both relative to their means over images; (T, n)."""
    relative = energies / neuron_property(neurons, "energy")
    return np.asarray(
        relative / (_SEMI_SATURATION + np.float32(strength) * contrasts / neuron_property(neurons, "contrast"))
    )


def rectify(neurons: pd.DataFrame, values: Floats) -> Floats:
    """What is above the threshold, raised to the power; (T, n)."""
    return np.asarray(
        np.maximum(values - neuron_property(neurons, "threshold"), 0) ** neuron_property(neurons, "power")
    )


def add_baseline(neurons: pd.DataFrame, values: Floats) -> Floats:
    """Add the baseline and scale to a mean of 1 over images; (T, n)."""
    baseline = neuron_property(neurons, "baseline")
    return np.asarray(baseline + (1 - baseline) * values / neuron_property(neurons, "drive"))


def log_gain(neurons: pd.DataFrame, scores: Floats) -> Floats:
    """Logarithm of the gain, before its offset, for behaviour in z-scores (T, 3); (T, n)."""
    total = sum(scores[:, [i]] * neuron_property(neurons, name) for i, name in enumerate(GAIN_COLUMNS))
    return np.clip(np.asarray(total, dtype=np.float32), -_LARGEST_LOG_GAIN, _LARGEST_LOG_GAIN)


def gain(neurons: pd.DataFrame, behavior: NDArray[np.floating]) -> Floats:
    """Gain of every neuron (mean about 1) for behaviour (T, 3); (T, N)."""
    return np.asarray(np.exp(log_gain(neurons, behavior_z_scores(behavior)) + neuron_property(neurons, "gain_offset")))
