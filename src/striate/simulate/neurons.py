"""The properties of simulated neurons, drawn with the spread that mouse V1 has."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from striate.simulate.config import PopulationSettings
from striate.simulate.retinotopy import RetinotopicMap, place

Draws = Callable[[str], np.random.Generator]

_FREQUENCY = (0.07, 0.28)  # median in cycles per degree, and spread of its logarithm
_CYCLES = (0.34, 0.22)  # the same of the cycles within one standard deviation of the window


def draw_neurons(settings: PopulationSettings, image_shape: tuple[int, int], draws: Draws) -> pd.DataFrame:
    """Draw what does not depend on responses: anatomy, receptive fields, nonlinearities, gains, target reliability.

    Parameters
    ----------
    settings
        What the neurons are like.
    image_shape
        Height and width of the screen in pixels.
    draws
        Gives a generator for each property by name, so that none depends on how many numbers another took.

    Returns
    -------
    DataFrame
        Columns as in `Population.neurons`, but for those that calibration adds; ``threshold`` is still the fraction
        of images that evoke nothing.
    """
    count = settings.neurons
    coordinates, layer = place(count, draws("planes"), draws("positions"))
    look = RetinotopicMap.draw(draws("map"), image_shape)(coordinates)
    look += draws("scatter").normal(0, 1, (count, 2)) * settings.position_scatter
    frequency = _lognormal(draws("frequency"), _FREQUENCY, count, 0.035, 0.14)
    size = np.clip(_lognormal(draws("cycles"), _CYCLES, count, 0.15, 0.8) / frequency, 2.0, 7.5)
    is_complex = draws("complex").random(count) < settings.complex_fraction
    complexity = draws("complexity").random(count) * 0.25
    reliability = _reliability(settings, draws("reliability"))
    gains = draws("gain").normal((0.65, 0.2, 0.5), (0.45, 0.2, 0.45), (count, 3)) * settings.behavior_gain
    return pd.DataFrame(
        {
            "unit_id": np.cumsum(draws("unit ids").geometric(0.6, count)).astype(np.int64),
            "area": np.full(count, "V1"),
            "layer": layer,
            "x": coordinates[:, 0],
            "y": coordinates[:, 1],
            "z": coordinates[:, 2],
            "azimuth": look[:, 0],
            "elevation": look[:, 1],
            "orientation": draws("orientation").uniform(0, 180, count),
            "phase": draws("phase").uniform(0, 360, count),
            "frequency": frequency,
            "size": size,
            "aspect": draws("aspect").uniform(1.0, 1.7, count),
            "pool_size": size * draws("pool").uniform(1.4, 2.2, count),
            "complexity": np.where(is_complex, 1 - complexity, complexity),
            "luminance": draws("luminance").uniform(-0.2, 0.15, count),
            "on_off": draws("on and off").beta(0.5, 2.5, count),
            "threshold": draws("threshold").uniform(0.0, 0.4, count),
            "power": draws("power").uniform(0.6, 1.0, count),
            "baseline": draws("baseline").uniform(0.05, 0.45, count) * (1.2 - reliability),
            "amplitude": _lognormal(draws("amplitude"), (2.0, 1.1), count, 0.02, 100.0),
            "burst_shape": draws("burst shape").uniform(0.7, 3.0, count),
            "gain_dilation": gains[:, 0],
            "gain_derivative": gains[:, 1],
            "gain_running": gains[:, 2],
            "reliability": reliability,
        }
    )


def _lognormal(
    rng: np.random.Generator, law: tuple[float, float], count: int, lowest: float, highest: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    median, spread = law
    return np.clip(median * np.exp(spread * rng.standard_normal(count)), lowest, highest)


def _reliability(
    settings: PopulationSettings, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Beta-distributed with the mean and standard deviation of the settings."""
    mean = settings.reliability
    concentration = mean * (1 - mean) / settings.reliability_spread**2 - 1
    return np.clip(rng.beta(mean * concentration, (1 - mean) * concentration, settings.neurons), 0.005, 0.95)
