"""A population of V1-like neurons whose every property is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from striate._internal import notebook_html
from striate._internal.progress_bars import progress_bar
from striate.simulate.behavior import pupil_center_z_scores
from striate.simulate.calibration import calibrate
from striate.simulate.config import PopulationSettings
from striate.simulate.neurons import draw_neurons
from striate.simulate.noise import measure
from striate.simulate.receptive_fields import Filters
from striate.simulate.response_model import add_baseline, energy, gain, neuron_property, normalise_energy, rectify
from striate.simulate.retina import Retina
from striate.simulate.seeds import Seed, as_seed

Floats = NDArray[np.float32]

_NEURON_BLOCK, _TRIAL_BLOCK = 512, 512


@dataclass(frozen=True)
class Population:
    """The neurons of one simulated mouse, and what they answer to images, behaviour and gaze.

    The response of a neuron follows the energy model (Adelson & Bergen 1985, J. Opt. Soc. Am. A 2, 284) with
    divisive normalisation (Heeger 1992, Vis. Neurosci. 9, 181): two Gabors in quadrature see the image; a simple cell
    squares the positive part of one and of some local light (and some of the negative part: ON and OFF), a complex
    cell adds up the squares of both; the sum is divided by the local contrast, passes a threshold and a power, and is multiplied by a gain
    that follows behaviour.

    Attributes
    ----------
    settings
        What it was drawn from.
    image_shape
        Height and width in pixels of the images that it can be shown.
    neurons : DataFrame, N rows
        Where they lie: ``unit_id``, ``area``, ``layer``, ``x``, ``y``, ``z`` (µm).
        What they see: ``azimuth``, ``elevation`` (receptive-field centre in degrees from the middle of the screen,
        elevation downwards), ``orientation``, ``phase`` (degrees), ``frequency`` (cycles per degree), ``size``
        (standard deviation across the stripes, degrees), ``aspect`` (length over width), ``pool_size`` (of the
        normalisation, degrees). How they answer: ``complexity`` (0 simple – 1 complex), ``luminance`` (weight of local
        light in a simple cell: ON above 0, OFF below), ``on_off`` (weight of the
        opposite contrast in a simple cell), ``threshold``, ``power``, ``baseline`` (fraction of the mean response),
        ``energy``, ``contrast`` (means of the two that normalise), ``drive`` (mean), ``amplitude`` (mean response in
        raw units), ``burst``, ``burst_shape`` (noise, see `measure`), ``gain_dilation``, ``gain_derivative``,
        ``gain_running`` (log gain per standard deviation), ``gain_offset``, and ``reliability`` (the FEV that the noise
        was set for).
    eye_to_screen : (2, 2)
        Pixels by which the gaze moves for one standard deviation of the eye position.
    """

    settings: PopulationSettings
    image_shape: tuple[int, int]
    neurons: pd.DataFrame
    eye_to_screen: NDArray[np.float64]

    def __repr__(self) -> str:
        height, width = self.image_shape
        return f"<Population: {len(self.neurons)} neurons that see images of {height}×{width}>"

    def _repr_html_(self) -> str:
        columns = [c for c in self.neurons.columns if self.neurons[c].dtype.kind == "f"]
        rows = [(c, *(f"{self.neurons[c].quantile(q):.4g}" for q in (0.05, 0.5, 0.95))) for c in columns]
        return notebook_html.section(repr(self)[1:-1], notebook_html.table(("property", "5 %", "median", "95 %"), rows))

    @property
    def centers(self) -> NDArray[np.float64]:
        """Centres of the receptive fields in pixels (x, y), for a gaze straight ahead; (N, 2)."""
        height, width = self.image_shape
        degrees = self.neurons[["azimuth", "elevation"]].to_numpy(dtype=np.float64)
        return degrees * Retina(self.image_shape).pixels_per_degree + (np.array([width, height]) - 1) / 2

    def gaze(self, pupil_center: NDArray[np.floating]) -> NDArray[np.float64]:
        """Shift of the receptive fields in pixels (x, y) for eye positions (T, 2); (T, 2)."""
        return np.asarray(pupil_center_z_scores(pupil_center) @ self.eye_to_screen.T)

    def gain(self, behavior: NDArray[np.floating]) -> Floats:
        """Gain of every neuron (mean about 1) for behaviour (T, 3); (T, N)."""
        return gain(self.neurons, behavior)

    def drive(self, images: NDArray[Any], pupil_center: NDArray[np.floating] | None = None) -> Floats:
        """What the images alone evoke, mean about 1.

        Parameters
        ----------
        images : (T, 1, H, W) or (T, H, W)
            Grey values 0–255.
        pupil_center : (T, 2), optional
            Eye positions; straight ahead if not given.

        Returns
        -------
        (T, N) float32
        """
        retina = Retina(self.image_shape)
        seen = retina.see(images, None if pupil_center is None else self.gaze(pupil_center))
        drive = np.empty((len(seen), len(self.neurons)), dtype=np.float32)
        with progress_bar("responses", len(self.neurons)) as advance:
            for start in range(0, len(self.neurons), _NEURON_BLOCK):
                neurons = self.neurons.iloc[start : start + _NEURON_BLOCK]
                filters = Filters.of(neurons, retina)
                for first in range(0, len(seen), _TRIAL_BLOCK):
                    trials = slice(first, first + _TRIAL_BLOCK)
                    values = normalise_energy(
                        neurons,
                        energy(neurons, filters, seen[trials]),
                        filters.local_contrast(seen[trials]),
                        self.settings.normalization,
                    )
                    drive[trials, start : start + _NEURON_BLOCK] = add_baseline(neurons, rectify(neurons, values))
                advance(len(neurons))
        return drive

    def expected(
        self, images: NDArray[Any], behavior: NDArray[np.floating], pupil_center: NDArray[np.floating]
    ) -> Floats:
        """Expected response of every trial given its image, behaviour and eye position, raw units, (T, N)."""
        responses = self.drive(images, pupil_center)
        amplitude = neuron_property(self.neurons, "amplitude")
        for start in range(0, len(responses), _TRIAL_BLOCK):
            block = slice(start, start + _TRIAL_BLOCK)
            responses[block] *= self.gain(behavior[block]) * amplitude
        return responses

    def measure(self, expected: Floats, rng: np.random.Generator) -> Floats:
        """Draw noisy responses around the expected ones (T, N), raw units; see `noise.measure`."""
        burst, shape = (self.neurons[name].to_numpy() for name in ("burst", "burst_shape"))
        responses = np.empty_like(expected)
        for start in range(0, len(expected), _TRIAL_BLOCK):
            block = slice(start, start + _TRIAL_BLOCK)
            responses[block] = measure(expected[block], burst, shape, rng)
        return responses


def population(
    settings: PopulationSettings | None = None,
    seed: Seed | int | None = None,
    *,
    mouse: str = "90001-1-1",
    image_shape: tuple[int, int] = (144, 256),
) -> Population:
    """Draw the neurons of one mouse.

    Parameters
    ----------
    settings
        What they are like.
    seed
        Secret from which they follow; drawn if not given.
    mouse
        Which of the mice of this seed: its session.
    image_shape
        Height and width of the images in pixels.

    Returns
    -------
    Population
    """
    settings, seed = settings or PopulationSettings(), as_seed(seed)

    def draws(what: str) -> np.random.Generator:
        return seed.generator(f"neurons of {mouse}: {what}")

    turn = draws("gaze").uniform(-0.2, 0.2)
    pixels = settings.eye_shift * image_shape[1] / 256
    eye_to_screen = pixels * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    neurons = draw_neurons(settings, image_shape, draws)
    neurons = calibrate(neurons, settings, image_shape, eye_to_screen, draws)
    return Population(settings, image_shape, neurons, eye_to_screen)
