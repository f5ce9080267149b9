"""Properties of simulated neurons, with distributions like those in mouse V1."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from striate.benchmarks import BenchmarkSpec
from striate.simulate.behavior import behavior_variables
from striate.simulate.config import PopulationSettings
from striate.simulate.retinotopy import RetinotopicMap, draw_cortical_positions

GeneratorFactory = Callable[[str], np.random.Generator]

_FREQUENCY = (0.07, 0.28)  # median in cycles per degree, and standard deviation of the logarithm
_CYCLES = (0.34, 0.22)  # the same for the number of cycles in one standard deviation of the window


def draw_neurons(
    settings: PopulationSettings, image_shape: tuple[int, int], generator: GeneratorFactory, benchmark: BenchmarkSpec
) -> pd.DataFrame:
    """Draw the properties that do not depend on responses: anatomy, receptive fields, nonlinearities, gains, reliability.

    Parameters
    ----------
    settings
        Settings of the population.
    image_shape
        Height and width of the screen in pixels.
    generator
        Function that returns the random generator of a property by its name, so that properties are independent of each other.
    benchmark
        Benchmark, which names behaviour variables and channels.

    Returns
    -------
    DataFrame
        Columns of `Population.neurons`, except those that the calibration adds. ``threshold`` is the fraction of images
        without a response, which the calibration converts to a threshold.
    """
    count = settings.neurons
    coordinates, layer = draw_cortical_positions(count, generator("planes"), generator("positions"))
    centers = RetinotopicMap.draw(generator("map"), image_shape)(coordinates)
    centers += generator("scatter").normal(0, 1, (count, 2)) * settings.position_scatter
    frequency = _lognormal(generator("frequency"), _FREQUENCY, count, 0.035, 0.14)
    size = np.clip(_lognormal(generator("cycles"), _CYCLES, count, 0.15, 0.8) / frequency, 2.0, 7.5)
    is_complex = generator("complex").random(count) < settings.complex_fraction
    complexity = generator("complexity").random(count) * 0.25
    reliability = _reliability(settings, generator("reliability"))
    variables = behavior_variables(benchmark.behavior_names)
    means, stds = ([getattr(one, name) for one in variables] for name in ("gain_mean", "gain_std"))
    gains = generator("gain").normal(means, stds, (count, len(variables))) * settings.behavior_gain
    channels = benchmark.image_channels
    preferred = {"channel": generator("channel").integers(channels, size=count)} if channels > 1 else {}
    return pd.DataFrame(
        {
            "unit_id": np.cumsum(generator("unit ids").geometric(0.6, count)).astype(np.int64),
            "area": np.full(count, "V1"),
            "layer": layer,
            "x": coordinates[:, 0],
            "y": coordinates[:, 1],
            "z": coordinates[:, 2],
            "azimuth": centers[:, 0],
            "elevation": centers[:, 1],
            "orientation": generator("orientation").uniform(0, 180, count),
            "phase": generator("phase").uniform(0, 360, count),
            "frequency": frequency,
            "size": size,
            "aspect": generator("aspect").uniform(1.0, 1.7, count),
            "pool_size": size * generator("pool").uniform(1.4, 2.2, count),
            "complexity": np.where(is_complex, 1 - complexity, complexity),
            "luminance": generator("luminance").uniform(-0.2, 0.15, count),
            "on_off": generator("on and off").beta(0.5, 2.5, count),
            "threshold": generator("threshold").uniform(0.0, 0.4, count),
            "power": generator("power").uniform(0.6, 1.0, count),
            "baseline": generator("baseline").uniform(0.05, 0.45, count) * (1.2 - reliability),
            "amplitude": _lognormal(generator("amplitude"), (2.0, 1.1), count, 0.02, 100.0),
            "burst_shape": generator("burst shape").uniform(0.7, 3.0, count),
            **{one.gain_column: gains[:, place] for place, one in enumerate(variables)},
            "reliability": reliability,
            **preferred,
        }
    )


def _lognormal(
    rng: np.random.Generator, distribution: tuple[float, float], count: int, lowest: float, highest: float
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    median, spread = distribution
    return np.clip(median * np.exp(spread * rng.standard_normal(count)), lowest, highest)


def _reliability(
    settings: PopulationSettings, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Draw reliabilities from a beta distribution with the mean and standard deviation of the settings."""
    mean = settings.reliability
    concentration = mean * (1 - mean) / settings.reliability_spread**2 - 1
    return np.clip(rng.beta(mean * concentration, (1 - mean) * concentration, settings.neurons), 0.005, 0.95)
