"""A population of V1-like neurons with known properties."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal import notebook_html
from striate._internal.progress_bars import progress_bar
from striate.benchmarks import Benchmark, BenchmarkSpec, load_benchmark
from striate.simulate.behavior import pupil_center_z_scores
from striate.simulate.calibration import calibrate
from striate.simulate.config import PopulationSettings
from striate.simulate.neurons import draw_neurons
from striate.simulate.receptive_fields import Filters
from striate.simulate.response_model import (
    add_baseline,
    draw_responses,
    energy,
    gain,
    neuron_property,
    normalise_energy,
    rectify,
)
from striate.simulate.retina import Retina
from striate.simulate.seeds import Seed, as_seed

Floats = NDArray[np.float32]

_NEURON_BLOCK, _TRIAL_BLOCK = 512, 512
_SHARED = 0.25  # weight of the mean of all channels in what a neuron sees; the rest is its preferred channel


@dataclass(frozen=True)
class Population:
    """The neurons of one simulated mouse, and their responses to images, behaviour and gaze.

    Responses follow the energy model (Adelson & Bergen 1985, J. Opt. Soc. Am. A 2, 284) with divisive normalisation
    (Heeger 1992, Vis. Neurosci. 9, 181). Each neuron has two Gabors in quadrature. A simple cell squares the positive part
    of one Gabor's output plus some local luminance (and a fraction of the negative part: ON and OFF); a complex cell adds
    the squares of both outputs. The result is divided by the local contrast, thresholded, raised to a power, and multiplied
    by a gain that depends on behaviour.

    Attributes
    ----------
    settings
        Settings of the population.
    image_shape
        Height and width of the images in pixels.
    neurons : DataFrame, N rows
        Anatomy: ``unit_id``, ``area``, ``layer``, ``x``, ``y``, ``z`` (µm).
        Receptive fields: ``azimuth``, ``elevation`` (centre in degrees from the screen centre, elevation downwards),
        ``orientation``, ``phase`` (degrees), ``frequency`` (cycles per degree), ``size`` (standard deviation across the
        stripes, degrees), ``aspect`` (length over width), ``pool_size`` (standard deviation of the normalisation pool,
        degrees).
        Responses: ``complexity`` (0 simple – 1 complex), ``luminance`` (weight of local luminance in a simple cell:
        positive for ON, negative for OFF), ``on_off`` (weight of the opposite contrast in a simple cell), ``energy``,
        ``contrast`` (means over images, which scale the normalisation), ``threshold``, ``power``, ``drive`` (mean after
        the power), ``baseline`` (fraction of the mean response), ``amplitude`` (mean response in raw units).
        Gain: ``gain_dilation``, ``gain_derivative``, ``gain_running`` and a column for each other behaviour variable of the
        benchmark (log gain per standard deviation), ``gain_offset``.
        Colour: ``channel`` (number of the preferred channel), if images have several.
        Noise: ``burst``, ``burst_shape`` (see `draw_responses`), and ``reliability`` (FEV that the noise was set for).
    eye_to_screen : (2, 2)
        Shift of the gaze in pixels for one standard deviation of the eye position.
    benchmark
        Benchmark of the images and of behaviour.

    Examples
    --------
    >>> import numpy as np
    >>> from striate.simulate import PopulationSettings, population
    >>> mouse = population(PopulationSettings(neurons=5), seed=1, image_shape=(18, 32))
    >>> mouse.drive(np.zeros((2, 1, 18, 32))).shape
    (2, 5)
    """

    settings: PopulationSettings
    image_shape: tuple[int, int]
    neurons: pd.DataFrame
    eye_to_screen: NDArray[np.float64]
    benchmark: BenchmarkSpec = field(default_factory=load_benchmark)

    def __repr__(self) -> str:
        height, width = self.image_shape
        return f"<Population: {len(self.neurons)} neurons, images of {height}×{width}>"

    def _repr_html_(self) -> str:
        columns = [c for c in self.neurons.columns if self.neurons[c].dtype.kind == "f"]
        rows = [(c, *(f"{self.neurons[c].quantile(q):.4g}" for q in (0.05, 0.5, 0.95))) for c in columns]
        return notebook_html.section(repr(self)[1:-1], notebook_html.table(("property", "5 %", "median", "95 %"), rows))

    @property
    def centers(self) -> NDArray[np.float64]:
        """Receptive-field centres in pixels (x, y) for a gaze straight ahead, shape (N, 2)."""
        height, width = self.image_shape
        degrees = self.neurons[["azimuth", "elevation"]].to_numpy(dtype=np.float64)
        return degrees * Retina(self.image_shape).pixels_per_degree + (np.array([width, height]) - 1) / 2

    def gaze(self, pupil_center: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the shift of the receptive fields in pixels (x, y), shape (T, 2), for eye positions (T, 2)."""
        if not pupil_center.shape[1]:  # the benchmark has no eye position
            return np.zeros((len(pupil_center), 2))
        return np.asarray(pupil_center_z_scores(pupil_center) @ self.eye_to_screen.T)

    def gain(self, behavior: NDArray[np.floating]) -> Floats:
        """Return the gain of every neuron (mean about 1), shape (T, N), for behaviour (T, K)."""
        return gain(self.neurons, behavior)

    def drive(self, images: NDArray[Any], pupil_center: NDArray[np.floating] | None = None) -> Floats:
        """Return the responses to images before gain and amplitude, with a mean of about 1.

        Parameters
        ----------
        images : (T, C, H, W), or (T, H, W) if there is one channel
            Pixel values in the range of the benchmark.
        pupil_center : (T, 2), optional
            Eye positions (default: a gaze straight ahead).

        Returns
        -------
        (T, N) float32
        """
        retina = Retina(self.image_shape)
        views = self._views(retina, images, None if pupil_center is None else self.gaze(pupil_center))
        drive = np.empty((len(images), len(self.neurons)), dtype=np.float32)
        with progress_bar("responses", len(self.neurons)) as advance:
            for columns, retinal_images in self._blocks(views):
                neurons = self.neurons.iloc[columns]
                filters = Filters.from_neurons(neurons, retina)
                for first in range(0, len(retinal_images), _TRIAL_BLOCK):
                    trials = slice(first, first + _TRIAL_BLOCK)
                    values = normalise_energy(
                        neurons,
                        energy(neurons, filters, retinal_images[trials]),
                        filters.local_contrast(retinal_images[trials]),
                        self.settings.normalization,
                    )
                    drive[trials, columns] = add_baseline(neurons, rectify(neurons, values))
                advance(len(neurons))
        return drive

    def _views(self, retina: Retina, images: NDArray[Any], gaze: NDArray[np.float64] | None) -> list[Floats]:
        """Return what neurons of each preferred channel see, (T, cells) each: mostly this channel, and their mean."""
        low, high = self.benchmark.stimulus.range
        grey = images if (low, high) == (0, 255) else (np.asarray(images, np.float32) - low) * (255 / (high - low))
        channels = self.benchmark.image_channels
        if channels == 1:
            return [retina.sample(grey, gaze)]
        each = [retina.sample(grey[:, channel], gaze) for channel in range(channels)]
        mean = np.mean(each, axis=0, dtype=np.float32)
        return [np.rint((1 - _SHARED) * one + _SHARED * mean).astype(np.float32) for one in each]

    def _blocks(self, views: list[Floats]) -> Iterator[tuple[slice | NDArray[np.int64], Floats]]:
        """Yield the columns of some neurons that prefer the same channel, and what they see."""
        count = len(self.neurons)
        if len(views) == 1:
            yield from (
                (slice(start, min(start + _NEURON_BLOCK, count)), views[0]) for start in range(0, count, _NEURON_BLOCK)
            )
            return
        preferred = self.neurons["channel"].to_numpy()
        for channel, view in enumerate(views):
            columns = np.flatnonzero(preferred == channel)
            for start in range(0, columns.size, _NEURON_BLOCK):
                yield columns[start : start + _NEURON_BLOCK], view

    def expected(
        self, images: NDArray[Any], behavior: NDArray[np.floating], pupil_center: NDArray[np.floating]
    ) -> Floats:
        """Return the expected response of every trial given its image, behaviour and eye position.

        Parameters
        ----------
        images : (T, C, H, W), or (T, H, W) if there is one channel
            Pixel values in the range of the benchmark.
        behavior : (T, K)
            Behaviour variables of the benchmark.
        pupil_center : (T, 2), or (T, 0) if the benchmark has none
            Eye positions.

        Returns
        -------
        (T, N) float32
            Expected responses in raw units.
        """
        responses = self.drive(images, pupil_center)
        amplitude = neuron_property(self.neurons, "amplitude")
        for start in range(0, len(responses), _TRIAL_BLOCK):
            block = slice(start, start + _TRIAL_BLOCK)
            responses[block] *= self.gain(behavior[block]) * amplitude
        return responses

    def draw_responses(self, expected: Floats, rng: np.random.Generator) -> Floats:
        """Draw noisy responses around expected responses (T, N), in raw units; see `response_model.draw_responses`."""
        burst, shape = (self.neurons[name].to_numpy() for name in ("burst", "burst_shape"))
        responses = np.empty_like(expected)
        for start in range(0, len(expected), _TRIAL_BLOCK):
            block = slice(start, start + _TRIAL_BLOCK)
            responses[block] = draw_responses(expected[block], burst, shape, rng)
        return responses


def population(
    settings: PopulationSettings | None = None,
    seed: Seed | int | None = None,
    *,
    session: str = "90001-1-1",
    image_shape: tuple[int, int] = (144, 256),
    benchmark: Benchmark | None = None,
) -> Population:
    """Draw the neurons of one mouse.

    Parameters
    ----------
    settings
        Settings of the neurons.
    seed
        Seed of all random numbers (default: 128 random bits).
    session
        Session of the mouse. Mice with the same seed and different sessions have different neurons.
    image_shape
        Height and width of the images in pixels.
    benchmark
        Benchmark of the images and of behaviour (default: SENSORIUM 2022).

    Returns
    -------
    Population
        Neurons with known properties.

    Examples
    --------
    >>> from striate.simulate import PopulationSettings, population
    >>> population(PopulationSettings(neurons=5), seed=1, image_shape=(18, 32))
    <Population: 5 neurons, images of 18×32>
    """
    settings, seed, spec = settings or PopulationSettings(), as_seed(seed), load_benchmark(benchmark)

    def generator(purpose: str) -> np.random.Generator:
        return seed.generator(f"neurons of {session}: {purpose}")

    angle = generator("gaze").uniform(-0.2, 0.2)
    pixels = settings.eye_shift * image_shape[1] / 256
    eye_to_screen = pixels * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    neurons = draw_neurons(settings, image_shape, generator, spec)
    neurons = calibrate(neurons, settings, image_shape, eye_to_screen, generator, spec.behavior_names)
    return Population(settings, image_shape, neurons, eye_to_screen, spec)
